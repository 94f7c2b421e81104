use groove::Groove;

#[derive(Groove)]
#[groove(index(by_numbers = (a, b, c)))]
struct Order {
    #[groove(ignore)]
    a: u128,
    #[groove(ignore)]
    b: u128,
    #[groove(ignore)]
    c: u128,
    timestamp: u64,
}

fn main() {}
