use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index(ignore)]
    item: u64,
    timestamp: u64,
}

fn main() {}
