use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index]
    item: u64,
}

fn main() {}
