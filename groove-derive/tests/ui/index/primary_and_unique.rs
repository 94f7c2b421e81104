use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index(primary, unique)]
    id: u64,
    timestamp: u64,
}

fn main() {}
