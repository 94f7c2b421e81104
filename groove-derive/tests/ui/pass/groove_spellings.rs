use groove::Groove;

#[derive(Groove)]
struct Order {
    #[groove(index(primary))]
    id: u128,
    #[groove(index)]
    item: u64,
    #[groove(index(optional, name = "origin"))]
    parent: u64,
    #[groove(ignore)]
    zone: u16,
    timestamp: u64,
}

fn main() {}
