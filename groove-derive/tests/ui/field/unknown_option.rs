use groove::Field;

#[derive(Field)]
#[groove(index)]
struct Price(u64);

fn main() {}
