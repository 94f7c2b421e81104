use groove::Groove;

#[derive(Groove)]
struct Order {
    #[groove(ignore, ignore)]
    item: u64,
    timestamp: u64,
}

fn main() {}
