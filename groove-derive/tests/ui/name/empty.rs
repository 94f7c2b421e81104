use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index(name = "")]
    item: u64,
    timestamp: u64,
}

fn main() {}
