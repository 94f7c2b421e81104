use groove::Groove;

#[derive(Groove)]
#[groove(rset(ignore))]
struct Order {
    item: u64,
    zone: u16,
    timestamp: u64,
}

fn main() {}
