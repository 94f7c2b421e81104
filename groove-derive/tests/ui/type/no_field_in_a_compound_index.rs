use groove::Groove;

enum Side {
    Buy,
    Sell,
}

#[derive(Groove)]
#[groove(index(by_side_price = (side, price)))]
struct Order {
    #[index]
    side: Side,
    #[groove(ignore)]
    price: u64,
    timestamp: u64,
}

fn main() {
    let _ = (Side::Buy, Side::Sell);
}
