use groove::Groove;

#[derive(Groove, Clone, Copy)]
#[groove(rest(ignore), derived(twice: u64 = Order::twice))]
struct Order {
    item: u64,
    zone: u16,
    timestamp: u64,
}

impl Order {
    fn twice(self) -> Option<u64> {
        self.item.checked_mul(2)
    }
}

fn main() {}
