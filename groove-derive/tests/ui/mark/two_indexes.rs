use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index]
    #[index(unique)]
    item: u64,
    timestamp: u64,
}

fn main() {}
