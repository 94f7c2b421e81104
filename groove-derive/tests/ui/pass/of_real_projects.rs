use groove::{Field, Forest, Groove, Text};

#[derive(Field, Clone, Copy, Debug, PartialEq)]
enum Side {
    Buy = 1,
    Sell = 2,
}

#[derive(Field, Clone, Copy, Debug, PartialEq)]
struct OrderId(u64);

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
#[groove(orphaned_ids, expansion)]
#[groove(index(by_ticker_side = (ticker, side)), derived(value: u64 = Self::value))]
struct Order {
    #[index(primary)]
    id: OrderId,
    #[index]
    ticker: Text<8>,
    #[groove(ignore)]
    side: Side,
    #[index(unique, optional)]
    replaces: Option<OrderId>,
    #[groove(ignore)]
    price: i64,
    #[groove(ignore)]
    quantity: u32,
    timestamp: u64,
}

impl Order {
    fn value(&self) -> Option<u64> {
        u64::try_from(self.price).ok()?.checked_mul(self.quantity.into())
    }
}

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
#[groove(rest(ignore), timestamp = opened_at)]
struct Candle {
    #[index]
    ticker: Text<8>,
    opened_at: u64,
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: u64,
}

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
#[groove(timestamp = pickup_at, index(by_zones = (pickup_zone, dropoff_zone)))]
struct Trip {
    pickup_at: u64,
    #[groove(ignore)]
    dropoff_at: u64,
    #[index]
    pickup_zone: u16,
    #[index]
    dropoff_zone: u16,
    #[groove(ignore)]
    fare_cents: Option<u32>,
    #[index]
    shared: bool,
}

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
struct Reading {
    #[index]
    sensor: [u8; 6],
    #[index]
    celsius: f32,
    #[index(optional)]
    alarm: u8,
    timestamp: u64,
}

#[derive(Field, Clone, Copy, Debug, PartialEq)]
#[repr(i8)]
enum Outcome {
    Black = -1,
    Draw = 0,
    White = 1,
}

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
#[groove(name = "games", rest(index))]
struct ChessGame {
    #[index(primary)]
    id: u128,
    white: Text<20>,
    black: Text<20>,
    outcome: Option<Outcome>,
    opening: [char; 3],
    #[groove(ignore)]
    r#final: [[u8; 8]; 8],
    timestamp: u64,
}

#[derive(Forest)]
struct Everything {
    orders: Groove<Order>,
    candles: Groove<Candle>,
    trips: Groove<Trip>,
    readings: Groove<Reading>,
    games: Groove<ChessGame>,
}

fn main() {
    const _: () = assert!(Order::SCHEMA.bytes_per_insert() <= 130);
    assert!(Order::EXPANSION.starts_with("#[automatically_derived]"));
    let ticker = Text::new("GROOVE").expect("it fits");
    let _ = Order::TICKER.eq("GROOVE") & Order::BY_TICKER_SIDE.eq((ticker, Side::Buy));
    let _ = Candle::TICKER.eq("GROOVE") | Candle::OPENED_AT.range(1..9);
    let _ = !Trip::SHARED.eq(true) & Trip::BY_ZONES.eq((7, 9));
    let _ = Reading::CELSIUS.range(20.0..) & Reading::SENSOR.eq([0; 6]);
    let _ = ChessGame::OUTCOME.eq(Some(Outcome::Draw)) & ChessGame::OPENING.eq(['B', '0', '1']);
    let _: Option<Everything> = None;
}
