use groove::Groove;

enum Side {
    Buy,
    Sell,
}

#[derive(Groove)]
#[groove(rest(ignore), derived(side: Side = Order::side))]
struct Order {
    price: i64,
    timestamp: u64,
}

impl Order {
    fn side(&self) -> Option<Side> {
        Some(if self.price < 0 { Side::Sell } else { Side::Buy })
    }
}

fn main() {}
