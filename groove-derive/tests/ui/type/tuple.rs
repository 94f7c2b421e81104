use groove::Groove;

#[derive(Groove)]
struct Order {
    #[groove(ignore)]
    item: (u32, u16),
    timestamp: u64,
}

fn main() {}
