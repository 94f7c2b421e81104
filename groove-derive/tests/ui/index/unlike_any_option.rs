use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index(btree)]
    item: u64,
    timestamp: u64,
}

fn main() {}
