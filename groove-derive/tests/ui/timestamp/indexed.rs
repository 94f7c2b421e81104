use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index]
    timestamp: u64,
}

fn main() {}
