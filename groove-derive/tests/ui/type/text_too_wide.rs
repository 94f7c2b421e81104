use groove::{Groove, Text};

#[derive(Groove)]
struct Order {
    #[index]
    note: Text<64>,
    timestamp: u64,
}

fn main() {}
