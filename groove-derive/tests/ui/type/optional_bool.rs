use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index(optional)]
    filled: bool,
    timestamp: u64,
}

fn main() {}
