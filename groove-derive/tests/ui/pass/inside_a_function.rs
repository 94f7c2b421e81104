use groove::Groove;

fn main() {
    #[derive(Groove)]
    struct Order {
        #[index]
        item: u64,
        timestamp: u64,
    }
    let _ = (Order::ITEM, Order::SCHEMA, Order { item: 1, timestamp: 2 });
}
