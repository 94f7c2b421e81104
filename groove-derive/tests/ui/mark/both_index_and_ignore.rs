use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index]
    #[groove(ignore)]
    item: u64,
    timestamp: u64,
}

fn main() {}
