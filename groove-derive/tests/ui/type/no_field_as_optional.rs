use groove::Groove;

enum Side {
    Buy,
    Sell,
}

#[derive(Groove)]
struct Order {
    #[index(unique, optional)]
    side: Side,
    timestamp: u64,
}

fn main() {
    let _ = (Side::Buy, Side::Sell);
}
