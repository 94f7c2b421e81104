use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index(primary, optional)]
    id: u64,
    timestamp: u64,
}

fn main() {}
