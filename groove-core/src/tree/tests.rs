//! Scans of runs and levels, merged, against a `BTreeMap`.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use crate::grid::{Extent, Grid};
use crate::memory::{Pick, Run, Usage};
use crate::storage::{MemoryStorage, Storage};
use crate::table::{Chunk, TableBuilder, TableLayout, TableRecord, TreeMeta, plain_lanes};

use super::any::AnyTree;
use super::read::{Direction, TreeRead};
use super::{Tree, TreeVersion};

const KEYS: u64 = 6_000;
const PAYLOAD_WIDTH: usize = 21;

/// Numbers that a seed determines (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) % end
    }
}

type Values = BTreeMap<u64, Option<[u8; PAYLOAD_WIDTH]>>;

/// Some values in a part of the keys; `None` is a tombstone.
fn values(random: &mut Random) -> Values {
    let (from, length) = (random.below(KEYS), 1 + random.below(3_000));
    let (step, tombstones) = (1 + random.below(4), [0, 0, 2, 40][random.below(4) as usize]);
    let keys = (from..(from + length).min(KEYS)).step_by(step as usize);
    let value = |key: u64| {
        let mut payload = [0; PAYLOAD_WIDTH];
        payload[..8].copy_from_slice(&(key * 3).to_le_bytes());
        payload[8..16].copy_from_slice(&random.below(1 << 20).to_le_bytes());
        payload[16] = random.below(7) as u8;
        (key, (random.below(100) >= tombstones).then_some(payload))
    };
    keys.map(value).collect()
}

/// Of a tree whose payloads are the first `width` bytes.
fn meta(width: usize) -> Arc<TreeMeta> {
    let layout = TableLayout::new(8, width, 1, false, 8192, 16).unwrap();
    Arc::new(TreeMeta {
        id: 1,
        name: "items.objects".into(),
        usage: Usage::Map,
        key_width: 8,
        payload_width: width,
        lanes: plain_lanes(width),
        filter: false,
        layout,
        template: Default::default(),
    })
}

fn run(values: &Values, width: usize) -> Run<1> {
    let keys = values.keys().map(|key| [*key]).collect();
    let tombstones = values.values().map(Option::is_none).collect();
    let payload = values
        .values()
        .flat_map(|value| value.unwrap_or([0; PAYLOAD_WIDTH]).into_iter().take(width));
    Run::from_sorted(keys, tombstones, payload.collect(), width)
}

/// Writes the values as a table of this level.
fn table(
    meta: &Arc<TreeMeta>,
    storage: &MemoryStorage,
    level: u32,
    values: &Values,
) -> TableRecord {
    let mut chunk = Chunk::<1>::new(meta);
    for (key, value) in values {
        chunk.keys.push([*key]);
        chunk.tombstones.push(value.is_none());
        for (lane, place) in chunk.lanes.iter_mut().zip(&meta.lanes) {
            lane.push(place.read(&value.unwrap_or([0; PAYLOAD_WIDTH])));
        }
    }
    let sectors = meta.layout.table_sectors(values.len());
    let extent = Extent { address: u64::from(level + 1) << 20, sectors };
    let mut builder = TableBuilder::new(meta.clone(), extent, [3; 16], 9);
    let picks: Vec<Pick> = (0..values.len()).map(Pick::newer).collect();
    builder.append(&chunk, &Chunk::new(meta), &picks);
    let built = builder.finish(None).unwrap();
    storage.write_at(built.record.address, &built.bytes).unwrap();
    TableRecord { level, ..built.record }
}

/// Two levels and up to three runs, and what is visible of them.
fn version(
    random: &mut Random,
    width: usize,
) -> (Arc<TreeVersion<1>>, BTreeMap<u64, [u8; PAYLOAD_WIDTH]>) {
    let (meta, storage) = (meta(width), MemoryStorage::new());
    let [deep, shallow] = [values(random), values(random)];
    let records = [table(&meta, &storage, 0, &shallow), table(&meta, &storage, 1, &deep)];
    let grid = Arc::new(Grid::new(Arc::new(storage), [3; 16], 1 << 20));
    let mut tree = Tree::<1>::new(meta, grid);
    tree.restore(&records).unwrap();
    let mut version = tree.tip.clone();
    let mut all = deep;
    all.extend(shallow);
    for _ in 0..random.below(4) {
        let newer = values(random);
        version = Arc::new(version.with_changes(run(&newer, width)));
        all.extend(newer);
    }
    let visible = all.into_iter().filter_map(|(key, value)| Some((key, value?)));
    (version, visible.collect())
}

