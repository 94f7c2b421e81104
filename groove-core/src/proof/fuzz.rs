//! Targets for fuzzers: each takes any bytes, makes the checksums over them agree, so that they get past
//! these, and gives them to one of the engine's readers. What comes back is used as the engine would
//! use it. A target panics if a reader takes what it should refuse.
//!
//! The first byte of an input says how it is taken; [`seeds`] are inputs that are sound.

use std::sync::Arc;

use bytemuck::Zeroable;

use crate::checksum::{Domain, checksum};
use crate::constants::SECTOR_SIZE;
use crate::error::{BlockKind, ReadError};
use crate::grid::{BLOCK_HEADER_SIZE, BlockInfo, BlockRef, Extent, FreeSet, Grid, seal_block};
use crate::groove::{fuzz_changes, seed_changes};
use crate::manifest::ManifestLog;
use crate::memory::{Pick, Usage};
use crate::storage::{MemoryStorage, Storage};
use crate::superblock::{FormatOptions, Superblock, WAL_MARK_OFFSET, WAL_OFFSET, WalPosition};
use crate::table::{
    Chunk, Gather, Table, TableBuilder, TableLayout, TableRecord, TreeMeta, parse_block,
    plain_lanes,
};
use crate::tree::{AnyTree, Tree};
use crate::wal;

/// A target: its name, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// All targets of this module.
pub const TARGETS: [Target; 7] = [
    ("superblock", superblock),
    ("wal", wal),
    ("changes", changes),
    ("manifest", manifest),
    ("index_block", index_block),
    ("value_block", value_block),
    ("free_set", free_set),
];

const FILE_ID: [u8; 16] = *b"a file of tests.";
const WAL_SLOTS: u32 = 8;
const GRID_START: u64 = WAL_OFFSET + WAL_SLOTS as u64 * SECTOR_SIZE as u64;
/// Where the grid of a target's file ends.
const GRID_END: u64 = GRID_START + (64 << 12);

fn format() -> FormatOptions {
    let mut parameters = [0; 8];
    parameters[0] = 4;
    FormatOptions { block_size: 4096, wal_slots: WAL_SLOTS, growth_factor: 2, parameters }
}

fn take<'a>(data: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = data.split_at(length.min(data.len()));
    *data = rest;
    taken
}

/// Writes the bytes over the beginning of the sector.
fn sector(bytes: &[u8]) -> [u8; SECTOR_SIZE] {
    let mut sector = [0; SECTOR_SIZE];
    sector[..bytes.len()].copy_from_slice(bytes);
    sector
}

/// Copies of the superblock: the first byte says which of the four hold the input's bytes, and whether
/// their checksums agree; the others are empty.
pub fn superblock(mut data: &[u8]) {
    let how = take(&mut data, 1).first().copied().unwrap_or(0);
    let mut copy = sector(take(&mut data, SECTOR_SIZE));
    let storage = MemoryStorage::new();
    storage.allocate(0, GRID_END).expect("memory");
    for index in 0..4_u32 {
        if how & 1 << index == 0 {
            continue;
        }
        copy[64..68].copy_from_slice(&index.to_le_bytes());
        if how & 1 << (4 + index) == 0 {
            let mut bare = copy;
            bare[16..32].fill(0);
            bare[64..68].fill(0);
            let sum = checksum(Domain::Superblock, &bare);
            copy[16..32].copy_from_slice(&sum.to_le_bytes());
        }
        storage.write_at(u64::from(index) * SECTOR_SIZE as u64, &copy).expect("memory");
    }
    let Ok(found) = Superblock::read(&storage) else { return };
    let copies = Superblock::count_copies(&storage, &found).expect("memory");
    assert!(copies >= 2, "{copies} copies are no quorum");
    let mut next = found.successor();
    next.epoch += 1;
    next.write(&storage).expect("memory");
    let read = Superblock::read(&storage).expect("it was written just now");
    assert_eq!(read.checksum(), next.checksum());
}

/// The superblock of a file that was opened once.
fn log_superblock() -> Superblock {
    let mut superblock = Superblock::new(FILE_ID, format()).successor();
    superblock.epoch += 1;
    superblock
}

