use groove::Groove;

#[derive(Groove)]
enum Order {
    Limit,
    Market,
}

fn main() {}
