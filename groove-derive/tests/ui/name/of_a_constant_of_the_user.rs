use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index]
    zone: u16,
    timestamp: u64,
}

impl Order {
    pub const ZONE: u16 = 7;
}

fn main() {}
