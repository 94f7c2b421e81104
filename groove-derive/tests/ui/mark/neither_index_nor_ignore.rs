use groove::Groove;

#[derive(Groove)]
struct Order {
    item: u64,
    timestamp: u64,
}

fn main() {}
