use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index(name = "timestamp")]
    shipped_at: u64,
    timestamp: u64,
}

fn main() {}