#[test]
fn a_scan_gives_what_is_visible_between_any_steps_and_searches() {
    println!("a seed alone: GROOVE_SEED=… cargo test a_scan_gives_what_is_visible");
    let seed = std::env::var("GROOVE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = seed.map_or(0..250, |seed: u64| seed..seed + 1);
    let (mut given, mut searches) = (0, 0);
    for seed in seeds {
        let random = &mut Random(seed);
        // Entries of an index have no payload.
        let width = if random.below(4) == 0 { 0 } else { PAYLOAD_WIDTH };
        let (version, visible) = version(random, width);
        for _ in 0..20 {
            let (a, b) = (random.below(KEYS + 1), random.below(KEYS + 1));
            let (min, max) = (a.min(b), a.max(b));
            let direction = match random.below(2) {
                0 => Direction::Ascending,
                _ => Direction::Descending,
            };
            let mut scan = version.clone().scan(&[min], &[max], direction);
            // Of each value nothing is asked for, or what is tested, or all of it, or both.
            let tested = (width > 0 && random.below(2) == 0).then(|| {
                let begin = random.below(width as u64) as usize;
                begin..begin + 1 + random.below((width - begin) as u64) as usize
            });
            scan.test(tested.as_slice());
            let wanted = 1 + random.below(20);
            let all = (Bound::Unbounded, Bound::Unbounded);
            // What is left of the range.
            let mut left = (Bound::Included(min), Bound::Included(max));
            loop {
                if random.below(10) == 0 {
                    let near = [3, 40, 400, KEYS][random.below(4) as usize];
                    let steps = random.below(near);
                    let target = match (direction, left) {
                        (Direction::Ascending, (Bound::Included(at) | Bound::Excluded(at), _)) => {
                            at + steps
                        }
                        (_, (_, Bound::Included(at) | Bound::Excluded(at))) => {
                            at.saturating_sub(steps)
                        }
                        _ => unreachable!("ranges have ends"),
                    };
                    scan.seek(&[target]).unwrap();
                    searches += 1;
                    match direction {
                        Direction::Ascending if steps > 0 => left.0 = Bound::Included(target),
                        Direction::Descending if steps > 0 => left.1 = Bound::Included(target),
                        _ => {}
                    }
                }
                let is_empty = match left {
                    (Bound::Included(min), Bound::Included(max)) => min > max,
                    (
                        Bound::Included(min) | Bound::Excluded(min),
                        Bound::Included(max) | Bound::Excluded(max),
                    ) => min >= max,
                    _ => false,
                };
                let mut range = visible.range(if is_empty { all } else { left });
                let expected = match direction {
                    _ if is_empty => None,
                    Direction::Ascending => range.next(),
                    Direction::Descending => range.next_back(),
                };
                let found = scan.advance().unwrap();
                let context = || format!("seed {seed}: {direction:?}, {min}..={max}, {left:?}");
                assert_eq!(found, expected.is_some(), "{}", context());
                let Some((key, payload)) = expected else { break };
                let payload = &payload[..width];
                assert_eq!(scan.key(), [*key], "{}", context());
                if let Some(part) = tested.clone().filter(|_| random.below(4) > 0) {
                    let found = &scan.tested()[part.clone()];
                    assert_eq!(found, &payload[part.clone()], "{}: {part:?}", context());
                }
                if random.below(wanted) == 0 {
                    assert_eq!(scan.value(), (&[*key][..], payload), "{}", context());
                }
                given += 1;
                match direction {
                    Direction::Ascending => left.0 = Bound::Excluded(*key),
                    Direction::Descending => left.1 = Bound::Excluded(*key),
                }
            }
            assert!(!scan.advance().unwrap(), "seed {seed}: it ended");
        }
    }
    println!("{given} values, {searches} searches");
    assert!(seed.is_some() || given > 100_000 && searches > 10_000, "{given}, {searches}");
}
