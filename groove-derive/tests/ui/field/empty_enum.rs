use groove::Field;

#[derive(Field)]
enum Side {}

fn main() {}
