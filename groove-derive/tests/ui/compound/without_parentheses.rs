use groove::Groove;

#[derive(Groove)]
#[groove(rest(ignore), index(by_item = item))]
struct Order {
    item: u64,
    zone: u16,
    timestamp: u64,
}

fn main() {}
