use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index(unique, unique)]
    item: u64,
    timestamp: u64,
}

fn main() {}
