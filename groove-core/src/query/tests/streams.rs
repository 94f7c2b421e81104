//! Streams of any shape against the timestamps that they stand for, whatever they are asked for in turn.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::error::QueryError;
use crate::query::key_range::{EncodedKey, KeyRange, RangeSet};
use crate::query::row_key::{ReadKey, RowKey};
use crate::query::stream::{
    BoxStream, Filter, Filtered, Intersection, ObjectScan, Stream, Union, Window,
};
use crate::tree::{Direction, TreeRead};

use super::Random;
use super::item::{Item, view_of};

/// A stream of given ranks. Asked for less than before, it stands where it is, as a scan does.
struct Ranks {
    ranks: Vec<u64>,
    target: u64,
    density: Option<f64>,
}

impl Ranks {
    fn boxed(ranks: &[u64], density: Option<f64>) -> BoxStream {
        Box::new(Ranks { ranks: ranks.to_vec(), target: 0, density })
    }

    fn from(&mut self, target: u64) -> &[u64] {
        self.target = self.target.max(target);
        &self.ranks[self.ranks.partition_point(|rank| *rank < self.target)..]
    }
}

impl Stream for Ranks {
    fn seek(&mut self, target: u64) -> Result<Option<u64>, QueryError> {
        Ok(self.from(target).first().copied())
    }

    fn fill(&mut self, target: u64, count: usize, out: &mut Vec<u64>) -> Result<(), QueryError> {
        let begin = out.len();
        out.extend(self.from(target).iter().take(count));
        self.target = out[begin..].last().copied().unwrap_or(self.target);
        Ok(())
    }

    fn retain(&mut self, ranks: &mut Vec<u64>) -> Result<(), QueryError> {
        let Some(last) = ranks.last().copied() else { return Ok(()) };
        ranks.retain(|rank| *rank >= self.target && self.ranks.binary_search(rank).is_ok());
        self.from(last);
        Ok(())
    }

    fn density(&self) -> Option<f64> {
        self.density
    }
}

/// What is made, and the ranks that it has.
type Made<T> = (T, Vec<u64>);

fn separate<T>(parts: Vec<Made<T>>) -> (Vec<T>, Vec<Vec<u64>>) {
    parts.into_iter().unzip()
}

fn in_all(all: &[u64], parts: &[Vec<u64>]) -> Vec<u64> {
    let has = |rank: &u64| parts.iter().all(|part| part.binary_search(rank).is_ok());
    all.iter().copied().filter(has).collect()
}

fn in_any(all: &[u64], parts: &[Vec<u64>]) -> Vec<u64> {
    let has = |rank: &u64| parts.iter().any(|part| part.binary_search(rank).is_ok());
    all.iter().copied().filter(has).collect()
}

fn leaf(random: &mut Random, all: &[u64]) -> Made<BoxStream> {
    let part = random.of(&[1, 2, 3, 10, 50, 400]);
    let ranks: Vec<u64> = all.iter().copied().filter(|_| random.one_in(part)).collect();
    // Some know how dense they are, and some are wrong.
    let density = random.of(&[None, Some(ranks.len() as f64), Some(part as f64)]);
    (Ranks::boxed(&ranks, density), ranks)
}

fn filter(random: &mut Random, all: &[u64], depth: usize) -> Made<Filter> {
    let parts = |random: &mut Random| {
        let parts = (0..random.below(4)).map(|_| filter(random, all, depth - 1));
        separate(parts.collect())
    };
    match if depth == 0 { 0 } else { random.below(4) } {
        0 => {
            let (stream, ranks) = leaf(random, all);
            (Filter::Member(stream), ranks)
        }
        1 => {
            let (filters, ranks) = parts(random);
            (Filter::All(filters), in_all(all, &ranks))
        }
        2 => {
            let (filters, ranks) = parts(random);
            (Filter::Any(filters), in_any(all, &ranks))
        }
        _ => {
            let (part, ranks) = filter(random, all, depth - 1);
            let others = all.iter().copied().filter(|rank| ranks.binary_search(rank).is_err());
            (Filter::Not(Box::new(part)), others.collect())
        }
    }
}

