use groove::Field;

#[derive(Field)]
enum Side {
    Buy,
    Sell {},
}

fn main() {}
