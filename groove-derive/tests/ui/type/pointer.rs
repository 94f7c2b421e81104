use groove::Groove;

#[derive(Groove)]
struct Order {
    #[groove(ignore)]
    item: *const u64,
    timestamp: u64,
}

fn main() {}
