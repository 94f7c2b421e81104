use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index]
    item: u64,
    #[cfg(any())]
    #[index]
    zone: u16,
    timestamp: u64,
}

fn main() {
    let _ = Order { item: 1, timestamp: 2 };
}
