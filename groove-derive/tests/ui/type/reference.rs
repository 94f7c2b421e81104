use groove::Groove;

#[derive(Groove)]
struct Order {
    #[groove(ignore)]
    item: &'static u64,
    timestamp: u64,
}

fn main() {}
