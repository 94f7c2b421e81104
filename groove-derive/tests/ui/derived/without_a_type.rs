use groove::Groove;

#[derive(Groove)]
#[groove(derived(expires_at = Order::expires_at))]
struct Order {
    #[groove(ignore)]
    timeout: u32,
    timestamp: u64,
}

impl Order {
    fn expires_at(&self) -> Option<u64> {
        None
    }
}

fn main() {}
