//! Object types that have every kind of index and field among them.

use std::fmt::Debug;
use std::num::NonZero;
use std::rc::Rc;

use groove::{Field, Groove, Object, Operand, Text};

use crate::column::{compared, typed};
use crate::predicate::Columns;
use crate::rng::Rng;

/// An object type, as the generator sees it.
pub(crate) trait Kind: Object<Primary: Copy> + Copy + PartialEq + Debug
where
    Self::Primary: Operand<Self::Primary>,
{
    /// An object; `at` makes its unique keys, which no other object of the round has.
    fn random(rng: &mut Rng, at: u64) -> Self;
    /// Another object with the same unique keys.
    fn changed(&self, rng: &mut Rng) -> Self;
    fn primary(&self) -> Self::Primary;
    fn columns() -> Columns<Self>;
}

/// Small numbers, at both ends of the type.
fn spread(number: u64) -> u128 {
    if number.is_multiple_of(2) { u128::from(number) } else { u128::from(number) << 100 }
}

fn text<const N: usize>(rng: &mut Rng) -> Text<N> {
    let texts = ["", "a", "ab", "abc", "abd", "b", "ba", "é", "éa", "z"];
    Text::new(texts[rng.below(10) as usize]).expect("short enough")
}

fn some<T>(rng: &mut Rng, value: impl FnOnce(&mut Rng) -> T) -> Option<T> {
    rng.chance(60).then(|| value(rng))
}

/// The first bytes of a text, at a boundary of characters; now and then too many.
fn beginning(rng: &mut Rng, text: &str) -> String {
    let length = rng.below(4) as usize;
    let mut beginning: String = text.chars().take(length).collect();
    if rng.chance(10) {
        beginning.push_str("and more than fits");
    }
    beginning
}

/// Many kinds of key, a compound and a derived index.
#[derive(Groove, Clone, Copy, Debug, PartialEq)]
#[groove(derived(due: u64 = Order::due), index(by_kind_code = (kind, code)))]
pub(crate) struct Order {
    #[index(primary)]
    id: u128,
    #[index]
    debit: u128,
    #[index(unique, optional)]
    pending: u64,
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

impl Kind for Order {
    fn random(rng: &mut Rng, at: u64) -> Order {
        let pending = if rng.chance(50) { 0 } else { at + 1 };
        let order = Order {
            id: spread(at),
            debit: 0,
            pending,
            user: 0,
            timeout: 0,
            ledger: 0,
            code: 0,
            kind: 0,
            amount: 0,
            timestamp: 0,
        };
        order.changed(rng)
    }

    fn changed(&self, rng: &mut Rng) -> Order {
        Order {
            debit: spread(rng.below(12)),
            user: rng.below(4),
            timeout: rng.below(3) as u32 * 10,
            ledger: 700 + rng.below(2) as u32,
            code: rng.below(40) as u16,
            kind: rng.below(3) as u8,
            amount: [i64::MIN, -2, 0, 3, i64::MAX][rng.below(5) as usize],
            ..*self
        }
    }

    fn primary(&self) -> u128 {
        self.id
    }

    fn columns() -> Columns<Order> {
        vec![
            typed(Order::ID, |o| Some(o.id), |rng| spread(rng.below(300))),
            typed(Order::DEBIT, |o| Some(o.debit), |rng| spread(rng.below(13))),
            typed(Order::PENDING, |o| (o.pending != 0).then_some(o.pending), |rng| rng.below(300)),
            typed(Order::USER, |o| (o.user != 0).then_some(o.user), |rng| rng.below(5)),
            typed(Order::TIMEOUT, |o| Some(o.timeout), |rng| rng.below(4) as u32 * 10),
            typed(Order::LEDGER, |o| Some(o.ledger), |rng| 699 + rng.below(4) as u32),
            typed(Order::CODE, |o| Some(o.code), |rng| rng.below(41) as u16),
            typed(Order::KIND, |o| Some(o.kind), |rng| rng.below(4) as u8),
            typed(Order::AMOUNT, |o| Some(o.amount), |rng| rng.below(5) as i64 - 2),
            typed(
                Order::BY_KIND_CODE,
                |o| Some((o.kind, o.code)),
                |rng| (rng.below(4) as u8, rng.below(41) as u16),
            )
            .prefix(|_, (kind, _)| {
                (Order::BY_KIND_CODE.prefix((kind,)), Rc::new(move |key| key.0 == kind))
            }),
            typed(Order::DUE, Order::due, |rng| rng.below(400)),
        ]
    }
}

/// No primary key: the timestamp is it.
#[derive(Groove, Clone, Copy, Debug, PartialEq)]
#[groove(name = "log", timestamp = at)]
pub(crate) struct Event {
    at: u64,
    #[index]
    source: u8,
    #[index]
    value: Option<i16>,
    #[groove(ignore)]
    weight: f64,
    #[groove(ignore)]
    note: Option<Text<6>>,
    #[groove(ignore)]
    payload: [u8; 40],
}

impl Kind for Event {
    fn random(rng: &mut Rng, _: u64) -> Event {
        let event =
            Event { at: 0, source: 0, value: None, weight: 0.0, note: None, payload: [0; 40] };
        event.changed(rng)
    }

