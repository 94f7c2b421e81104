use groove::Groove;

#[derive(Groove)]
struct Order {
    #[groove(ignore)]
    item: String,
    timestamp: u64,
}

fn main() {}
