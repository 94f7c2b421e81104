use groove::Groove;

#[derive(Groove)]
struct Order {
    #[groove(ignore)]
    timestamp: u64,
}

fn main() {}
