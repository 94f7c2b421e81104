use groove::Groove;

#[derive(Groove)]
struct Order {
    #[groove(orphaned_ids)]
    item: u64,
    timestamp: u64,
}

fn main() {}
