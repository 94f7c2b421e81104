use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index(primary)]
    id: u128,
    #[index]
    item: u64,
    #[index()]
    zone: u16,
    #[index(unique)]
    number: u32,
    #[index(optional)]
    parent: u64,
    #[index(unique, optional)]
    pending: u64,
    #[index(name = "customer")]
    customer_id: u64,
    timestamp: u64,
}

fn main() {}
