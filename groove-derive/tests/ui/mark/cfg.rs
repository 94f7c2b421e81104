use groove::Groove;

#[derive(Groove)]
struct Order {
    #[cfg(all())]
    #[index]
    item: u64,
    timestamp: u64,
}

fn main() {}
