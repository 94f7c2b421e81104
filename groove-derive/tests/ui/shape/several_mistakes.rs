use groove::Groove;

#[derive(Groove)]
#[groove(orphaned_ids, nmae = "orders", index(by_item = (item)))]
struct Order {
    #[index(uniqe)]
    item: u64,
    price: u64,
    #[index]
    #[groove(ignore)]
    zone: u16,
    #[index]
    note: String,
}

fn main() {}
