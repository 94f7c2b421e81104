use groove::Groove;

#[derive(Groove)]
struct Order {
    #[groove = "ignore"]
    id: u64,
    timestamp: u64,
}

fn main() {}
