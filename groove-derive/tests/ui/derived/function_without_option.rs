use groove::Groove;

#[derive(Groove)]
#[groove(derived(expires_at: u64 = Order::expires_at))]
struct Order {
    #[groove(ignore)]
    timeout: u32,
    timestamp: u64,
}

impl Order {
    fn expires_at(&self) -> u64 {
        0
    }
}

fn main() {}
