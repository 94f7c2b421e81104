//! The structs: keys of all widths and kinds, with and without a primary key, unique, optional,
//! compound and derived indexes, and fields without one.

use groove::{Forest, Groove, Object, Text};
use groove_core::proof::Random;

use super::domain::{Condition, Domain, same_key};
use super::shape::{Question, Shape, question, shape};

/// Three fields and one index; the timestamp is the key.
#[derive(Groove, Clone, Copy, Debug)]
pub(crate) struct Small {
    #[index]
    kind: u8,
    #[groove(ignore)]
    amount: i32,
    timestamp: u64,
}

shape!(
    Small, primary timestamp,
    unique [],
    fixed [],
    fields [kind, amount],
    keys [
        KIND: |object| Some(object.kind),
        AMOUNT: |object| Some(object.amount),
    ]
);

/// A timestamp and nothing that is indexed.
#[derive(Groove, Clone, Copy, Debug)]
pub(crate) struct Bare {
    #[groove(ignore)]
    load: [u8; 12],
    #[groove(ignore)]
    flag: bool,
    timestamp: u64,
}

shape!(
    Bare, primary timestamp,
    unique [],
    fixed [],
    fields [load, flag],
    keys [
        LOAD: |object| Some(object.load),
        FLAG: |object| Some(object.flag),
    ]
);

/// Keys with signs.
#[derive(Groove, Clone, Copy, Debug)]
#[groove(index(both = (low, high)))]
pub(crate) struct Signed {
    #[index(primary)]
    id: i64,
    #[index]
    low: i8,
    #[index(optional)]
    high: i16,
    #[index]
    balance: i128,
    #[groove(ignore)]
    note: [i32; 3],
    timestamp: u64,
}

shape!(
    Signed, primary id,
    unique [ID: |object| Some(object.id)],
    fixed [id],
    fields [low, high, balance, note],
    keys [
        LOW: |object| Some(object.low),
        HIGH: |object| Some(object.high).filter(|key| *key != 0),
        BALANCE: |object| Some(object.balance),
        BOTH: |object| Some((object.low, object.high)),
        NOTE: |object| Some(object.note),
    ]
);

/// Numbers with a fraction, and optional ones.
#[derive(Groove, Clone, Copy, Debug)]
pub(crate) struct Scored {
    #[index(primary)]
    id: u32,
    #[index]
    score: f64,
    #[index]
    rank: Option<u16>,
    #[index(optional)]
    place: Option<i32>,
    #[groove(ignore)]
    weight: f64,
    #[groove(ignore)]
    won: Option<bool>,
    timestamp: u64,
}

shape!(
    Scored, primary id,
    unique [ID: |object| Some(object.id)],
    fixed [id],
    fields [score, rank, place, weight, won],
    keys [
        SCORE: |object| Some(object.score),
        RANK: |object| Some(object.rank),
        PLACE: |object| object.place.map(Some),
        WEIGHT: |object| Some(object.weight),
        WON: |object| Some(object.won),
    ]
);

/// Texts as keys, of the object too.
#[derive(Groove, Clone, Copy, Debug)]
#[groove(index(by_town_name = (town, name)))]
pub(crate) struct Named {
    #[index(primary)]
    code: Text<5>,
    #[index(optional)]
    name: Text<20>,
    #[index]
    town: Text<2>,
    #[index(unique, optional)]
    alias: Text<9>,
    #[groove(ignore)]
    remark: Text<30>,
    timestamp: u64,
}

shape!(
    Named, primary code,
    unique [CODE: |object| Some(object.code), ALIAS: |object| Some(object.alias).filter(|key| !key.is_empty())],
    fixed [code, alias],
    fields [name, town, remark],
    keys [
        NAME: |object| Some(object.name).filter(|key| !key.is_empty()),
        TOWN: |object| Some(object.town),
        REMARK: |object| Some(object.remark),
        BY_TOWN_NAME: |object| Some((object.town, object.name)),
    ]
);

/// The widest numbers, unique twice.
#[derive(Groove, Clone, Copy, Debug)]
#[groove(derived(total: u64 = Long::total))]
#[groove(index(three = (small, wide, medium)))]
pub(crate) struct Long {
    #[index(primary)]
    id: u128,
    #[index(unique, optional)]
    receipt: u128,
    #[index]
    wide: u128,
    #[groove(ignore)]
    small: u8,
    #[groove(ignore)]
    medium: u32,
    timestamp: u64,
}

shape!(
    Long, primary id,
    unique [ID: |object| Some(object.id), RECEIPT: |object| Some(object.receipt).filter(|key| *key != 0)],
    fixed [id, receipt],
    fields [wide, small, medium],
    keys [
        WIDE: |object| Some(object.wide),
        SMALL: |object| Some(object.small),
        MEDIUM: |object| Some(object.medium),
        THREE: |object| Some((object.small, object.wide, object.medium)),
        TOTAL: Long::total,
    ]
);

