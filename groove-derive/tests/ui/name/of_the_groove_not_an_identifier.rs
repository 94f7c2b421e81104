use groove::Groove;

#[derive(Groove)]
#[groove(name = "my-orders")]
struct Order {
    #[index]
    item: u64,
    timestamp: u64,
}

fn main() {}
