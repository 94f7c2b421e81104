use groove::Field;

#[derive(Field)]
struct Price;

fn main() {}