impl Long {
    fn total(&self) -> Option<u64> {
        (self.small != 3).then(|| u64::from(self.medium) + u64::from(self.small))
    }
}

/// 40 fields and 20 indexes.
#[derive(Groove, Clone, Copy, Debug)]
pub(crate) struct Wide {
    #[index(primary)]
    id: u64,
    #[index]
    k00: u8,
    #[index(optional)]
    k01: u16,
    #[index]
    k02: u32,
    #[index]
    k03: u64,
    #[index(optional)]
    k04: u128,
    #[index]
    k05: i8,
    #[index]
    k06: i16,
    #[index(optional)]
    k07: i32,
    #[index]
    k08: i64,
    #[index]
    k09: bool,
    #[index(optional)]
    k10: u8,
    #[index]
    k11: u16,
    #[index]
    k12: u32,
    #[index(optional)]
    k13: u64,
    #[index]
    k14: u128,
    #[index]
    k15: i8,
    #[index(optional)]
    k16: i16,
    #[index]
    k17: i32,
    #[index]
    k18: i64,
    #[groove(ignore)]
    f00: u8,
    #[groove(ignore)]
    f01: u16,
    #[groove(ignore)]
    f02: u32,
    #[groove(ignore)]
    f03: u64,
    #[groove(ignore)]
    f04: u128,
    #[groove(ignore)]
    f05: i8,
    #[groove(ignore)]
    f06: i16,
    #[groove(ignore)]
    f07: i32,
    #[groove(ignore)]
    f08: i64,
    #[groove(ignore)]
    f09: bool,
    #[groove(ignore)]
    f10: f64,
    #[groove(ignore)]
    f11: Option<u32>,
    #[groove(ignore)]
    f12: Text<7>,
    #[groove(ignore)]
    f13: [u16; 2],
    #[groove(ignore)]
    f14: u8,
    #[groove(ignore)]
    f15: u16,
    #[groove(ignore)]
    f16: u32,
    #[groove(ignore)]
    f17: u64,
    #[groove(ignore)]
    f18: u128,
    timestamp: u64,
}

shape!(
    Wide, primary id,
    unique [ID: |object| Some(object.id)],
    fixed [id],
    fields [k00, k01, k02, k03, k04, k05, k06, k07, k08, k09, k10, k11, k12, k13, k14, k15, k16, k17, k18, f00, f01, f02, f03, f04, f05, f06, f07, f08, f09, f10, f11, f12, f13, f14, f15, f16, f17, f18],
    keys [
        K00: |object| Some(object.k00),
        K01: |object| Some(object.k01).filter(|key| *key != 0),
        K02: |object| Some(object.k02),
        K03: |object| Some(object.k03),
        K04: |object| Some(object.k04).filter(|key| *key != 0),
        K05: |object| Some(object.k05),
        K06: |object| Some(object.k06),
        K07: |object| Some(object.k07).filter(|key| *key != 0),
        K08: |object| Some(object.k08),
        K09: |object| Some(object.k09),
        K10: |object| Some(object.k10).filter(|key| *key != 0),
        K11: |object| Some(object.k11),
        K12: |object| Some(object.k12),
        K13: |object| Some(object.k13).filter(|key| *key != 0),
        K14: |object| Some(object.k14),
        K15: |object| Some(object.k15),
        K16: |object| Some(object.k16).filter(|key| *key != 0),
        K17: |object| Some(object.k17),
        K18: |object| Some(object.k18),
        F00: |object| Some(object.f00),
        F01: |object| Some(object.f01),
        F02: |object| Some(object.f02),
        F03: |object| Some(object.f03),
        F04: |object| Some(object.f04),
        F05: |object| Some(object.f05),
        F06: |object| Some(object.f06),
        F07: |object| Some(object.f07),
        F08: |object| Some(object.f08),
        F09: |object| Some(object.f09),
        F10: |object| Some(object.f10),
        F11: |object| Some(object.f11),
        F12: |object| Some(object.f12),
        F13: |object| Some(object.f13),
        F14: |object| Some(object.f14),
        F15: |object| Some(object.f15),
        F16: |object| Some(object.f16),
        F17: |object| Some(object.f17),
        F18: |object| Some(object.f18),
    ]
);

/// Two grooves, of which one has no index.
#[derive(Forest)]
pub(crate) struct Depot {
    pub(crate) named: Groove<Named>,
    pub(crate) bare: Groove<Bare>,
}

/// Four grooves, two of them of one struct.
#[derive(Forest)]
pub(crate) struct Ledger {
    pub(crate) long: Groove<Long>,
    pub(crate) first: Groove<Signed>,
    pub(crate) second: Groove<Signed>,
    pub(crate) small: Groove<Small>,
}
