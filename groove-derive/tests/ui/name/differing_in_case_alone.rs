use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index]
    item: u64,
    #[index(name = "Item")]
    article: u64,
    timestamp: u64,
}

fn main() {}
