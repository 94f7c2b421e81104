use groove::Groove;

#[derive(Groove)]
#[groove(rest(ignore), derived(twice: u64 = |order| order.item.checked_mul(2)))]
struct Order {
    item: u64,
    zone: u16,
    timestamp: u64,
}

fn main() {}
