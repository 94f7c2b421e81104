use groove::Groove;

#[derive(Groove)]
#[groove(expansion)]
struct Order {
    #[index]
    expansion: u16,
    timestamp: u64,
}

fn main() {}
