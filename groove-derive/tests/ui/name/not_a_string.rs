use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index(name = item)]
    item: u64,
    timestamp: u64,
}

fn main() {}
