use groove::Groove;

#[derive(Groove)]
#[groove(expansion = "text")]
struct Order {
    #[index]
    item: u16,
    timestamp: u64,
}

fn main() {}
