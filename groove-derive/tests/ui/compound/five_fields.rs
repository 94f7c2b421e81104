use groove::Groove;

#[derive(Groove)]
#[groove(index(by_all = (a, b, c, d, e)))]
struct Order {
    #[groove(ignore)]
    a: u16,
    #[groove(ignore)]
    b: u16,
    #[groove(ignore)]
    c: u16,
    #[groove(ignore)]
    d: u16,
    #[groove(ignore)]
    e: u16,
    timestamp: u64,
}

fn main() {}
