use groove::Groove;

#[derive(Groove)]
struct Order {
    #[groove(ignore)]
    item: std::time::SystemTime,
    timestamp: u64,
}

fn main() {}
