//! What a value costs, packed and not: nanoseconds to encode, to decode and to read one at random, and
//! bytes. Objects and index entries of the ledger workload, in blocks of 16 KiB, beside plain rows and
//! rows under LZ4.
//!
//! ```text
//! cargo test --release -p groove-core --lib table::measure -- --ignored --nocapture
//! ```

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use super::*;
use crate::grid::{BLOCK_HEADER_SIZE, BlockBytes};
use crate::key::bytes_from_limbs;
use crate::memory::Pick;

const BLOCK_SIZE: usize = 16 << 10;
/// Each figure is the best of so many.
const REPETITIONS: usize = 7;
const READS: usize = 200_000;

fn mix(x: u64) -> u64 {
    let z = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn r(i: u64, k: u64) -> u64 {
    mix(i.wrapping_mul(16).wrapping_add(k))
}

/// Row `i` of the workload, without the timestamp: 120 bytes.
fn row(i: u64, ordered: bool) -> Vec<u8> {
    let debit = r(i, 2) % 10_000;
    let high = if ordered { i + 1 } else { r(i, 1) };
    let wide = [
        u128::from(high) << 64 | u128::from(r(i, 0)),
        u128::from(1 + debit),
        u128::from(1 + (debit + 1 + r(i, 3) % 9_999) % 10_000),
        u128::from(1 + r(i, 4) % 10_000),
        0,
        0,
    ];
    let mut row: Vec<u8> = wide.iter().flat_map(|value| value.to_le_bytes()).collect();
    row.extend((1 + r(i, 5) % 1_000_000).to_le_bytes());
    row.extend([0; 8]);
    row.extend((1 + (r(i, 6) % 3) as u32).to_le_bytes());
    row.extend((1 + (r(i, 7) % 100) as u16).to_le_bytes());
    row.extend([0; 2]);
    row
}

fn meta(limbs: usize, key_width: usize, lanes: Vec<PayloadLane>) -> Arc<TreeMeta> {
    let payload_width = lanes.iter().map(|lane| lane.width).sum();
    let layout =
        TableLayout::new(key_width, payload_width, limbs, false, BLOCK_SIZE, 16 << 10).unwrap();
    let usage = if payload_width == 0 { Usage::Set } else { Usage::Map };
    let name = "measure".into();
    Arc::new(TreeMeta {
        id: 1,
        name,
        usage,
        key_width,
        payload_width,
        lanes,
        filter: false,
        layout,
        template: Default::default(),
    })
}

/// Nanoseconds per value of the best repetition.
fn best(values: usize, mut work: impl FnMut()) -> f64 {
    let times = (0..REPETITIONS).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64() * 1e9 / values as f64
    });
    times.fold(f64::INFINITY, f64::min)
}

/// Plain rows: blocks of whole rows, key first.
struct Rows {
    blocks: Vec<Vec<u8>>,
    stride: usize,
    key_width: usize,
}

impl Rows {
    fn build<const K: usize>(meta: &TreeMeta, values: &[(Key<K>, Vec<u8>)]) -> Rows {
        let blocks = values.chunks(meta.layout.block_rows).map(|values| {
            let mut block = vec![0; BLOCK_HEADER_SIZE];
            for (key, payload) in values {
                let at = block.len();
                block.resize(at + meta.key_width, 0);
                bytes_from_limbs(key, &mut block[at..]);
                block.extend_from_slice(payload);
            }
            block
        });
        Rows { blocks: blocks.collect(), stride: meta.layout.stride, key_width: meta.key_width }
    }

    fn find(&self, block: &[u8], key: &[u8]) -> Option<usize> {
        let rows = &block[BLOCK_HEADER_SIZE..];
        let (mut low, mut high) = (0, rows.len() / self.stride);
        while low < high {
            let middle = low.midpoint(high);
            let at = middle * self.stride;
            match rows[at..at + self.key_width].cmp(key) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(at),
            }
        }
        None
    }
}

