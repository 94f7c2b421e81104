use groove::Groove;

#[derive(Groove)]
#[groove(timestmap = placed_at)]
struct Order {
    #[index]
    item: u64,
    placed_at: u64,
}

fn main() {
    let _ = Order::PLACED_AT;
}
