use groove::Groove;

#[derive(Groove)]
#[groove(orphan_ids)]
struct Order {
    #[index]
    item: u64,
    timestamp: u64,
}

fn main() {}
