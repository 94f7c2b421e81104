use groove::Groove;

enum Side {
    Buy,
    Sell,
}

#[derive(Groove)]
struct Order {
    #[index(optional)]
    side: Option<Side>,
    timestamp: u64,
}

fn main() {
    let _ = (Side::Buy, Side::Sell);
}
