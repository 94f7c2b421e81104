//! Tables of random values: what was put in comes back, for every width, and no bytes make a reader
//! panic.

use std::ops::Range;
use std::sync::Arc;

use bytemuck::Zeroable;

use super::*;
use crate::error::BlockKind;
use crate::grid::{BLOCK_HEADER_SIZE, BlockBytes, BlockHeader};
use crate::memory::Pick;
use crate::storage::{MemoryStorage, Storage};

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

fn seed() -> u64 {
    let seed = std::env::var("GROOVE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(20_261_125);
    println!("run again with GROOVE_SEED={seed}");
    seed
}

/// How the words of a lane follow each other.
#[derive(Debug, Clone, Copy)]
enum Words {
    Constant(u64),
    /// A constant that does not last: blocks of one table differ in what is constant.
    ConstantUntil(u64, u64),
    Steps(u64, u64),
    /// Steps so wide that the words wrap around, once or at every step.
    Wide(u64, u64),
    Small(u64, u64),
    /// A walk upwards with uneven steps.
    Rising(u64, u64),
    /// Small numbers around the sign change.
    Signed,
    Anything,
}

impl Words {
    fn choose(random: &mut Random) -> Words {
        let bits = random.below(64);
        match random.below(8) {
            7 => Words::ConstantUntil(random.next() >> bits, random.below(2_000)),
            0 => Words::Constant(random.next() >> bits),
            1 => Words::Steps(random.next() >> bits, random.below(5)),
            6 => Words::Wide(random.next(), random.next() >> random.below(16)),
            2 => Words::Small(random.next() >> bits, 1 + random.below(1 << (bits % 40))),
            3 => Words::Rising(random.next() >> bits, 1 + random.below(1 << (bits % 50))),
            4 => Words::Signed,
            _ => Words::Anything,
        }
    }

    fn at(self, i: u64, random: &mut Random) -> u64 {
        match self {
            Words::Constant(word) => word,
            Words::ConstantUntil(word, until) if i < until => word,
            Words::ConstantUntil(word, _) => word.wrapping_add(random.below(1_000)),
            Words::Steps(base, step) | Words::Wide(base, step) => {
                base.wrapping_add(step.wrapping_mul(i))
            }
            Words::Small(base, range) => base.wrapping_add(random.below(range)),
            Words::Rising(base, gap) => {
                base.wrapping_add(gap.wrapping_mul(i)).wrapping_add(random.below(gap))
            }
            Words::Signed => random.below(200).wrapping_sub(100),
            Words::Anything => random.next(),
        }
    }
}

/// A key, whether it is a tombstone, and a payload.
type Value<const K: usize> = (Key<K>, bool, Vec<u8>);

/// A shape of a tree, and values for it.
struct Sample<const K: usize> {
    meta: Arc<TreeMeta>,
    values: Vec<Value<K>>,
    /// The bits of the first limb that a key of the tree has.
    high_mask: u64,
    about: String,
}

fn payload_lanes(random: &mut Random, width: usize) -> Vec<PayloadLane> {
    let mut lanes = Vec::new();
    let mut offset = 0;
    while offset < width {
        let width = (1 + random.below(8) as usize).min(width - offset);
        lanes.push(PayloadLane { offset, width, signed: random.below(3) == 0 });
        offset += width;
    }
    lanes
}

fn sample<const K: usize>(random: &mut Random) -> Sample<K> {
    let key_width = 8 * (K - 1) + random.below(9) as usize;
    let payload_width = match random.below(4) {
        0 => 0,
        1 => 8,
        _ => random.below(200) as usize,
    };
    // A tree without bytes of keys has one value; there is no such tree.
    let key_width = key_width.max(1);
    let block_size = [4096, 8192, 16384][random.below(3) as usize];
    let layout = TableLayout::new(
        key_width,
        payload_width,
        K,
        random.below(2) == 0,
        block_size,
        1 + random.below(6) as usize,
    )
    .unwrap();
    let rows = match random.below(3) {
        0 => 1 + random.below(20),
        1 => layout.table_rows as u64,
        _ => 1 + random.below(3000),
    };
    let rows = rows.min(layout.table_rows as u64);
    let usage = if payload_width == 0 { Usage::Set } else { Usage::Map };
    let meta = TreeMeta {
        id: 7,
        name: "items.key".into(),
        usage,
        key_width,
        payload_width,
        lanes: payload_lanes(random, payload_width),
        filter: layout.filter,
        layout,
        template: Default::default(),
    };
    let high_bytes = key_width - 8 * (K - 1);
    let high_mask = if high_bytes == 0 { 0 } else { u64::MAX >> (64 - 8 * high_bytes) };
    // Some samples do not pack at all.
    let random_bytes = random.below(4) == 0;
    let choose = |random: &mut Random| match random_bytes {
        true => Words::Anything,
        false => Words::choose(random),
    };
    let limbs: [Words; K] = std::array::from_fn(|_| choose(random));
    let mut keys: Vec<Key<K>> = (0..rows)
        .map(|i| {
            let mut key = limbs.map(|words| words.at(i, random));
            key[0] &= high_mask;
            key
        })
        .collect();
    keys.sort_unstable();
    keys.dedup();
    let words: Vec<Words> = meta.lanes.iter().map(|_| choose(random)).collect();
    let tombstones_of = [0, 1, 50][random.below(3) as usize];
    let values = keys.into_iter().zip(0..).map(|(key, i)| {
        let mut payload = vec![0; payload_width];
        for (lane, words) in meta.lanes.iter().zip(&words) {
            lane.write(words.at(i, random), &mut payload);
        }
        (key, random.below(100) < tombstones_of, payload)
    });
    let values: Vec<_> = values.collect();
    let about = format!("{K} limbs, {key_width} + {payload_width} bytes, {limbs:?}, {words:?}");
    Sample { meta: Arc::new(meta), values, high_mask, about }
}

impl<const K: usize> Sample<K> {
    fn chunk_of(&self, values: &[Value<K>]) -> Chunk<K> {
        let mut chunk = Chunk::new(&self.meta);
        for (key, tombstone, payload) in values {
            chunk.keys.push(*key);
            chunk.tombstones.push(*tombstone);
            for (lane, place) in chunk.lanes.iter_mut().zip(&self.meta.lanes) {
                lane.push(place.read(payload));
            }
        }
        chunk
    }

    /// The table's file, written with appends of random lengths.
    fn build(&self, random: &mut Random) -> (Arc<Grid>, TableRecord) {
        let sectors = self.meta.layout.table_sectors(self.values.len());
        // Some do not fit where they were begun.
        let (begun, more) = match random.below(2) {
            0 => (Extent { address: 4096, sectors }, None),
            _ => (Extent { address: 4096, sectors: 0 }, Some(Extent { address: 1 << 20, sectors })),
        };
        let mut builder = TableBuilder::new(self.meta.clone(), begun, [3; 16], 9);
        let chunk = self.chunk_of(&self.values);
        let empty = Chunk::new(&self.meta);
        let mut at = 0;
        while at < chunk.len() {
            let end = (at + 1 + random.below(2000) as usize).min(chunk.len());
            if random.below(2) == 0 {
                let picks: Vec<Pick> = (at..end).map(Pick::newer).collect();
                builder.append(&chunk, &empty, &picks);
            } else {
                let picks: Vec<Pick> = (at..end).map(Pick::older).collect();
                builder.append(&empty, &chunk, &picks);
            }
            at = end;
        }
        let built = builder.finish(more).unwrap();
        assert_eq!(built.record.address, more.unwrap_or(begun).address);
        assert!(built.record.sectors <= sectors, "{}", self.about);
        let storage = MemoryStorage::new();
        storage.write_at(built.record.address, &built.bytes).unwrap();
        (Arc::new(Grid::new(Arc::new(storage), [3; 16], 1 << 20)), built.record)
    }

    fn check(&self, random: &mut Random) -> [usize; 2] {
        let (grid, record) = self.build(random);
        record.check(4096, u64::MAX).unwrap();
        let table = Table::<K>::new(record);
        let index = table.index(&grid, &self.meta).unwrap();
        let mut rest = &self.values[..];
        let mut encodings = [0; 2];
        let mut blocks = Vec::with_capacity(index.blocks.len());
        let mut chunk = Chunk::new(&self.meta);
        for (number, indexed) in index.blocks.iter().enumerate() {
            let block = index.block(number).hold(&grid, &self.meta).unwrap();
            let bytes = grid.read_uncached(&indexed.reference, BlockKind::Value, None).unwrap();
            encodings[BlockHeader::read(&bytes).encoding as usize] += 1;
            let (values, behind) = rest.split_at(block.len());
            rest = behind;
            self.compare(&block, values);
            for _ in 0..20 {
                let mut key = values[random.below(values.len() as u64) as usize].0;
                let limb = random.below(K as u64) as usize;
                match random.below(3) {
                    0 => key[limb] = key[limb].wrapping_add(random.below(3)).wrapping_sub(1),
                    // What a query of a prefix begins and ends with.
                    1 => key[limb..].fill(0),
                    _ => key[limb..].fill(u64::MAX),
                }
                key[0] &= self.high_mask;
                let expected = values.partition_point(|(other, ..)| *other < key);
                assert_eq!(block.lower_bound(&key), expected, "{}", self.about);
            }
            let part = &mut Random(number as u64);
            let from = part.below(values.len() as u64) as usize;
            let to = from + part.below((values.len() - from) as u64 + 1) as usize;
            let (mut keys, mut scratch) = (vec![[1; K]], Vec::new());
            block.unpack_keys(from..to, &mut keys, &mut scratch);
            let rows = &values[from..to];
            let expected: Vec<Key<K>> = rows.iter().map(|(key, ..)| *key).collect();
            assert_eq!(keys[1..], expected, "{}", self.about);
            let width = self.meta.payload_width;
            let mut payloads = vec![7; rows.len() * width];
            block.unpack_payloads(from..to, None, &mut payloads, &mut scratch);
            let expected: Vec<u8> = rows.iter().flat_map(|(_, _, value)| value.clone()).collect();
            assert_eq!(payloads, expected, "{}", self.about);
            let parts = some_parts(part, width);
            let mut tested = vec![7; payloads.len()];
            block.unpack_payloads(from..to, Some(&parts), &mut tested, &mut scratch);
            assert_parts(&tested, &payloads, width, Some(&parts), &self.about);
            self.compare_numbers(&block, values, from..to, part);
            block.unpack(&self.meta, &mut chunk).unwrap();
            let whole = self.chunk_of(values);
            assert_eq!((&chunk.keys, &chunk.tombstones), (&whole.keys, &whole.tombstones));
            assert_eq!(chunk.lanes, whole.lanes, "{}", self.about);
            blocks.push((block, values));
        }
        assert!(rest.is_empty());
        self.compare_gathered(&blocks);
        encodings
    }

    /// The numbers of each lane, and of one that rows are not cut into.
    fn compare_numbers(
        &self,
        block: &ValueBlock<K>,
        values: &[Value<K>],
        positions: Range<usize>,
        random: &mut Random,
    ) {
        let width = self.meta.payload_width;
        let across = (width > 0).then(|| {
            let offset = random.below(width as u64) as usize;
            let width = (width - offset).min(1 + random.below(8) as usize);
            PayloadLane { offset, width, signed: random.below(2) == 0 }
        });
        for lane in self.meta.lanes.iter().copied().chain(across) {
            let mut numbers = vec![7];
            let same = block.unpack_numbers(positions.clone(), lane, &mut numbers);
            let number = |(_, _, payload): &Value<K>| lane.read(payload);
            let expected: Vec<u64> = values[positions.clone()].iter().map(number).collect();
            match same {
                Some(same) => assert!(expected.iter().all(|number| *number == same)),
                None => assert_eq!(numbers[1..], expected, "{}: {lane:?}", self.about),
            }
            if let Some((min, max)) = block.lane_bounds(lane) {
                let is_within = |number| min <= number && number <= max;
                assert!(values.iter().map(number).all(is_within), "{}: {lane:?}", self.about);
            }
        }
    }

    /// Payloads out of all blocks in turn, whole and in parts.
    fn compare_gathered(&self, blocks: &[(ValueBlock<K>, &[Value<K>])]) {
        let random = &mut Random(self.values.len() as u64);
        let width = self.meta.payload_width;
        for parts in [None, Some(some_parts(random, width)), Some(some_parts(random, width))] {
            let mut expected = Vec::new();
            let mut gathered = vec![7; 60 * width];
            let mut gather = Gather::new(60, parts.as_deref());
            for number in 0..60 {
                let (block, values) = &blocks[random.below(blocks.len() as u64) as usize];
                let at = random.below(values.len() as u64) as usize;
                expected.extend_from_slice(&values[at].2);
                gather.add(block, at, &mut gathered, number * width);
                if number % 20 == 19 {
                    gather.finish(width, &mut gathered);
                }
            }
            assert_parts(&gathered, &expected, width, parts.as_deref(), &self.about);
        }
    }

    fn compare(&self, block: &ValueBlock<K>, values: &[Value<K>]) {
        let mut payload = vec![0xaa; self.meta.payload_width];
        for (at, (key, tombstone, expected)) in values.iter().enumerate() {
            assert_eq!(block.key(at), *key, "{}", self.about);
            assert_eq!(block.is_tombstone(at), *tombstone, "{}", self.about);
            block.read_payload(at, &mut payload);
            assert_eq!(payload, *expected, "{}", self.about);
            assert_eq!(block.find(key), Some(at), "{}", self.about);
        }
        for from in (0..values.len()).step_by(61) {
            for to in (from..values.len()).step_by(53).chain([values.len()]) {
                let tombstones = values[from..to].iter().filter(|value| value.1).count() as i64;
                let net = (to - from) as i64 - 2 * tombstones;
                assert_eq!(block.net_count(from..to), net, "{}, {from}..{to}", self.about);
            }
        }
    }

    /// Reads blocks whose bytes were changed and whose checksums agree.
    fn forge(&self, random: &mut Random) {
        let (grid, record) = self.build(random);
        let table = Table::<K>::new(record);
        let index = table.index(&grid, &self.meta).unwrap();
        let at = random.below(index.blocks.len() as u64) as usize;
        let reference = index.blocks[at].reference;
        let genuine = grid.read_uncached(&reference, BlockKind::Value, None).unwrap();
        for _ in 0..50 {
            let mut bytes = genuine.clone();
            for _ in 0..1 + random.below(4) {
                // Mostly where the block describes itself.
                let end = if random.below(4) == 0 { bytes.len() } else { 400.min(bytes.len()) };
                let at = 7 + random.below(end as u64 - 7) as usize;
                bytes[at] = match random.below(3) {
                    0 => random.next() as u8,
                    1 => bytes[at] ^ 1 << random.below(8),
                    _ => [0, 1, 64, 255][random.below(4) as usize],
                };
            }
            let Ok(block) = ValueBlock::<K>::parse(&bytes, &self.meta, BlockBytes::new) else {
                continue;
            };
            assert!(block.len() <= self.meta.layout.block_rows_max);
            let mut payload = vec![0; self.meta.payload_width];
            for at in 0..block.len() {
                block.read_payload(at, &mut payload);
                let key = block.key(at);
                let _ = (block.is_tombstone(at), block.find(&key));
            }
            for lane in &self.meta.lanes {
                let mut numbers = Vec::new();
                let same = block.unpack_numbers(0..block.len(), *lane, &mut numbers);
                numbers.extend(same);
                if let Some((min, max)) = block.lane_bounds(*lane) {
                    let is_within = |number: &u64| min <= *number && *number <= max;
                    assert!(numbers.iter().all(is_within), "{}: {lane:?}", self.about);
                }
            }
            let _ = block.net_count(0..block.len());
            let _ = block.unpack(&self.meta, &mut Chunk::new(&self.meta));
            let (mut keys, mut scratch) = (Vec::new(), Vec::new());
            block.unpack_keys(0..block.len(), &mut keys, &mut scratch);
            payload.resize(block.len() * self.meta.payload_width, 0);
            block.unpack_payloads(0..block.len(), None, &mut payload, &mut scratch);
            let width = self.meta.payload_width;
            for parts in [None, Some(some_parts(random, width))] {
                let mut gather = Gather::new(block.len(), parts.as_deref());
                (0..block.len()).for_each(|at| gather.add(&block, at, &mut payload, at * width));
                gather.finish(width, &mut payload);
            }
            assert!((0..block.len()).all(|at| block.key(at) == keys[at]));
        }
    }
}

/// Up to two ranges of bytes of payloads.
fn some_parts(random: &mut Random, width: usize) -> Vec<Range<usize>> {
    let count = random.below(3);
    let part = |_| {
        let begin = random.below(width as u64 + 1) as usize;
        begin..begin + random.below((width - begin) as u64 + 1) as usize
    };
    (0..count).map(part).collect()
}

/// Asserts that payloads are as expected, or at least these `parts` of them.
fn assert_parts(
    payloads: &[u8],
    expected: &[u8],
    width: usize,
    parts: Option<&[Range<usize>]>,
    about: &str,
) {
    assert_eq!(payloads.len(), expected.len());
    let is_asked = |at: &usize| {
        parts.is_none_or(|parts| parts.iter().any(|part| part.contains(&(at % width))))
    };
    for at in (0..payloads.len()).filter(is_asked) {
        assert_eq!(payloads[at], expected[at], "{about}: byte {at}, {parts:?}");
    }
}

fn check_all<const K: usize>(random: &mut Random) {
    let mut encodings = [0; 2];
    for _ in 0..40 {
        let sample = sample::<K>(random);
        for (sum, count) in encodings.iter_mut().zip(sample.check(random)) {
            *sum += count;
        }
        sample.forge(random);
    }
    assert!(encodings.iter().all(|count| *count > 0), "rows and columns: {encodings:?}");
}

#[test]
fn values_come_back_and_forged_blocks_are_survived_at_every_width() {
    let mut random = Random(seed());
    check_all::<1>(&mut random);
    check_all::<2>(&mut random);
    check_all::<3>(&mut random);
    check_all::<4>(&mut random);
    check_all::<5>(&mut random);
}

/// Bug: a low limb that is a progression modulo 2^64 and wraps around where a limb before it differs
/// was searched as if it ascended from its first value on. Keys were not found that were there, and
/// counts were wrong (G3, seed 41: a table of two entries whose second has the lower timestamp).
/// Fix: the search begins with the value at the first position of the range, from which it ascends.
#[test]
fn a_key_is_found_whose_low_limb_wraps_around_within_the_block() {
    let layout = TableLayout::new(16, 8, 2, false, 16384, 4).unwrap();
    let meta = Arc::new(TreeMeta {
        id: 7,
        name: "items.key".into(),
        usage: Usage::Map,
        key_width: 16,
        payload_width: 8,
        lanes: plain_lanes(8),
        filter: false,
        layout,
        template: Default::default(),
    });
    let limbs = |key: u128| [(key >> 64) as u64, key as u64];
    let high = u128::from(u64::MAX - 5);
    let steps = [1_u128 << 62, 1 << 63, 3 << 62, (1 << 64) - 4, (1 << 64) + 5, 5 << 61, 7, 9];
    let steps = steps.iter().flat_map(|step| [(9, *step), (high, *step), (high, (1 << 64) + step)]);
    for ((first, step), count) in steps.flat_map(|step| [(step, 2), (step, 3), (step, 300)]) {
        let keys: Vec<Key<2>> = (0..count).map(|i| limbs(first + i * step)).collect();
        let values: Vec<_> = keys.iter().map(|key| (*key, false, vec![1; 8])).collect();
        let about = format!("{count} keys from {first} on, {step} apart");
        let sample = Sample { meta: meta.clone(), values, high_mask: u64::MAX, about };
        let (grid, record) = sample.build(&mut Random(1));
        let table = Table::<2>::new(record);
        let index = table.index(&grid, &meta).unwrap();
        let block = index.block(0).hold(&grid, &meta).unwrap();
        sample.compare(&block, &sample.values);
        for (at, key) in keys.iter().enumerate() {
            let last = [key[0], u64::MAX];
            let expected = keys.partition_point(|other| *other < last);
            assert_eq!(block.lower_bound(&last), expected, "{}, from {at}", sample.about);
        }
    }
}

fn objects() -> Arc<TreeMeta> {
    let layout = TableLayout::new(8, 128, 1, false, 16384, 4).unwrap();
    Arc::new(TreeMeta {
        id: 1,
        name: "items.objects".into(),
        usage: Usage::Map,
        key_width: 8,
        payload_width: 128,
        lanes: plain_lanes(128),
        filter: false,
        layout,
        template: Default::default(),
    })
}

#[test]
fn values_that_pack_share_few_blocks_and_each_block_is_full() {
    let meta = objects();
    let rows = meta.layout.table_rows as u64;
    let mut random = Random(seed());
    let values = (0..rows).map(|i| {
        let mut payload = vec![0; 128];
        payload[8..11].copy_from_slice(&random.next().to_le_bytes()[..3]);
        payload[64..72].copy_from_slice(&random.next().to_le_bytes());
        ([i + 1], false, payload)
    });
    let sample =
        Sample::<1> { values: values.collect(), meta, high_mask: u64::MAX, about: String::new() };
    let (grid, record) = sample.build(&mut random);
    let table = Table::<1>::new(record);
    let index = table.index(&grid, &sample.meta).unwrap();
    // 11 bytes of each value are not constant: 476 values take 5236 bytes and the block's head.
    assert_eq!((rows, index.blocks.len(), index.blocks[0].reference.length), (476, 1, 8192));
    assert_eq!(sample.check(&mut random), [0, 1]);
}

#[test]
fn values_that_do_not_pack_are_rows_and_take_what_rows_take() {
    let meta = objects();
    let mut random = Random(seed());
    let values = (0..meta.layout.table_rows).map(|_| {
        let payload = (0..128).map(|_| random.next() as u8).collect();
        ([random.next()], false, payload)
    });
    let mut values: Vec<_> = values.collect();
    values.sort_unstable();
    let sample = Sample::<1> { values, meta, high_mask: u64::MAX, about: String::new() };
    assert_eq!(sample.check(&mut random)[0], 4);
}

#[test]
fn a_forged_count_of_a_row_block_or_an_unknown_encoding_is_refused() {
    let meta = objects();
    let values = (0..10).map(|i| ([i], false, vec![i as u8; 128])).collect();
    let sample =
        Sample::<1> { values, meta: meta.clone(), high_mask: u64::MAX, about: String::new() };
    let (grid, record) = sample.build(&mut Random(1));
    let table = Table::<1>::new(record);
    let reference = table.index(&grid, &meta).unwrap().blocks[0].reference;
    let genuine = grid.read_uncached(&reference, BlockKind::Value, None).unwrap();
    let parse = |bytes: Vec<u8>| ValueBlock::<1>::parse(&bytes, &meta, BlockBytes::new).err();
    assert_eq!(parse(genuine.clone()), None);
    for (at, value, what) in [(7, 2, "encoding"), (40, 0, "count"), (36, 2, "tree")] {
        let mut bytes = genuine.clone();
        bytes[at] = value;
        assert_eq!(parse(bytes), Some(what));
    }
    let mut empty = vec![0; 4096];
    empty[..BLOCK_HEADER_SIZE].copy_from_slice(bytemuck::bytes_of(&BlockHeader::zeroed()));
    assert!(parse(empty).is_some());
}
