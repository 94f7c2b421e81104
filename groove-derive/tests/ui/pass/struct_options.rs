use groove::Groove;

#[derive(Groove)]
#[groove(name = "orders", orphaned_ids, timestamp = created_at, crate = "groove")]
#[groove(index(by_item_zone = (item, zone), by_zone_item = (zone, item)))]
#[groove(derived(expires_at: u64 = Order::expires_at, version = 2, twice: u32 = twice))]
struct Order {
    created_at: u64,
    #[index(primary)]
    id: u128,
    #[index]
    item: u64,
    #[groove(ignore)]
    zone: u16,
}

impl Order {
    fn expires_at(&self) -> Option<u64> {
        self.created_at.checked_add(60)
    }
}

fn twice(order: &Order) -> Option<u32> {
    (order.zone > 0).then_some(2 * u32::from(order.zone))
}

fn main() {}
