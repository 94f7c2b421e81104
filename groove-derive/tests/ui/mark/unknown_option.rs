use groove::Groove;

#[derive(Groove)]
struct Order {
    #[groove(skip)]
    item: u64,
    timestamp: u64,
}

fn main() {}
