use groove::Groove;

#[derive(Groove)]
struct Order {
    #[groove(ignore)]
    item: Vec<u8>,
    timestamp: u64,
}

fn main() {}
