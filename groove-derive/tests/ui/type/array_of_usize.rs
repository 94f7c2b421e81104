use groove::Groove;

#[derive(Groove)]
struct Order {
    #[groove(ignore)]
    item: [usize; 4],
    timestamp: u64,
}

fn main() {}