    fn changed(&self, rng: &mut Rng) -> Event {
        Event {
            source: rng.below(6) as u8,
            value: some(rng, |rng| rng.below(9) as i16 - 4),
            weight: weight(rng),
            note: some(rng, text),
            payload: [rng.below(200) as u8; 40],
            ..*self
        }
    }

    fn primary(&self) -> u64 {
        self.at
    }

    fn columns() -> Columns<Event> {
        let value = |rng: &mut Rng| some(rng, |rng| rng.below(11) as i16 - 5);
        vec![
            typed(Event::SOURCE, |e| Some(e.source), |rng| rng.below(7) as u8),
            typed(Event::VALUE, |e| Some(e.value), value).present(Option::is_some),
            compared(Event::WEIGHT, |e| Some(e.weight), weight, f64::total_cmp),
            typed(Event::NOTE, |e| Some(e.note), |rng| some(rng, text))
                .present(Option::is_some)
                .prefix(|rng, note| {
                    let prefix = beginning(rng, note.as_deref().unwrap_or_default());
                    let predicate = Event::NOTE.prefix(&*prefix);
                    let begins = move |key: &Option<Text<6>>| {
                        key.is_some_and(|key| key.starts_with(&*prefix))
                    };
                    (predicate, Rc::new(begins))
                }),
        ]
    }
}

fn weight(rng: &mut Rng) -> f64 {
    [f64::NEG_INFINITY, -1.5, -0.0, 0.0, 2.25, f64::INFINITY, f64::MIN_POSITIVE]
        [rng.below(7) as usize]
}

#[derive(Field, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i8)]
pub(crate) enum State {
    Lost = -1,
    New = 0,
    Old = 7,
}

fn state(rng: &mut Rng) -> State {
    [State::Lost, State::New, State::Old][rng.below(3) as usize]
}

/// Texts, enums, options and a compound index of three.
#[derive(Groove, Clone, Copy, Debug, PartialEq)]
#[groove(index(by_state_delta = (state, delta)), index(by_all = (sealed, grade, parent)))]
pub(crate) struct Item {
    #[index(primary)]
    name: Text<10>,
    #[index]
    parent: Option<u32>,
    #[index(optional)]
    note: Option<Text<4>>,
    #[groove(ignore)]
    delta: i64,
    #[groove(ignore)]
    state: State,
    #[index]
    grade: char,
    #[index(unique, optional)]
    tag: Text<6>,
    #[index]
    sealed: bool,
    timestamp: u64,
}

impl Kind for Item {
    fn random(rng: &mut Rng, at: u64) -> Item {
        let tag = if rng.chance(40) { String::new() } else { format!("t{at}") };
        let item = Item {
            name: Text::new(&format!("n{at}")).expect("short enough"),
            parent: None,
            note: None,
            delta: 0,
            state: State::New,
            grade: 'a',
            tag: Text::new(&tag).expect("short enough"),
            sealed: false,
            timestamp: 0,
        };
        item.changed(rng)
    }

    fn changed(&self, rng: &mut Rng) -> Item {
        Item {
            parent: some(rng, |rng| rng.below(10) as u32),
            note: some(rng, text),
            delta: [i64::MIN, -1, 0, 1, i64::MAX][rng.below(5) as usize],
            state: state(rng),
            grade: grade(rng),
            sealed: rng.chance(20),
            ..*self
        }
    }

