use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index]
    placed_at: chrono::DateTime<chrono::Utc>,
    timestamp: u64,
}

fn main() {}
