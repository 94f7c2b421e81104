use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index(name = "by item")]
    item: u64,
    timestamp: u64,
}

fn main() {}
