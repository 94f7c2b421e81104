use groove::{Field, Groove};

#[derive(Field)]
enum Side {
    Buy,
    Sell,
}

#[derive(Groove)]
struct Order {
    #[index(optional)]
    side: Side,
    timestamp: u64,
}

fn main() {}
