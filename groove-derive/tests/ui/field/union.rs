use groove::Field;

#[derive(Field)]
union Side {
    buy: u64,
}

fn main() {}
