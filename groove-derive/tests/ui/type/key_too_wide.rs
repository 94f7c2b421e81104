use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index]
    item: [u8; 40],
    timestamp: u64,
}

fn main() {}
