use groove::Groove;

#[derive(Groove)]
#[groove(rest(index))]
struct Order {
    item: u64,
    #[groove(ignore)]
    zone: u16,
    timestamp: u64,
}

fn main() {}
