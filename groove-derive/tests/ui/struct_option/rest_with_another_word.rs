use groove::Groove;

#[derive(Groove)]
#[groove(rest(skip))]
struct Order {
    item: u64,
    timestamp: u64,
}

fn main() {}
