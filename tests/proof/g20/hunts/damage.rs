//! As G4 and G5: a file with a byte flipped, with sectors exchanged, or with a copy of the superblock
//! from another moment.

use std::fmt::Debug;

use groove::Predicate;

use super::compare::compare;
use super::device::Device;
use super::store::{IDS, Model, Order, SHELVES, StoreSnapshot, id};
use super::{Rng, Script};

const SECTOR: usize = 4096;
const SUPERBLOCK_COPIES: usize = 4;
const SCOPES: u64 = 60;
const FLIPS: u64 = 40;
const EXCHANGES: u64 = 15;

pub(super) fn hunt(seed: u64) {
    let mut rng = Rng::new(seed);
    let mut script = Script::create(Rng::new(rng.next()), false);
    for _ in 0..SCOPES / 2 {
        script.step().unwrap();
    }
    let earlier = script.device.bytes();
    for _ in 0..SCOPES / 2 {
        script.step().unwrap();
    }
    script.forest.sync().unwrap();
    let file = closed(&script);
    for _ in 0..FLIPS {
        let mut damaged = file.clone();
        let sectors: Vec<&[u8]> = file.chunks(SECTOR).collect();
        let used: Vec<usize> =
            (0..sectors.len()).filter(|at| sectors[*at].iter().any(|byte| *byte != 0)).collect();
        let sector = used[rng.below(used.len() as u64) as usize];
        // Most of the bytes that are in use are at the beginning of a sector.
        let range = if rng.chance(50) { SECTOR as u64 } else { 256 };
        let within = rng.below(range) as usize;
        damaged[sector * SECTOR + within] ^= 1 << rng.below(8);
        check(damaged, &script);
    }
    for _ in 0..EXCHANGES {
        let mut damaged = file.clone();
        let sectors = (file.len() / SECTOR) as u64;
        let [a, b] = [rng.below(sectors), rng.below(sectors)].map(|at| at as usize * SECTOR);
        damaged[a..a + SECTOR].copy_from_slice(&file[b..b + SECTOR]);
        damaged[b..b + SECTOR].copy_from_slice(&file[a..a + SECTOR]);
        check(damaged, &script);
    }
    superblocks(&file, &earlier, &mut script, &mut rng);
}

/// The file as it is when it is closed.
fn closed(script: &Script) -> Vec<u8> {
    let device = Device::of(script.device.bytes());
    let model = script.model().clone();
    let copy = Script::open(&device, &script.setting, Rng::new(0), |_| model).unwrap();
    copy.forest.close().unwrap();
    device.bytes()
}

/// One copy is from another moment: the other three say what counts.
fn superblocks(file: &[u8], earlier: &[u8], script: &mut Script, rng: &mut Rng) {
    let (op, model) = (script.op(), script.model().clone());
    for _ in 0..SCOPES / 2 {
        script.step().unwrap();
    }
    script.forest.checkpoint().unwrap();
    let later = script.device.bytes();
    for from in [earlier, &later] {
        let mut mixed = file.to_vec();
        let at = rng.below(SUPERBLOCK_COPIES as u64) as usize * SECTOR;
        mixed[at..at + SECTOR].copy_from_slice(&from[at..at + SECTOR]);
        let opened = Script::open(&Device::of(mixed), &script.setting, Rng::new(0), |found| {
            assert_eq!(found, op, "the op of the three copies that agree");
            model.clone()
        })
        .unwrap();
        compare(&opened.forest.snapshot(), &model, rng, 1);
    }
}

/// Everything is right, or an error.
fn check(damaged: Vec<u8>, script: &Script) {
    let device = Device::of(damaged);
    let opened = Script::open(&device, &script.setting, Rng::new(0), |op| {
        assert_eq!(op, script.op(), "a closed file lost ops without an error");
        script.model().clone()
    });
    if let Ok(opened) = opened {
        right_or_error(&opened.forest.snapshot(), opened.model());
    }
}

fn right<T: PartialEq + Debug, E>(found: Result<T, E>, expected: T) {
    if let Ok(found) = found {
        assert_eq!(found, expected, "a damaged file gives something else");
    }
}

fn right_or_error(snapshot: &StoreSnapshot, model: &Model) {
    let orders: Vec<Order> = model.orders.values().copied().collect();
    let all = snapshot.orders.query(Predicate::all());
    right(all.collect().map(|page| page.into_vec()), orders.clone());
    let events = snapshot.events.query(Predicate::all());
    let expected = model.events.values().copied().collect();
    right(events.collect().map(|page| page.into_vec()), expected);
    for id in (0..IDS).map(id) {
        let expected = model.ids.get(&id).map(|timestamp| model.orders[timestamp]);
        right(snapshot.orders.get(id), expected);
    }
    for shelf in 0..SHELVES as u8 {
        let expected: Vec<Order> = orders.iter().filter(|o| o.shelf == shelf).copied().collect();
        right(snapshot.orders.count(Order::SHELF.eq(shelf)), expected.len() as u64);
        let query = snapshot.orders.query(Order::SHELF.eq(shelf));
        right(query.collect().map(|page| page.into_vec()), expected);
    }
}