/// A ring of the log and its marks. Bit by bit the first byte says whether checksums are made to agree,
/// entry by entry from slot 0 on, whether each entry is made the next link of the chain, and whether it
/// follows the one before within the sector, as in a group that was written together.
pub fn wal(mut data: &[u8]) {
    let how = take(&mut data, 1).first().copied().unwrap_or(0);
    let superblock = log_superblock();
    let storage = MemoryStorage::new();
    wal::format(&storage, WAL_SLOTS).expect("memory");
    let mut ring = vec![0; (GRID_START - WAL_MARK_OFFSET) as usize];
    // Marks take few bytes of an input, and sectors of the ring as many as an entry has.
    for mark in 0..2 {
        let bytes = take(&mut data, 128);
        ring[mark * SECTOR_SIZE..][..bytes.len()].copy_from_slice(bytes);
    }
    let bytes = take(&mut data, WAL_SLOTS as usize * SECTOR_SIZE);
    ring[2 * SECTOR_SIZE..][..bytes.len()].copy_from_slice(bytes);
    reseal_ring(&mut ring, how);
    storage.write_at(WAL_MARK_OFFSET, &ring).expect("memory");

    let mut ops = Vec::new();
    let visit = |after: WalPosition, _: u64, body: &[u8]| {
        ops.push((after.op, body.len()));
        Ok::<(), ReadError>(())
    };
    let Ok(recovered) = wal::recover(&storage, &superblock, visit) else { return };
    assert!(ops.iter().map(|(op, _)| *op).eq(1..=ops.len() as u64), "{ops:?}");
    let (synced_op, last) = (recovered.synced_op(), recovered.last());
    assert!(synced_op <= last.op, "op {synced_op} was on disk and {last:?} is the last");
    // As after an open: the next epoch, and one entry more.
    let mut next = superblock.successor();
    next.epoch += 1;
    let mut writer = wal::WalWriter::resume(&next, recovered);
    if writer.append(&storage, last.op + 1, last.op, &[b"next"]).is_ok() {
        let mut count = 0;
        let again = wal::recover(&storage, &next, |_, _, _| {
            count += 1;
            Ok::<(), ReadError>(())
        });
        assert!(again.is_ok() && count == ops.len() + 1, "{count} ops of {}", ops.len() + 1);
    }
}

fn reseal_ring(ring: &mut [u8], how: u8) {
    let word = |ring: &[u8], at: usize| {
        u64::from_le_bytes(ring[at..at + 8].try_into().expect("eight bytes"))
    };
    if how & 1 == 0 {
        let mut parent = 0_u128;
        let mut at = 2 * SECTOR_SIZE;
        let unit = if how & 8 == 0 { SECTOR_SIZE } else { 512 };
        while at < ring.len() {
            if how & 8 != 0 {
                let (slot, cell) = (at / SECTOR_SIZE - 2, at % SECTOR_SIZE / 512);
                ring[at + 104..at + 108].copy_from_slice(&(slot as u32).to_le_bytes());
                ring[at + 108..at + 112].copy_from_slice(&(cell as u32).to_le_bytes());
            }
            let length = word(ring, at + 80).min((ring.len() - at - 128) as u64) as usize;
            if how & 2 == 0 {
                ring[at + 32..at + 48].copy_from_slice(&parent.to_le_bytes());
            }
            let body = checksum(Domain::WalBody, &ring[at + 128..at + 128 + length]);
            ring[at + 16..at + 32].copy_from_slice(&body.to_le_bytes());
            parent = checksum(Domain::WalEntry, &ring[at + 16..at + 128]);
            ring[at..at + 16].copy_from_slice(&parent.to_le_bytes());
            at += (128 + length).next_multiple_of(unit);
        }
    }
    if how & 4 == 0 {
        for at in [0, SECTOR_SIZE] {
            let sum = checksum(Domain::WalMark, &ring[at + 16..at + 128]);
            ring[at..at + 16].copy_from_slice(&sum.to_le_bytes());
        }
    }
}

