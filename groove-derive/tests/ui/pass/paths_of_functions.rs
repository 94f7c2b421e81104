use groove::Groove;

#[derive(Groove)]
#[groove(rest(ignore), derived(own: u64 = Self::own, of_trait: u32 = <Order as Hours>::hours))]
#[groove(derived(generic: u64 = any::first::<u64>, absolute: u16 = crate::zone, version = 3))]
struct Order {
    item: u64,
    zone: u16,
    timestamp: u64,
}

impl Order {
    fn own(&self) -> Option<u64> {
        Some(self.item)
    }
}

trait Hours {
    fn hours(&self) -> Option<u32>;
}

impl Hours for Order {
    fn hours(&self) -> Option<u32> {
        u32::try_from(self.timestamp / 3600).ok()
    }
}

mod any {
    pub fn first<T: From<u64>>(order: &super::Order) -> Option<T> {
        Some(order.item.into())
    }
}

fn zone(order: &Order) -> Option<u16> {
    Some(order.zone)
}

fn main() {
    let _ = (Order::OWN, Order::OF_TRAIT, Order::GENERIC, Order::ABSOLUTE);
}
