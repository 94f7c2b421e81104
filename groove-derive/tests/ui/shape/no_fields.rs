use groove::Groove;

#[derive(Groove)]
struct Order {}

fn main() {}
