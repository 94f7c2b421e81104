use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index]
    schema: u64,
    timestamp: u64,
}

fn main() {}
