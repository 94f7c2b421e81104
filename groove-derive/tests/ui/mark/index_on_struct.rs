use groove::Groove;

#[derive(Groove)]
#[index(item)]
struct Order {
    #[groove(ignore)]
    item: u64,
    timestamp: u64,
}

fn main() {}
