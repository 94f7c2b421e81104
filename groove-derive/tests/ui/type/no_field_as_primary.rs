use groove::Groove;

struct OrderId(u64);

#[derive(Groove)]
struct Order {
    #[index(primary)]
    id: OrderId,
    timestamp: u64,
}

fn main() {
    let _ = (Order::ID, Order::SCHEMA);
}