fn meta(limbs: usize, payload_width: usize, usage: Usage, filter: bool) -> Arc<TreeMeta> {
    let key_width = limbs * 8;
    let layout = TableLayout::new(key_width, payload_width, limbs, filter, 4096, 4);
    Arc::new(TreeMeta {
        id: 1,
        name: "fuzzed.tree".into(),
        usage,
        key_width,
        payload_width,
        lanes: plain_lanes(payload_width),
        filter,
        layout: layout.expect("values are narrow"),
        template: Default::default(),
    })
}

fn grid() -> (MemoryStorage, Arc<Grid>) {
    let storage = MemoryStorage::new();
    storage.allocate(0, GRID_END).expect("memory");
    let grid = Arc::new(Grid::new(Arc::new(storage.clone()), FILE_ID, 0));
    (storage, grid)
}

/// Seals `body` as a block with this count and writes it.
fn block(
    storage: &MemoryStorage,
    kind: BlockKind,
    address: u64,
    count: u32,
    body: &[u8],
) -> BlockRef {
    let mut bytes = vec![0; (BLOCK_HEADER_SIZE + body.len()).next_multiple_of(SECTOR_SIZE)];
    bytes[BLOCK_HEADER_SIZE..][..body.len()].copy_from_slice(body);
    let info = BlockInfo { tree: 1, count, ..BlockInfo::default() };
    let reference = seal_block(&mut bytes, kind, address, FILE_ID, info);
    storage.write_at(address, &bytes).expect("memory");
    reference
}

/// The changes of a log entry's body. The first byte says how wide rows are, and whether keys can be orphaned.
pub fn changes(mut data: &[u8]) {
    let how = usize::from(take(&mut data, 1).first().copied().unwrap_or(0));
    fuzz_changes(data, how % 32, how / 32 % 2 * 8);
}

/// The events of two blocks of the manifest log. The first two bytes: how many events each has, or
/// rather says that it has. The tables that come out are restored into a tree, and the free set from
/// them.
pub fn manifest(mut data: &[u8]) {
    let counts = sector(take(&mut data, 2));
    let (storage, grid) = grid();
    let mut head: Option<BlockRef> = None;
    for (number, count) in (0_u64..).zip(&counts[..2]) {
        let length = usize::from(*count) * 152;
        let mut body = vec![0; 32];
        if let Some(head) = head {
            body[..16].copy_from_slice(&head.checksum.to_le_bytes());
            body[16..24].copy_from_slice(&head.address.to_le_bytes());
            body[24..28].copy_from_slice(&head.length.to_le_bytes());
        }
        body.extend_from_slice(take(&mut data, length));
        let address = GRID_START + number * 10 * SECTOR_SIZE as u64;
        head = Some(block(&storage, BlockKind::Manifest, address, u32::from(*count), &body));
    }
    let restored = ManifestLog::restore(&grid, head, 2, GRID_START, GRID_END);
    let Ok((log, tables)) = restored else { return };
    let mut used = log.extents().to_vec();
    used.extend(tables.values().map(TableRecord::extent));
    let is_disjoint = FreeSet::restore(GRID_START, GRID_END, used).is_ok();
    let records: Vec<TableRecord> = tables.into_values().collect();
    let mut tree = Tree::<2>::new(meta(2, 8, Usage::Map, true), grid.clone());
    if tree.restore(&records).is_ok() && is_disjoint {
        // As the end of a bar does, with space for what the records pretend.
        let plans = tree.choose_levels(2);
        let plans = plans.iter().filter(|plan| !plan.is_move());
        for plan in plans {
            let demand = tree.demand(plan);
            assert!(0 < demand.likely && demand.likely <= demand.most);
            assert!(tree.meta().layout.split(plan.rows).count() <= 8 * records.len());
        }
        let _ = crate::tree::TreeRead::verify_tables(&**tree.tip());
    }
}

