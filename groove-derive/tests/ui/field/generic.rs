use groove::Field;

#[derive(Field)]
struct Price<T>(T);

fn main() {}
