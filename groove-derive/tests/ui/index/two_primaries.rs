use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index(primary)]
    id: u64,
    #[index(primary)]
    number: u64,
    timestamp: u64,
}

fn main() {}
