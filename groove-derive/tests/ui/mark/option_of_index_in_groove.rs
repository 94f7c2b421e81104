use groove::Groove;

#[derive(Groove)]
struct Order {
    #[groove(primary)]
    item: u64,
    timestamp: u64,
}

fn main() {}
