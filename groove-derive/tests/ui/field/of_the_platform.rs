use groove::Field;

#[derive(Field)]
struct Price(usize);

fn main() {}
