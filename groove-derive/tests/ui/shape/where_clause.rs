use groove::Groove;

#[derive(Groove)]
struct Order
where
    u64: Copy,
{
    #[index]
    item: u64,
    timestamp: u64,
}

fn main() {}
