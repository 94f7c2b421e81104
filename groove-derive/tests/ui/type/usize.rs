use groove::Groove;

#[derive(Groove)]
struct Order {
    #[groove(ignore)]
    item: usize,
    timestamp: u64,
}

fn main() {}
