use groove::Field;

#[derive(Field)]
struct Price(u64, u64);

fn main() {}