fn stream(
    random: &mut Random,
    all: &[u64],
    depth: usize,
    objects: &Arc<dyn TreeRead>,
) -> Made<BoxStream> {
    let parts = |random: &mut Random, count: u64| {
        let parts = (0..count).map(|_| stream(random, all, depth - 1, objects));
        separate(parts.collect())
    };
    match if depth == 0 { 0 } else { random.below(5) } {
        0 => leaf(random, all),
        1 => {
            let count = 1 + random.below(3);
            let (streams, ranks) = parts(random, count);
            (Box::new(Intersection::new(streams)), in_all(all, &ranks))
        }
        2 => {
            let count = random.below(4);
            let (streams, ranks) = parts(random, count);
            (Box::new(Union::new(streams)), in_any(all, &ranks))
        }
        _ => {
            let (source, given) = stream(random, all, depth - 1, objects);
            let (filter, met) = filter(random, all, 2);
            let ranks = in_all(all, &[given, met]);
            let mut filtered =
                Filtered::new(source, filter, None, Direction::Ascending, objects.clone());
            if random.one_in(4) {
                filtered.hedge(random.below(200), Ranks::boxed(&ranks, None));
            }
            (Box::new(filtered), ranks)
        }
    }
}

/// Asks a stream that stands for `ranks`, which are some of `all`, for this and that, and compares the answers. Counts
/// seeks, fills and retains.
fn ask(
    random: &mut Random,
    stream: &mut BoxStream,
    (all, ranks): (&[u64], &[u64]),
    about: &str,
    asked: &mut [u64; 3],
) {
    // What has been a target, and the last answer, which is given again for a target before it.
    let (mut target, mut answer) = (0, 0);
    for step in 0..200 {
        let what = random.below(3) as usize;
        let context = format!("{about}, step {step}");
        asked[what] += 1;
        if what == 2 {
            let (part, most) = (random.of(&[1, 2, 5]), random.of(&[1, 5, 40]));
            let candidates = all.iter().copied().filter(|rank| *rank >= target);
            let mut kept: Vec<u64> =
                candidates.filter(|_| random.one_in(part)).take(most).collect();
            let Some(last) = kept.last().copied() else { continue };
            let expected = in_all(&kept, &[ranks.to_vec()]);
            stream.retain(&mut kept).expect("no read fails");
            assert_eq!(kept, expected, "{context}: kept");
            target = last;
            answer = expected.last().copied().unwrap_or(answer);
            continue;
        }
        target += random.of(&[0, 0, 1, 1, 2, 7, 30]);
        let from = target.max(answer);
        let left = &ranks[ranks.partition_point(|rank| *rank < from)..];
        if what == 0 {
            let found = stream.seek(target).expect("no read fails");
            assert_eq!(found, left.first().copied(), "{context}: a seek to {target}");
            let Some(found) = found else { break };
            answer = found;
        } else {
            let count = random.of(&[1, 3, 15, 16, 17, 40, 200]);
            let mut found = vec![u64::MAX];
            stream.fill(target, count, &mut found).expect("no read fails");
            let expected = &left[..count.min(left.len())];
            assert_eq!(found[1..], *expected, "{context}: {count} from {target}");
            if expected.len() < count {
                break;
            }
            answer = expected[count - 1];
            target = target.max(answer);
        }
    }
}

#[test]
fn streams_of_any_shape_give_what_they_stand_for_however_they_are_asked() {
    println!("a seed alone: GROOVE_SEED=… cargo test streams_of_any_shape");
    let seed = std::env::var("GROOVE_SEED").ok().and_then(|seed| seed.parse().ok());
    let (view, _) = view_of(&[]);
    let mut asked = [0; 3];
    for seed in seed.map_or(0..8_000, |seed: u64| seed..seed + 1) {
        let random = &mut Random(seed);
        let part = random.of(&[1, 3]);
        let all: Vec<u64> = (1..600).filter(|_| random.one_in(part)).collect();
        let (mut stream, ranks) = stream(random, &all, 3, &view.object_tree);
        ask(random, &mut stream, (&all, &ranks), &format!("seed {seed}"), &mut asked);
    }
    println!("seeks, fills, retains: {asked:?}");
    assert!(seed.is_some() || asked.iter().all(|asked| *asked > 10_000), "{asked:?}");
}

