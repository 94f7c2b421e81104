use groove::Groove;

#[derive(Groove)]
#[groove(rest(ignore))]
struct Order {
    item: u64,
    #[index]
    zone: u16,
    timestamp: u64,
}

fn main() {}