/// A table of two limbs and a payload of 8 bytes, as the engine writes it.
fn table(storage: &MemoryStorage, meta: &Arc<TreeMeta>) -> TableRecord {
    let sectors = meta.layout.table_sectors(meta.layout.table_rows);
    let extent = Extent { address: GRID_START, sectors };
    let mut builder = TableBuilder::<2>::new(meta.clone(), extent, FILE_ID, 7);
    let mut chunk = Chunk::new(meta);
    for number in 0..300_u64 {
        chunk.keys.push([number / 4, number]);
        chunk.tombstones.push(number % 5 == 0);
        chunk.lanes[0].push(number);
    }
    let picks: Vec<Pick> = (0..300).map(Pick::newer).collect();
    builder.append(&chunk, &Chunk::new(meta), &picks);
    let built = builder.finish(None).expect("it has values");
    storage.write_at(extent.address, &built.bytes).expect("memory");
    built.record
}

/// The index block of a sound table, whose body is the input's, behind a byte for its count. What it
/// says is used for look-ups, a count and the full check.
pub fn index_block(mut data: &[u8]) {
    let count = u32::from(take(&mut data, 1).first().copied().unwrap_or(0));
    let (storage, grid) = grid();
    let meta = meta(2, 8, Usage::Map, true);
    let mut record = table(&storage, &meta);
    let body = take(&mut data, record.index_length as usize - BLOCK_HEADER_SIZE);
    let mut body = body.to_vec();
    body.resize(record.index_length as usize - BLOCK_HEADER_SIZE, 0);
    let address = record.index_block().address;
    let reference = block(&storage, BlockKind::Index, address, count, &body);
    record.index_checksum = crate::table::checksum_words(reference.checksum);
    let mut tree = Tree::<2>::new(meta, grid.clone());
    tree.restore(&[record]).expect("the record is sound");
    read(&tree, &record);
}

/// Reads a tree of one table as queries and look-ups do.
fn read(tree: &Tree<2>, record: &TableRecord) {
    use crate::tree::{Direction, TreeRead};
    let tip: Arc<dyn TreeRead> = tree.tip().clone();
    let mut payload = vec![0; tip.payload_width()];
    let keys = [[0, 0], [3, 13], [40, 161], [record.key_max[0], record.key_max[1]]];
    for key in &keys {
        let _ = tip.lookup(key, &mut payload);
    }
    let width = tip.payload_width();
    for parts in [None, Some(&[0..1, width / 2..width][..])] {
        let _ = tip.lookup_batch(keys.as_flattened(), parts);
    }
    for direction in [Direction::Ascending, Direction::Descending] {
        let mut scan = tip.clone().scan(&[0, 0], &[u64::MAX; 2], direction);
        let mut rows = 0;
        while rows < 4096 && matches!(scan.advance(), Ok(true)) {
            rows += 1;
            if rows == 20 {
                let key = [30 + scan.key()[0] / 2, 0];
                let _ = scan.seek(&key);
            }
        }
        assert!(rows < 4096, "a table of 300 values gives more and more");
    }
    let _ = tip.verify_tables();
}

/// A value block, whatever its encoding: the header's encoding, counts and everything behind are the
/// input's. The first byte chooses the tree's shape.
pub fn value_block(mut data: &[u8]) {
    match take(&mut data, 1).first().copied().unwrap_or(0) % 3 {
        0 => parse_values::<1>(data, &meta(1, 70, Usage::Map, false)),
        1 => parse_values::<2>(data, &meta(2, 8, Usage::Map, true)),
        _ => parse_values::<3>(data, &meta(3, 0, Usage::Set, false)),
    }
}

