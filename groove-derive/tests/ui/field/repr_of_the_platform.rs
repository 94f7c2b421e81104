use groove::Field;

#[derive(Field)]
#[repr(usize)]
enum Side {
    Buy,
    Sell,
}

fn main() {}