/// Rows of a scan are tested together as far as they are at hand: by lanes, and as whole keys, in both directions.
#[test]
fn rows_that_are_at_hand_together_are_found_however_they_are_asked_for() {
    println!("a seed alone: GROOVE_SEED=… cargo test rows_that_are_at_hand");
    let seed = std::env::var("GROOVE_SEED").ok().and_then(|seed| seed.parse().ok());
    let mut asked = [0; 3];
    for seed in seed.map_or(0..600, |seed: u64| seed..seed + 1) {
        let random = &mut Random(seed);
        let part = random.of(&[1, 3]);
        let numbers = random.of(&[1, 2, 5, 40]);
        let timestamps: Vec<u64> = (1..300).filter(|_| random.one_in(part)).collect();
        let item = |timestamp: u64| Item {
            id: timestamp.into(),
            code: timestamp,
            wide: random.below(numbers),
            timestamp,
            ..Item::default()
        };
        let items: Vec<Item> = timestamps.into_iter().map(item).collect();
        let (view, device) = view_of(&items);
        device.more_at_hand.store(random.of(&[0, 1, 6, 50]), Relaxed);
        let direction = random.of(&[Direction::Ascending, Direction::Descending]);
        let wanted: Vec<u64> = (0..numbers).filter(|_| random.one_in(2)).collect();
        let ranges = wanted.iter().map(|number| {
            let key = EncodedKey::from_u64(*number);
            KeyRange::new(key, key).expect("it is one key")
        });
        let set = RangeSet::from_ranges(ranges.collect());
        let field = view.schema.fields.iter().find(|field| field.name == "wide");
        let lane = RowKey::of_field(field.expect("a field"), ReadKey::of::<u64>());
        let lanes = || Filter::of_row(lane.clone(), set.clone());
        // The same, not as a number.
        let key = RowKey::Field { field: field.expect("a field"), read: ReadKey::of::<u64>() };
        let filter = match random.below(3) {
            0 => lanes(),
            1 => Filter::Row(key, set.clone()),
            _ => Filter::All(vec![lanes(), Filter::Row(key, set.clone())]),
        };
        let rank = |item: &Item| direction.rank(item.timestamp);
        let is_wanted = |item: &&Item| wanted.contains(&item.wide);
        let mut all: Vec<u64> = items.iter().map(rank).collect();
        let mut ranks: Vec<u64> = items.iter().filter(is_wanted).map(rank).collect();
        // Ranks as low as those that are asked for.
        let least = direction.rank(if direction == Direction::Ascending { 0 } else { 300 });
        all.sort_unstable();
        ranks.sort_unstable();
        let scan = ObjectScan::new(view.object_tree.clone(), Window::ALL, direction);
        let mut filtered =
            Filtered::new(Box::new(scan), filter, None, direction, view.object_tree.clone());
        if random.one_in(2) {
            filtered.hedge(random.below(200), Ranks::boxed(&ranks, None));
        }
        let mut stream: BoxStream = Box::new(Offset { stream: Box::new(filtered), least });
        let less = |ranks: Vec<u64>| ranks.iter().map(|rank| rank - least).collect::<Vec<u64>>();
        let (all, ranks) = (less(all), less(ranks));
        let about = format!("seed {seed}, {direction:?}");
        ask(random, &mut stream, (&all, &ranks), &about, &mut asked);
    }
    println!("seeks, fills, retains: {asked:?}");
    assert!(seed.is_some() || asked.iter().all(|asked| *asked > 1_000), "{asked:?}");
}

/// A stream whose ranks are so much lower.
struct Offset {
    stream: BoxStream,
    least: u64,
}

impl Stream for Offset {
    fn seek(&mut self, target: u64) -> Result<Option<u64>, QueryError> {
        let found = self.stream.seek(target.saturating_add(self.least))?;
        Ok(found.map(|rank| rank - self.least))
    }

    fn fill(&mut self, target: u64, count: usize, out: &mut Vec<u64>) -> Result<(), QueryError> {
        let begin = out.len();
        self.stream.fill(target.saturating_add(self.least), count, out)?;
        out[begin..].iter_mut().for_each(|rank| *rank -= self.least);
        Ok(())
    }

    fn retain(&mut self, ranks: &mut Vec<u64>) -> Result<(), QueryError> {
        ranks.iter_mut().for_each(|rank| *rank += self.least);
        self.stream.retain(ranks)?;
        ranks.iter_mut().for_each(|rank| *rank -= self.least);
        Ok(())
    }
}
