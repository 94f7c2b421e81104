use groove::Groove;

#[derive(Groove)]
union Order {
    limit: u64,
    market: u32,
}

fn main() {}
