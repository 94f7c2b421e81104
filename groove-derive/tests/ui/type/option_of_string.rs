use groove::Groove;

#[derive(Groove)]
struct Order {
    #[groove(ignore)]
    item: Option<String>,
    timestamp: u64,
}

fn main() {}