    fn primary(&self) -> Text<10> {
        self.name
    }

    fn columns() -> Columns<Item> {
        let parent = |rng: &mut Rng| some(rng, |rng| rng.below(12) as u32);
        let delta = |rng: &mut Rng| [i64::MIN, -2, -1, 0, 3, i64::MAX][rng.below(6) as usize];
        let named = |rng: &mut Rng| Text::new(&format!("n{}", rng.below(300))).expect("short");
        let tagged = |rng: &mut Rng| Text::new(&format!("t{}", rng.below(300))).expect("short");
        vec![
            typed(Item::NAME, |i| Some(i.name), named).prefix(|rng, name| {
                let prefix = beginning(rng, &name);
                let predicate = Item::NAME.prefix(&prefix);
                (predicate, Rc::new(move |key| key.starts_with(&*prefix)))
            }),
            typed(Item::PARENT, |i| Some(i.parent), parent).present(Option::is_some),
            typed(Item::NOTE, |i| i.note.map(Some), |rng| some(rng, text))
                .present(Option::is_some)
                .prefix(|rng, note| {
                    let prefix = beginning(rng, note.as_deref().unwrap_or_default());
                    let predicate = Item::NOTE.prefix(&*prefix);
                    let begins = move |key: &Option<Text<4>>| {
                        key.is_some_and(|key| key.starts_with(&*prefix))
                    };
                    (predicate, Rc::new(begins))
                }),
            typed(Item::DELTA, |i| Some(i.delta), delta),
            typed(Item::STATE, |i| Some(i.state), state),
            typed(Item::GRADE, |i| Some(i.grade), grade),
            typed(Item::TAG, |i| (!i.tag.is_empty()).then_some(i.tag), tagged).prefix(
                |rng, tag| {
                    let prefix = beginning(rng, &tag);
                    let predicate = Item::TAG.prefix(prefix.clone());
                    (predicate, Rc::new(move |key| key.starts_with(&*prefix)))
                },
            ),
            typed(Item::SEALED, |i| Some(i.sealed), |rng| rng.chance(50)),
            typed(
                Item::BY_STATE_DELTA,
                |i| Some((i.state, i.delta)),
                |rng| (state(rng), rng.below(9) as i64 - 4),
            )
            .prefix(|_, (state, _)| {
                (Item::BY_STATE_DELTA.prefix((state,)), Rc::new(move |key| key.0 == state))
            }),
            typed(
                Item::BY_ALL,
                |i| Some((i.sealed, i.grade, i.parent)),
                |rng| (rng.chance(50), grade(rng), some(rng, |rng| rng.below(10) as u32)),
            )
            .prefix(|rng, (sealed, grade, _)| match rng.chance(50) {
                true => (Item::BY_ALL.prefix((sealed,)), Rc::new(move |key| key.0 == sealed)),
                false => {
                    let predicate = Item::BY_ALL.prefix((sealed, grade));
                    (predicate, Rc::new(move |key| (key.0, key.1) == (sealed, grade)))
                }
            }),
        ]
    }
}

fn grade(rng: &mut Rng) -> char {
    ['a', 'b', 'ß', '\u{10ffff}'][rng.below(4) as usize]
}

#[derive(Field, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Branch(u16);

/// Keys of bytes, newtypes, signed numbers; most fields without an index.
#[derive(Groove, Clone, Copy, Debug, PartialEq)]
#[groove(rest(ignore), orphaned_ids)]
pub(crate) struct Account {
    #[index(primary)]
    id: u64,
    #[index]
    hash: [u8; 20],
    #[index]
    branch: Branch,
    #[index]
    level: i8,
    limit: NonZero<u32>,
    opened: Option<i32>,
    codes: [u16; 3],
    flags: u8,
    timestamp: u64,
}

impl Kind for Account {
    fn random(rng: &mut Rng, at: u64) -> Account {
        let account = Account {
            id: at,
            hash: [0; 20],
            branch: Branch(0),
            level: 0,
            limit: NonZero::<u32>::MIN,
            opened: None,
            codes: [0; 3],
            flags: 0,
            timestamp: 0,
        };
        account.changed(rng)
    }

