use groove::Groove;

#[derive(Groove)]
#[groove(orphaned_ids)]
struct Order {
    #[index(primry)]
    id: u64,
    timestamp: u64,
}

fn main() {}
