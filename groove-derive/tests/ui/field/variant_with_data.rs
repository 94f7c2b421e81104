use groove::Field;

#[derive(Field)]
enum Side {
    Buy,
    Sell(u64),
}

fn main() {}