    fn changed(&self, rng: &mut Rng) -> Account {
        Account {
            hash: hash(rng),
            branch: Branch(rng.below(5) as u16),
            level: rng.below(6) as i8 - 3,
            limit: limit(rng),
            opened: some(rng, |rng| rng.below(5) as i32 - 2),
            codes: codes(rng),
            flags: rng.below(3) as u8,
            ..*self
        }
    }

    fn primary(&self) -> u64 {
        self.id
    }

    fn columns() -> Columns<Account> {
        let opened = |rng: &mut Rng| some(rng, |rng| rng.below(7) as i32 - 3);
        vec![
            typed(Account::ID, |a| Some(a.id), |rng| rng.below(300)),
            typed(Account::HASH, |a| Some(a.hash), hash).prefix(|rng, hash| {
                let length = rng.below(21) as usize;
                let predicate = Account::HASH.prefix(&hash[..length]);
                (predicate, Rc::new(move |key| key[..length] == hash[..length]))
            }),
            typed(Account::BRANCH, |a| Some(a.branch), |rng| Branch(rng.below(6) as u16)),
            typed(Account::LEVEL, |a| Some(a.level), |rng| rng.below(8) as i8 - 4),
            typed(Account::LIMIT, |a| Some(a.limit), limit),
            typed(Account::OPENED, |a| Some(a.opened), opened).present(Option::is_some),
            typed(Account::CODES, |a| Some(a.codes), codes),
            typed(Account::FLAGS, |a| Some(a.flags), |rng| rng.below(4) as u8),
        ]
    }
}

fn hash(rng: &mut Rng) -> [u8; 20] {
    let mut hash = [rng.below(2) as u8 * 255; 20];
    hash[rng.below(20) as usize] = rng.below(3) as u8;
    hash
}

fn limit(rng: &mut Rng) -> NonZero<u32> {
    NonZero::new([1, 2, 300, u32::MAX][rng.below(4) as usize]).expect("not zero")
}

fn codes(rng: &mut Rng) -> [u16; 3] {
    [rng.below(2) as u16, 0x0100 * rng.below(2) as u16, rng.below(3) as u16]
}

/// Hardly anything but derived keys, which no row tells.
#[derive(Groove, Clone, Copy, Debug, PartialEq)]
#[groove(derived(digits: u8 = Mark::digits), derived(shown: Text<4> = Mark::shown))]
pub(crate) struct Mark {
    #[index(primary)]
    id: u32,
    #[groove(ignore)]
    number: u32,
    #[index]
    name: Text<3>,
    timestamp: u64,
}

impl Mark {
    fn digits(&self) -> Option<u8> {
        (self.number > 0).then(|| self.number.ilog10() as u8)
    }

    fn shown(&self) -> Option<Text<4>> {
        (!self.number.is_multiple_of(5)).then(|| decimal(self.number))
    }
}

impl Kind for Mark {
    fn random(rng: &mut Rng, at: u64) -> Mark {
        let mark = Mark { id: at as u32, number: 0, name: Text::default(), timestamp: 0 };
        mark.changed(rng)
    }

    fn changed(&self, rng: &mut Rng) -> Mark {
        Mark { number: rng.below(120) as u32, name: text(rng), ..*self }
    }

    fn primary(&self) -> u32 {
        self.id
    }

    fn columns() -> Columns<Mark> {
        vec![
            typed(Mark::ID, |m| Some(m.id), |rng| rng.below(300) as u32),
            typed(Mark::NUMBER, |m| Some(m.number), |rng| rng.below(121) as u32),
            typed(Mark::NAME, |m| Some(m.name), text).prefix(|rng, name| {
                let prefix = beginning(rng, &name);
                let predicate = Mark::NAME.prefix(&*prefix);
                (predicate, Rc::new(move |key| key.starts_with(&*prefix)))
            }),
            typed(Mark::DIGITS, Mark::digits, |rng| rng.below(4) as u8),
            typed(Mark::SHOWN, Mark::shown, |rng| decimal(rng.below(121) as u32)).prefix(
                |rng, shown| {
                    let prefix = beginning(rng, &shown);
                    let predicate = Mark::SHOWN.prefix(&*prefix);
                    (predicate, Rc::new(move |key| key.starts_with(&*prefix)))
                },
            ),
        ]
    }
}

fn decimal(number: u32) -> Text<4> {
    Text::new(&number.to_string()).expect("short enough")
}
