use groove::Groove;

#[derive(Groove)]
#[groove(timestamp = schema)]
struct Order {
    schema: u64,
}

fn main() {}
