use groove::Groove;

#[derive(Groove)]
struct Order(u64, u64);

fn main() {}
