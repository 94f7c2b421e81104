use groove::Groove;

#[derive(Groove)]
struct Order {
    #[groove(ignore)]
    fills: std::sync::atomic::AtomicU32,
    timestamp: u64,
}

fn main() {}
