use groove::Groove;

macro_rules! object {
    ($name:ident, $field:ident: $type:ty, $index:ident) => {
        #[derive(Groove)]
        struct $name {
            #[index($index)]
            $field: $type,
            timestamp: u64,
        }
    };
}

object!(Order, item: u64, unique);

fn main() {
    let _ = (Order::ITEM, Order { item: 1, timestamp: 2 });
}
