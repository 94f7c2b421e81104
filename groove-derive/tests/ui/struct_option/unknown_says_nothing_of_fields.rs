use groove::Groove;

#[derive(Groove)]
#[groove(ignore_everything)]
struct Order {
    item: u64,
    zone: u16,
    timestamp: u64,
}

fn main() {}