fn measure<const K: usize>(what: &str, meta: &Arc<TreeMeta>, values: &[(Key<K>, Vec<u8>)]) {
    let count = values.len();
    let mut chunk = Chunk::<K>::new(meta);
    for (key, payload) in values {
        chunk.keys.push(*key);
        chunk.tombstones.push(false);
        for (lane, place) in chunk.lanes.iter_mut().zip(&meta.lanes) {
            lane.push(place.read(payload));
        }
    }
    let picks: Vec<Pick> = (0..count).map(Pick::newer).collect();
    let empty = Chunk::new(meta);
    let build = || {
        let sectors = meta.layout.table_sectors(count);
        let extent = Extent { address: 4096, sectors };
        let mut builder = TableBuilder::new(meta.clone(), extent, [0; 16], 1);
        for picks in picks.chunks(4096) {
            builder.append(&chunk, &empty, picks);
        }
        builder.finish(None).unwrap()
    };
    let encode = best(count, || drop(black_box(build())));
    let built = build();
    let storage = crate::storage::MemoryStorage::new();
    crate::storage::Storage::write_at(&storage, 4096, &built.bytes).unwrap();
    let grid = Grid::new(Arc::new(storage), [0; 16], 64 << 20);
    let table = Table::<K>::new(built.record);
    let index = table.index(&grid, meta).unwrap();
    let blocks: Vec<ValueBlock<K>> = (0..index.blocks.len())
        .map(|block| index.block(block).hold(&grid, meta).unwrap())
        .collect();
    let bytes: u32 = index.blocks.iter().map(|block| block.reference.length).sum();
    let mut unpacked = Chunk::new(meta);
    let decode = best(count, || {
        for block in &blocks {
            block.unpack(meta, &mut unpacked).unwrap();
            black_box(&unpacked);
        }
    });
    let wanted: Vec<usize> = (0..READS as u64).map(|j| (mix(j) % count as u64) as usize).collect();
    let mut payload = vec![0; meta.payload_width];
    let point = best(READS, || {
        for at in &wanted {
            let key = &values[*at].0;
            let block = &blocks[index.block_at(key)];
            block.read_payload(block.find(key).unwrap(), &mut payload);
            black_box(&payload);
        }
    });
    let parse = best(blocks.len(), || {
        for block in &index.blocks {
            let at = (block.reference.address - 4096) as usize;
            let bytes = &built.bytes[at..at + block.reference.length as usize];
            let block = ValueBlock::<K>::parse(bytes, meta, BlockBytes::new).unwrap();
            black_box(block.len());
        }
    });
    println!(
        "{what:<28} columns    {:6.2} bytes  encode {encode:6.1} ns  decode {decode:6.1} ns  point {point:6.0} ns  (check of a block: {parse:.0} ns)",
        f64::from(bytes) / count as f64,
    );

    let encode = best(count, || drop(black_box(Rows::build(meta, values))));
    let rows = Rows::build(meta, values);
    let decode = best(count, || {
        for block in &rows.blocks {
            for row in block[BLOCK_HEADER_SIZE..].chunks_exact(rows.stride) {
                let mut key = [0; K];
                crate::key::limbs_from_bytes(&row[..rows.key_width], &mut key);
                payload.copy_from_slice(&row[rows.key_width..]);
                black_box((&key, &payload));
            }
        }
    });
    let encoded: Vec<Vec<u8>> = values
        .iter()
        .map(|(key, _)| {
            let mut encoded = vec![0; meta.key_width];
            bytes_from_limbs(key, &mut encoded);
            encoded
        })
        .collect();
    let point = best(READS, || {
        for at in &wanted {
            let block = &rows.blocks[at / meta.layout.block_rows];
            let found = rows.find(block, &encoded[*at]).unwrap();
            let row = &block[BLOCK_HEADER_SIZE + found..][..rows.stride];
            payload.copy_from_slice(&row[rows.key_width..]);
            black_box(&payload);
        }
    });
    println!(
        "{:<28} plain rows {:6.2} bytes  encode {encode:6.1} ns  decode {decode:6.1} ns  point {point:6.0} ns",
        "", rows.stride as f64,
    );

    let compress = |block: &Vec<u8>| lz4_flex::block::compress(block);
    let encode = encode
        + best(count, || {
            for block in &rows.blocks {
                black_box(compress(block));
            }
        });
    let packed: Vec<Vec<u8>> = rows.blocks.iter().map(compress).collect();
    let mut buffer = vec![0; BLOCK_SIZE + 64];
    let decompress = best(count, || {
        for block in &packed {
            black_box(lz4_flex::block::decompress_into(block, &mut buffer).unwrap());
        }
    });
    let point = best(READS / 20, || {
        for at in &wanted[..READS / 20] {
            let block = &packed[at / meta.layout.block_rows];
            let length = lz4_flex::block::decompress_into(block, &mut buffer).unwrap();
            black_box(rows.find(&buffer[..length], &encoded[*at]).unwrap());
        }
    });
    let bytes: usize = packed.iter().map(Vec::len).sum();
    println!(
        "{:<28} lz4        {:6.2} bytes  encode {encode:6.1} ns  decode {:6.1} ns  point {point:6.0} ns",
        "",
        bytes as f64 / count as f64,
        decompress + decode,
    );
}

#[test]
#[ignore = "a benchmark: prints figures and checks nothing"]
fn values_of_the_ledger() {
    const COUNT: u64 = 20_000;
    let plain = |width| PayloadLane { offset: 0, width, signed: false };
    let widths = [[8; 13].as_slice(), &[4, 4, 4, 2, 2]].concat();
    let mut offset = 0;
    let lanes = widths.iter().map(|width| {
        offset += width;
        PayloadLane { offset: offset - width, ..plain(*width) }
    });
    let lanes: Vec<PayloadLane> = lanes.collect();
    let objects = meta(1, 8, lanes);
    for (what, ordered) in [("objects, ordered ids", true), ("objects, random ids", false)] {
        let values: Vec<_> = (0..COUNT).map(|i| ([i + 1], row(i, ordered))).collect();
        measure::<1>(what, &objects, &values);
    }
    let ids = meta(2, 16, vec![plain(8)]);
    let mut values: Vec<_> =
        (0..COUNT).map(|i| ([r(i, 1), r(i, 0)], (i + 1).to_le_bytes().to_vec())).collect();
    values.sort_unstable();
    measure::<2>("ids, random", &ids, &values);
    let accounts = meta(3, 24, Vec::new());
    let mut values: Vec<_> =
        (0..COUNT).map(|i| ([0, 1 + r(i, 2) % 10_000, i + 1], Vec::new())).collect();
    values.sort_unstable();
    measure::<3>("entries of an account", &accounts, &values);
    let codes = meta(2, 10, Vec::new());
    let mut values: Vec<_> = (0..COUNT).map(|i| ([1 + r(i, 7) % 100, i + 1], Vec::new())).collect();
    values.sort_unstable();
    measure::<2>("entries of a code", &codes, &values);
}