fn parse_values<const K: usize>(mut data: &[u8], meta: &Arc<TreeMeta>) {
    let header = sector(take(&mut data, 9));
    let length = data.len().clamp(1, SECTOR_SIZE - BLOCK_HEADER_SIZE);
    let mut bytes = vec![0; (BLOCK_HEADER_SIZE + length).next_multiple_of(SECTOR_SIZE)];
    let body = take(&mut data, length);
    bytes[BLOCK_HEADER_SIZE..][..body.len()].copy_from_slice(body);
    let number = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four"));
    let info = BlockInfo {
        tree: 1,
        count: number(1),
        tombstone_count: number(5),
        op: 1,
        encoding: header[0],
    };
    let reference = seal_block(&mut bytes, BlockKind::Value, GRID_START, FILE_ID, info);
    let Ok(values) = parse_block::<K>(&bytes, &reference, meta) else {
        return;
    };
    assert!(values.len() > 0 && values.len() <= meta.layout.block_rows_max);
    let (mut tombstones, mut payload) = (0, vec![0; meta.payload_width]);
    for at in 0..values.len() {
        let key = values.key(at);
        values.read_payload(at, &mut payload);
        tombstones += i64::from(values.is_tombstone(at));
        assert!(values.lower_bound(&key) <= values.len());
        assert!(values.find(&key).is_none_or(|found| values.key(found) == key));
    }
    for lane in &meta.lanes {
        let mut numbers = Vec::new();
        let same = values.unpack_numbers(0..values.len(), *lane, &mut numbers);
        numbers.extend(same);
        if let Some((min, max)) = values.lane_bounds(*lane) {
            assert!(numbers.iter().all(|number| min <= *number && *number <= max));
        }
    }
    let _ = values.unpack(meta, &mut Chunk::new(meta));
    let (from, mut keys, mut scratch) = (values.len() / 3, Vec::new(), Vec::new());
    values.unpack_keys(from..values.len(), &mut keys, &mut scratch);
    for (at, key) in (from..values.len()).zip(&keys) {
        assert_eq!(values.key(at), *key);
    }
    let mut payloads = vec![0; keys.len() * meta.payload_width];
    for parts in [None, Some(&[0..1, meta.payload_width / 2..meta.payload_width][..])] {
        values.unpack_payloads(from..values.len(), parts, &mut payloads, &mut scratch);
        let mut gather = Gather::new(1, parts);
        gather.add(&values, from, &mut payloads, 0);
        gather.finish(meta.payload_width, &mut payloads);
    }
    assert_eq!(values.net_count(0..values.len()), values.len() as i64 - 2 * tombstones);
    for key in [[0; K], [u64::MAX; K]] {
        assert!(values.lower_bound(&key) <= values.len());
    }
}

