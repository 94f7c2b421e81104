use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index(uniqe)]
    item: u64,
    timestamp: u64,
}

fn main() {}
