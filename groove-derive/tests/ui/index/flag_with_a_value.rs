use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index(unique = true)]
    item: u64,
    timestamp: u64,
}

fn main() {}
