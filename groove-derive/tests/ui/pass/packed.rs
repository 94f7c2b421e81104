use groove::Groove;

#[derive(Groove, Clone, Copy)]
#[repr(C, align(64))]
struct Order {
    #[index]
    item: u64,
    timestamp: u64,
}

fn main() {}
