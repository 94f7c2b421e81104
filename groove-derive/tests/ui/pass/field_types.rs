use groove::{Field, FieldType, Groove, IndexKey, InvalidValue, Object, OptionalKey};

#[derive(Field, Clone, Copy)]
struct AccountId(u128);

#[derive(Field, Clone, Copy)]
struct Price {
    cents: i64,
}

/// A newtype around a type that is no key is a field, and no key either.
#[derive(Field, Clone, Copy)]
struct Wrapped(NoKey);

#[derive(Clone, Copy)]
struct NoKey;

impl Field for NoKey {
    const WIDTH: usize = 0;
    const TYPE: FieldType = FieldType::Bool;
    fn write(&self, _: &mut [u8]) {}
    fn read(_: &[u8]) -> Result<NoKey, InvalidValue> {
        Ok(NoKey)
    }
    fn describe(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}

#[derive(Field, Clone, Copy)]
enum Side {
    Buy,
    Sell = BASE + 1,
}

const BASE: isize = 300;

#[derive(Field, Clone, Copy)]
#[repr(i16)]
enum Level {
    Low = -1,
    High = 1,
}

#[derive(Groove)]
struct Order {
    #[index(primary)]
    id: AccountId,
    #[index(optional)]
    price: Price,
    #[index]
    side: Side,
    #[index]
    level: Option<Level>,
    #[groove(ignore)]
    wrapped: Wrapped,
    timestamp: u64,
}

fn main() {
    assert_eq!((Side::WIDTH, Level::WIDTH, Price::WIDTH), (2, 2, 8));
    assert_eq!(written(&Side::Sell), [45, 1]);
    assert_eq!(written(&Level::Low), [0xFF, 0xFF]);
    assert!(matches!(Level::read(&[1, 0]), Ok(Level::High)));
    assert!(Level::read(&[0, 0]).is_err(), "0 is no discriminant");
    assert!(Level::read(&[1]).is_err(), "too short");
    assert!(key(&Level::Low) < key(&Level::High));
    assert!(key(&Side::Buy) < key(&Side::Sell));
    assert!(key(&Price { cents: -1 }) < key(&Price { cents: 1 }));
    assert!(Price { cents: 0 }.is_absent() && !AccountId(7).is_absent());

    let order = Order {
        id: AccountId(7),
        price: Price { cents: -3 },
        side: Side::Buy,
        level: Some(Level::High),
        wrapped: Wrapped(NoKey),
        timestamp: 9,
    };
    let mut row = [0xAA; Order::ROW_WIDTH];
    order.write_row(&mut row);
    let read = Order::read_row(9, &row).expect("the row was written by the same type");
    assert!(read.id.0 == 7 && read.price.cents == -3 && read.timestamp == 9);
    assert!(matches!((read.side, read.level), (Side::Buy, Some(Level::High))));
    row[16 + 8] ^= 1;
    let error = Order::read_row(9, &row).err().expect("no variant has this discriminant");
    assert_eq!(error.expected, Side::TYPE);
}

fn written(value: &impl Field) -> Vec<u8> {
    let mut bytes = vec![0; width_of(value)];
    value.write(&mut bytes);
    bytes
}

fn width_of<F: Field>(_: &F) -> usize {
    F::WIDTH
}

fn key<K: IndexKey>(value: &K) -> Vec<u8> {
    let mut key = vec![0; K::KEY_WIDTH];
    value.write_key(&mut key);
    key
}
