use groove::Groove;

#[derive(Groove)]
#[groove(ignore)]
struct Order {
    #[index]
    item: u64,
    timestamp: u64,
}

fn main() {}
