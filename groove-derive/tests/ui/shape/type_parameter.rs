use groove::Groove;

#[derive(Groove)]
struct Order<T> {
    #[index]
    item: T,
    timestamp: u64,
}

fn main() {}
