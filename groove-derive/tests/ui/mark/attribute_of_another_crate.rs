use groove::Groove;

#[derive(Groove)]
struct Order {
    #[primary_key]
    id: u64,
    timestamp: u64,
}

fn main() {}
