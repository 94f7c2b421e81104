use groove::Groove;

#[derive(Groove)]
#[groove(name = "a", name = "b")]
struct Order {
    #[index]
    item: u64,
    timestamp: u64,
}

fn main() {}
