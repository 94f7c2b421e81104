use groove::Groove;

#[derive(Groove)]
struct Order {
    #[groove(ignore)]
    item: std::collections::HashMap<u64, u64>,
    timestamp: u64,
}

fn main() {}
