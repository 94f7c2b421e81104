use groove::Groove;

#[derive(Groove)]
struct Order {
    #[groove(ignore)]
    item: &'static str,
    timestamp: u64,
}

fn main() {}