/// Extents in use, 8 bytes each, and then what is taken from and given back to the free set.
pub fn free_set(mut data: &[u8]) {
    let how = sector(take(&mut data, 2));
    let number = |bytes: &[u8]| {
        let mut whole = [0; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(whole)
    };
    let mut used = Vec::new();
    for _ in 0..how[0] % 32 {
        let bytes = number(take(&mut data, 8));
        // Mostly within the grid, sometimes anywhere.
        let (place, sectors) = (bytes & 0xffff_ffff, (bytes >> 32) as u32);
        let address = match how[1] & 1 {
            0 => GRID_START + place % 128 * SECTOR_SIZE as u64,
            _ => (place << 12).wrapping_sub(bytes >> 60),
        };
        let sectors = if how[1] & 2 == 0 { sectors % 4 } else { sectors };
        used.push(Extent { address, sectors });
    }
    let Ok(mut free_set) = FreeSet::restore(GRID_START, GRID_END, used.clone()) else { return };
    let taken: u64 = used.iter().map(|extent| u64::from(extent.sectors)).sum();
    let all = (GRID_END - GRID_START) / SECTOR_SIZE as u64;
    assert_eq!(free_set.free_sectors() + taken, all);
    free_set.verify(used.clone(), true).expect("it is the complement");
    while !data.is_empty() {
        let byte = take(&mut data, 1)[0];
        match byte % 2 {
            0 => used.push(free_set.acquire(1 + u32::from(byte / 16))),
            _ if used.is_empty() => {}
            _ => {
                let at = usize::from(byte / 2) % used.len();
                free_set.release(used.swap_remove(at));
            }
        }
        free_set.verify(used.clone(), true).expect("it is the complement");
    }
}

/// Sound inputs of a target, made by the engine itself.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "superblock" => {
            let storage = MemoryStorage::new();
            storage.allocate(0, GRID_END).expect("memory");
            let mut superblock = Superblock::new(FILE_ID, format());
            superblock.grid_end = GRID_END;
            superblock.write(&storage).expect("memory");
            let mut next = superblock.successor();
            next.schema = Some(BlockRef { address: GRID_START, length: 4096, checksum: 1 });
            next.object_counts[0] = 5;
            next.groove_count = 1;
            let first = storage.snapshot_bytes()[..400].to_vec();
            next.write(&storage).expect("memory");
            let second = storage.snapshot_bytes()[..400].to_vec();
            let with = |how: u8, bytes: &[u8]| [&[how], bytes].concat();
            vec![with(0x0f, &first), with(0x0f, &second), with(0x16, &second)]
        }
        "wal" => {
            let storage = MemoryStorage::new();
            wal::format(&storage, WAL_SLOTS).expect("memory");
            let superblock = log_superblock();
            let before = Superblock::new(FILE_ID, format());
            let empty = wal::recover(&storage, &before, |_, _, _| Ok::<(), ReadError>(()));
            let mut writer = wal::WalWriter::resume(&superblock, empty.expect("it is empty"));
            let mut seeds = Vec::new();
            for op in 1..=3_u64 {
                let body = vec![op as u8; 100 * op as usize];
                writer.append(&storage, op, op - 1, &[&body]).expect("memory");
                writer.write_mark(&storage, op).expect("memory");
                let file = storage.snapshot_bytes();
                let mark = WAL_MARK_OFFSET as usize;
                let mut seed = vec![0];
                seed.extend_from_slice(&file[mark..mark + 128]);
                seed.extend_from_slice(&file[mark + SECTOR_SIZE..][..128]);
                seed.extend_from_slice(&file[WAL_OFFSET as usize..][..op as usize * SECTOR_SIZE]);
                seeds.push(seed);
            }
            seeds
        }
        "changes" => seed_changes().map(|changes| [&[32 + 12], &changes[..]].concat()).into(),
        "manifest" => {
            let (storage, _) = grid();
            let record = table(&storage, &meta(2, 8, Usage::Map, true));
            let event = |kind: u32, record: &TableRecord| {
                let mut event = vec![0; 8];
                event[..4].copy_from_slice(&kind.to_le_bytes());
                event.extend_from_slice(bytemuck::bytes_of(record));
                event
            };
            let shifted = |sectors: u64, key: u64| {
                let mut shifted = record;
                shifted.address += sectors * SECTOR_SIZE as u64;
                shifted.key_min[0] += key;
                shifted.key_max[0] += key;
                shifted
            };
            let (a, b) = (shifted(20, 0), shifted(40, 1000));
            let removal = TableRecord { address: a.address, ..TableRecord::zeroed() };
            let both = [event(1, &a), event(1, &b)].concat();
            vec![
                [&[1, 1], &both[..]].concat(),
                [&[2, 1], &both[..], &event(2, &removal)].concat(),
                [&[1, 1], &event(1, &a)[..], &event(1, &TableRecord { level: 1, ..a })].concat(),
            ]
        }
        "index_block" => {
            let (storage, _) = grid();
            let record = table(&storage, &meta(2, 8, Usage::Map, true));
            let index = record.index_block();
            let mut bytes = vec![0; index.length as usize];
            storage.read_at(index.address, &mut bytes).expect("memory");
            vec![[&bytes[40..41], &bytes[BLOCK_HEADER_SIZE..300]].concat()]
        }
        "value_block" => {
            let (storage, grid) = grid();
            let meta = meta(2, 8, Usage::Map, true);
            let record = table(&storage, &meta);
            let table = Table::<2>::new(record);
            let index = table.index(&grid, &meta).expect("it is sound");
            let blocks = index.blocks.iter().map(|block| {
                let mut bytes = vec![0; block.reference.length as usize];
                storage.read_at(block.reference.address, &mut bytes).expect("memory");
                [&[1, bytes[7]], &bytes[40..48], &bytes[BLOCK_HEADER_SIZE..]].concat()
            });
            blocks.collect()
        }
        "free_set" => vec![
            [&[3, 0], &2_u64.to_le_bytes()[..], &[5, 0, 0, 0, 1, 0, 0, 0], &[8; 9]].concat(),
            [&[0, 0], &(0..60).collect::<Vec<u8>>()[..]].concat(),
        ],
        other => panic!("there is no target {other}"),
    }
}
