use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index(unique optional)]
    item: u64,
    timestamp: u64,
}

fn main() {}
