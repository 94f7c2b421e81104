use groove::Forest;

#[derive(Forest)]
struct Shop {}

fn main() {}
