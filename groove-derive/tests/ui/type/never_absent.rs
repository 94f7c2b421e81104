use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index(optional)]
    paid: bool,
    timestamp: u64,
}

fn main() {}
