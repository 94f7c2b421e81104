use groove::Groove;

#[derive(Groove)]
struct Order {
    #[groove(ignore)]
    item: isize,
    timestamp: u64,
}

fn main() {}
