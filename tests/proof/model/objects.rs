//! The forest of the model test: three grooves that have every kind of index among them.

use std::fmt::Debug;

use groove::{Field, Forest, Groove, IndexKey, Object, Text, UniqueIndex};

use super::index::{IndexModel, typed};
use super::rng::Rng;

/// Primary keys of a groove: few, so that most operations hit an object.
const KEYS: u64 = 800;

/// An object type, as the generator and the model see it.
pub(crate) trait Kind:
    Object<Primary: Ord + Copy + Debug> + Copy + PartialEq + Debug
{
    /// The unique key beside the primary key.
    type Secondary: IndexKey + Ord + Copy + Debug;
    /// The name of the primary index, and of the other unique one.
    const UNIQUE_NAMES: [&'static str; 2];
    const ORPHANED_IDS: bool;

    fn random(rng: &mut Rng) -> Self;
    /// Changes fields that may change; now and then none.
    fn change(&mut self, rng: &mut Rng);
    /// Changes the primary key, if there is one.
    fn change_primary(&mut self, rng: &mut Rng);
    /// Changes the other unique key, if there is one.
    fn change_secondary(&mut self, rng: &mut Rng);
    fn primary(&self) -> Self::Primary;
    fn secondary(&self) -> Option<Self::Secondary>;
    /// A primary key that an object may have. For a groove without one: up to `highest`.
    fn random_primary(rng: &mut Rng, highest: u64) -> Self::Primary;
    fn random_secondary(rng: &mut Rng) -> Self::Secondary;
    fn primary_index() -> Option<UniqueIndex<Self, Self::Primary>>;
    fn secondary_index() -> Option<UniqueIndex<Self, Self::Secondary>>;
    fn indexes() -> Vec<Box<dyn IndexModel<Self>>>;
}

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
#[groove(orphaned_ids, derived(due: u64 = Order::due), index(by_kind_code = (kind, code)))]
pub(crate) struct Order {
    #[index(primary)]
    id: u128,
    #[index]
    debit: u128,
    #[index(unique, optional)]
    pending_id: u128,
    #[index(optional)]
    user: u64,
    #[groove(ignore)]
    timeout: u32,
    #[index]
    ledger: u32,
    #[index]
    code: u16,
    #[groove(ignore)]
    kind: u8,
    #[groove(ignore)]
    amount: i64,
    timestamp: u64,
}

impl Order {
    fn due(&self) -> Option<u64> {
        (self.timeout > 0).then(|| self.timestamp.saturating_add(u64::from(self.timeout)))
    }
}

/// No primary key: the timestamp is it.
#[derive(Groove, Clone, Copy, Debug, PartialEq)]
#[groove(name = "log", timestamp = at)]
pub(crate) struct Event {
    at: u64,
    #[index]
    source: u16,
    #[index(optional)]
    value: i64,
    #[groove(ignore)]
    payload: [u8; 20],
}

#[derive(Field, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i8)]
pub(crate) enum State {
    Lost = -1,
    New = 0,
    Old = 7,
}

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
#[groove(index(by_state_delta = (state, delta)))]
pub(crate) struct Item {
    #[index(primary)]
    name: Text<10>,
    #[index]
    parent: Option<u32>,
    #[index(optional)]
    note: Option<i16>,
    #[index]
    delta: i64,
    #[index]
    state: State,
    #[index(unique, optional)]
    tag: Text<6>,
    #[index]
    sealed: bool,
    timestamp: u64,
}

#[derive(Forest)]
pub(crate) struct Shop {
    pub(crate) orders: Groove<Order>,
    pub(crate) events: Groove<Event>,
    pub(crate) items: Groove<Item>,
}

/// Small numbers, at both ends of the type.
fn spread(number: u64) -> u128 {
    if number.is_multiple_of(2) { u128::from(number) } else { u128::from(number) << 100 }
}

fn text<const N: usize>(number: u64) -> Text<N> {
    let letter = char::from(b'a' + (number % 5) as u8);
    let accent = if number.is_multiple_of(3) { "é" } else { "" };
    Text::new(&format!("{letter}{accent}{number}")).expect("short enough")
}

fn state(rng: &mut Rng) -> State {
    [State::Lost, State::New, State::Old][rng.below(3) as usize]
}

fn some<T>(rng: &mut Rng, value: impl FnOnce(&mut Rng) -> T) -> Option<T> {
    rng.chance(60).then(|| value(rng))
}

impl Kind for Order {
    type Secondary = u128;
    const UNIQUE_NAMES: [&'static str; 2] = ["id", "pending_id"];
    const ORPHANED_IDS: bool = true;

    fn random(rng: &mut Rng) -> Order {
        let pending_id = if rng.chance(50) { 0 } else { Order::random_secondary(rng) };
        let mut order = Order {
            id: Order::random_primary(rng, 0),
            debit: 0,
            pending_id,
            user: rng.below(4),
            timeout: rng.below(3) as u32 * 10,
            ledger: 700,
            code: rng.below(8) as u16,
            kind: rng.below(3) as u8,
            amount: 0,
            timestamp: 0,
        };
        order.change(rng);
        order
    }

    fn change(&mut self, rng: &mut Rng) {
        match rng.below(8) {
            0 => self.debit = spread(rng.below(12)),
            1 => self.user = rng.below(4),
            2 => self.timeout = rng.below(3) as u32 * 10,
            3 => self.ledger = 700 + rng.below(2) as u32,
            4 => self.code = rng.below(8) as u16,
            5 => self.kind = rng.below(3) as u8,
            6 => {}
            _ => {
                let (timestamp, id, pending_id) = (self.timestamp, self.id, self.pending_id);
                *self = Order { debit: spread(rng.below(12)), ..Order::random(rng) };
                (self.timestamp, self.id, self.pending_id) = (timestamp, id, pending_id);
            }
        }
        self.amount = rng.next() as i64;
    }

    fn change_primary(&mut self, rng: &mut Rng) {
        self.id = Order::random_primary(rng, 0);
    }

    fn change_secondary(&mut self, rng: &mut Rng) {
        self.pending_id = if rng.chance(30) { 0 } else { Order::random_secondary(rng) };
    }

    fn primary(&self) -> u128 {
        self.id
    }

    fn secondary(&self) -> Option<u128> {
        (self.pending_id != 0).then_some(self.pending_id)
    }

    fn random_primary(rng: &mut Rng, _highest: u64) -> u128 {
        spread(rng.below(KEYS))
    }

    fn random_secondary(rng: &mut Rng) -> u128 {
        spread(1 + rng.below(KEYS))
    }

    fn primary_index() -> Option<UniqueIndex<Order, u128>> {
        Some(Order::ID)
    }

    fn secondary_index() -> Option<UniqueIndex<Order, u128>> {
        Some(Order::PENDING_ID)
    }

    fn indexes() -> Vec<Box<dyn IndexModel<Order>>> {
        vec![
            typed("id", Order::ID, |o| Some(o.id), |rng| spread(rng.below(KEYS))),
            typed("debit", Order::DEBIT, |o| Some(o.debit), |rng| spread(rng.below(13))),
            typed("pending_id", Order::PENDING_ID, Order::secondary, Order::random_secondary),
            typed("user", Order::USER, |o| (o.user != 0).then_some(o.user), |rng| rng.below(5)),
            typed("ledger", Order::LEDGER, |o| Some(o.ledger), |rng| 699 + rng.below(4) as u32),
            typed("code", Order::CODE, |o| Some(o.code), |rng| rng.below(9) as u16),
            typed(
                "by_kind_code",
                Order::BY_KIND_CODE,
                |o| Some((o.kind, o.code)),
                |rng| (rng.below(4) as u8, rng.below(9) as u16),
            ),
            typed("due", Order::DUE, Order::due, |rng| rng.below(100_000)),
        ]
    }
}

impl Kind for Event {
    type Secondary = u64;
    const UNIQUE_NAMES: [&'static str; 2] = ["at", ""];
    const ORPHANED_IDS: bool = false;

    fn random(rng: &mut Rng) -> Event {
        let mut event = Event { at: 0, source: 0, value: 0, payload: [0; 20] };
        event.change(rng);
        event.source = rng.below(20) as u16;
        event
    }

    fn change(&mut self, rng: &mut Rng) {
        match rng.below(4) {
            0 => self.source = rng.below(20) as u16,
            1 => self.value = rng.below(5) as i64 - 2,
            2 => self.payload[..8].copy_from_slice(&rng.next().to_le_bytes()),
            _ => {}
        }
    }

    fn change_primary(&mut self, _rng: &mut Rng) {}

    fn change_secondary(&mut self, _rng: &mut Rng) {}

    fn primary(&self) -> u64 {
        self.at
    }

    fn secondary(&self) -> Option<u64> {
        None
    }

    fn random_primary(rng: &mut Rng, highest: u64) -> u64 {
        highest.saturating_sub(rng.below(3_000))
    }

    fn random_secondary(rng: &mut Rng) -> u64 {
        rng.next()
    }

    fn primary_index() -> Option<UniqueIndex<Event, u64>> {
        None
    }

    fn secondary_index() -> Option<UniqueIndex<Event, u64>> {
        None
    }

    fn indexes() -> Vec<Box<dyn IndexModel<Event>>> {
        vec![
            typed("source", Event::SOURCE, |e| Some(e.source), |rng| rng.below(22) as u16),
            typed(
                "value",
                Event::VALUE,
                |e| (e.value != 0).then_some(e.value),
                |rng| rng.below(7) as i64 - 3,
            ),
        ]
    }
}

impl Kind for Item {
    type Secondary = Text<6>;
    const UNIQUE_NAMES: [&'static str; 2] = ["name", "tag"];
    const ORPHANED_IDS: bool = false;

    fn random(rng: &mut Rng) -> Item {
        let mut item = Item {
            name: Item::random_primary(rng, 0),
            parent: some(rng, |rng| rng.below(10) as u32),
            note: some(rng, |rng| rng.below(5) as i16 - 2),
            delta: rng.below(9) as i64 - 4,
            state: state(rng),
            tag: Text::default(),
            sealed: rng.chance(20),
            timestamp: 0,
        };
        item.change_secondary(rng);
        item
    }

    fn change(&mut self, rng: &mut Rng) {
        match rng.below(6) {
            0 => self.parent = some(rng, |rng| rng.below(10) as u32),
            1 => self.note = some(rng, |rng| rng.below(5) as i16 - 2),
            2 => self.delta = [i64::MIN, -1, 0, 1, i64::MAX][rng.below(5) as usize],
            3 => self.state = state(rng),
            4 => self.sealed = !self.sealed,
            _ => {}
        }
    }

    fn change_primary(&mut self, rng: &mut Rng) {
        self.name = Item::random_primary(rng, 0);
    }

    fn change_secondary(&mut self, rng: &mut Rng) {
        self.tag = if rng.chance(40) { Text::default() } else { Item::random_secondary(rng) };
    }

    fn primary(&self) -> Text<10> {
        self.name
    }

    fn secondary(&self) -> Option<Text<6>> {
        (!self.tag.is_empty()).then_some(self.tag)
    }

    fn random_primary(rng: &mut Rng, _highest: u64) -> Text<10> {
        // The empty text is a key as any other where the index is not optional.
        match rng.below(KEYS) {
            0 => Text::default(),
            number => text(number),
        }
    }

    fn random_secondary(rng: &mut Rng) -> Text<6> {
        text(rng.below(KEYS))
    }

    fn primary_index() -> Option<UniqueIndex<Item, Text<10>>> {
        Some(Item::NAME)
    }

    fn secondary_index() -> Option<UniqueIndex<Item, Text<6>>> {
        Some(Item::TAG)
    }

    fn indexes() -> Vec<Box<dyn IndexModel<Item>>> {
        let parent = |rng: &mut Rng| some(rng, |rng| rng.below(12) as u32);
        let note = |rng: &mut Rng| some(rng, |rng| rng.below(7) as i16 - 3);
        let delta = |rng: &mut Rng| [i64::MIN, -2, -1, 0, 3, i64::MAX][rng.below(6) as usize];
        vec![
            typed("name", Item::NAME, |i| Some(i.name), |rng| Item::random_primary(rng, 0)),
            typed("parent", Item::PARENT, |i| Some(i.parent), parent).present(Option::is_some),
            typed("note", Item::NOTE, |i| i.note.map(Some), note).present(Option::is_some),
            typed("delta", Item::DELTA, |i| Some(i.delta), delta),
            typed("state", Item::STATE, |i| Some(i.state), state),
            typed("tag", Item::TAG, Item::secondary, Item::random_secondary),
            typed("sealed", Item::SEALED, |i| Some(i.sealed), |rng| rng.chance(50)),
            typed(
                "by_state_delta",
                Item::BY_STATE_DELTA,
                |i| Some((i.state, i.delta)),
                |rng| (state(rng), rng.below(9) as i64 - 4),
            ),
        ]
    }
}
