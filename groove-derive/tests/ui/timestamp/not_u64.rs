use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index]
    item: u64,
    timestamp: i64,
}

fn main() {}
