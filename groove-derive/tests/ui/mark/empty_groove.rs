use groove::Groove;

#[derive(Groove)]
struct Order {
    #[groove]
    item: u64,
    timestamp: u64,
}

fn main() {}
