use groove::Groove;

#[derive(Groove)]
#[groove(index())]
struct Order {
    #[groove(ignore)]
    item: u64,
    #[groove(ignore)]
    zone: u16,
    timestamp: u64,
}

fn main() {}
