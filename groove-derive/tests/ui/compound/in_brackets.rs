use groove::Groove;

#[derive(Groove)]
#[groove(rest(ignore), index(by_item_zone = [item, zone]))]
struct Order {
    item: u64,
    zone: u16,
    timestamp: u64,
}

fn main() {}
