use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index(primary)]
    id: u64,
    #[index(optionl)]
    parent: u64,
    #[index]
    customer: u64,
    timestamp: u64,
}

// The mistake above is the only error: all names exist nevertheless.
fn main() {
    let _ = (Order::ID, Order::PARENT, Order::CUSTOMER, Order::TIMESTAMP, Order::SCHEMA);
    is_object::<Order>();
}

fn is_object<O: groove::Object>() {}
