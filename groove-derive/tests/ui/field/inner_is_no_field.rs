use groove::Field;

struct Cents;

#[derive(Field)]
struct Price(Cents);

fn main() {}
