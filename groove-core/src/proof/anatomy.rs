//! Where the blocks of a file are, and how its checksums are made to agree again after its bytes were
//! changed: what damages a file precisely, and what gets forged contents past the checksums.
//!
//! Written against the format as ARCHITECTURE.md describes it, not with the engine's readers, which are
//! what it tests. Takes any bytes: what leads nowhere is passed over.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::checksum::{Domain, checksum};
use crate::error::BlockKind;
use crate::forest::Grooves;
use crate::key::unique_limbs;
use crate::schema::IndexKind;

const SECTOR: usize = 4096;
const COPIES: usize = 4;
const MARKS: Range<usize> = 4 * SECTOR..6 * SECTOR;
const RING: usize = 6 * SECTOR;
/// Blocks of a chain, and entries of a log, that are followed at the most.
const CHAIN_MAX: usize = 4096;

/// Something in the file that is damaged or whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// What it is.
    pub kind: BlockKind,
    /// Where it begins.
    pub offset: usize,
    /// Its bytes: of a log entry header and body, which may wrap around; of others the whole block.
    pub ranges: Vec<Range<usize>>,
    /// The tree that it belongs to, as errors name it.
    pub tree: Option<String>,
}

impl Piece {
    fn new(kind: BlockKind, offset: usize, length: usize, tree: Option<String>) -> Piece {
        let ranges = std::iter::once(offset..offset + length).collect();
        Piece { kind, offset, ranges, tree }
    }

    /// Whether the byte is part of it.
    pub fn contains(&self, at: usize) -> bool {
        self.ranges.iter().any(|range| range.contains(&at))
    }

    /// Bytes of it.
    pub fn length(&self) -> usize {
        self.ranges.iter().map(Range::len).sum()
    }
}

/// A tree: its name, and the limbs of its keys.
struct TreeShape {
    name: String,
    limbs: usize,
}

fn trees<S: Grooves>() -> Vec<TreeShape> {
    let mut trees = Vec::new();
    for groove in S::GROOVES {
        trees.push(TreeShape { name: format!("{}.objects", groove.name), limbs: 1 });
        for index in groove.schema.indexes {
            let timestamp = usize::from(index.kind == IndexKind::NonUnique);
            let limbs = unique_limbs(index.key_width) + timestamp;
            trees.push(TreeShape { name: format!("{}.{}", groove.name, index.name), limbs });
        }
    }
    trees
}

fn bytes<const N: usize>(file: &[u8], at: usize) -> [u8; N] {
    let bytes = at.checked_add(N).and_then(|end| file.get(at..end));
    bytes.map_or([0; N], |bytes| bytes.try_into().expect("as many bytes"))
}

fn u32_at(file: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes(file, at)) as usize
}

fn u64_at(file: &[u8], at: usize) -> usize {
    usize::try_from(u64::from_le_bytes(bytes(file, at))).unwrap_or(usize::MAX)
}

fn put(file: &mut [u8], at: usize, sum: u128) {
    if let Some(bytes) = at.checked_add(16).and_then(|end| file.get_mut(at..end)) {
        bytes.copy_from_slice(&sum.to_le_bytes());
    }
}

/// A reference to a block: address, length and checksum lie at these offsets in the parent.
#[derive(Debug, Clone, Copy)]
struct Reference {
    checksum_at: usize,
    address: usize,
    length: usize,
}

impl Reference {
    /// As superblocks and manifest blocks hold it.
    fn read(file: &[u8], at: usize) -> Option<Reference> {
        let (address, length) = (u64_at(file, at + 16), u32_at(file, at + 24));
        Reference { checksum_at: at, address, length }.within(file)
    }

    /// If it leads to whole sectors behind the log.
    fn within(self, file: &[u8]) -> Option<Reference> {
        let end = self.address.checked_add(self.length)?;
        let is_block = self.address >= RING
            && self.address.is_multiple_of(SECTOR)
            && self.length.is_multiple_of(SECTOR)
            && self.length > 0
            && end <= file.len();
        is_block.then_some(self)
    }

    fn range(&self) -> Range<usize> {
        self.address..self.address + self.length
    }

    /// Makes the checksum that the parent holds agree.
    fn reseal(&self, file: &mut [u8], kind: BlockKind) {
        let sum = checksum(kind.into(), &file[self.range()]);
        put(file, self.checksum_at, sum);
    }
}

/// A table in use: its index block, whose checksum lies in an event, and what that refers to.
struct TableParts {
    tree: usize,
    index: Reference,
    values: Vec<Reference>,
    filter: Option<Reference>,
}

/// Manifest blocks, oldest first, that lie before `head`, which is the last.
fn chain(file: &[u8], head: Reference) -> Vec<Reference> {
    let mut chain = vec![head];
    let mut seen = BTreeSet::from([head.address]);
    while chain.len() < CHAIN_MAX {
        let newest = chain[chain.len() - 1].address;
        let Some(before) = Reference::read(file, newest + 64) else { break };
        if !seen.insert(before.address) {
            break;
        }
        chain.push(before);
    }
    chain.reverse();
    chain
}

const EVENT: usize = 152;
const PREFIX: usize = 64 + 32;

/// The tables that the events of a chain leave in use.
fn tables(file: &[u8], chain: &[Reference], trees: &[TreeShape]) -> Vec<TableParts> {
    let mut records = BTreeMap::new();
    for block in chain {
        let events = u32_at(file, block.address + 40).min((block.length - PREFIX) / EVENT);
        for event in 0..events {
            let event = block.address + PREFIX + event * EVENT;
            match u32_at(file, event) {
                1 => records.insert(u64_at(file, event + 16), event + 8),
                _ => records.remove(&u64_at(file, event + 16)),
            };
        }
    }
    records.values().filter_map(|record| table(file, *record, trees)).collect()
}

fn table(file: &[u8], record: usize, trees: &[TreeShape]) -> Option<TableParts> {
    let (tree, address) = (u32_at(file, record), u64_at(file, record + 8));
    let index_at = u32_at(file, record + 20).checked_mul(SECTOR)?;
    let index = Reference {
        checksum_at: record + 32,
        address: address.checked_add(index_at)?,
        length: u32_at(file, record + 24),
    };
    let index = index.within(file)?;
    let limbs = trees.get(tree.wrapping_sub(1)).map_or(1, |tree| tree.limbs);
    let entry_size = 32 + 8 * limbs;
    let entries = u32_at(file, index.address + 40).min((index.length - PREFIX) / entry_size);
    let mut parts = TableParts { tree, index, values: Vec::new(), filter: None };
    let mut address = address;
    for entry in 0..entries {
        let entry = index.address + PREFIX + entry * entry_size;
        let length = u32_at(file, entry + 16);
        parts.values.extend(Reference { checksum_at: entry, address, length }.within(file));
        address = address.checked_add(length)?;
    }
    let length = u32_at(file, index.address + 64 + 16);
    parts.filter = Reference { checksum_at: index.address + 64, address, length }.within(file);
    Some(parts)
}

/// A log entry of the chain that begins at a checkpoint.
struct EntryParts {
    offset: usize,
    /// Header and body.
    ranges: Vec<Range<usize>>,
}

/// The entries behind the checkpoint of the superblock copy at `copy`, by their headers alone.
fn entries(file: &[u8], copy: usize) -> Vec<EntryParts> {
    let slots = u32_at(file, copy + 100).min(file.len().saturating_sub(RING) / SECTOR);
    let mut op = u64_at(file, copy + 192);
    let mut slot = u32_at(file, copy + 200);
    let mut used = 0;
    let mut entries = Vec::new();
    while slot < slots && used < slots && entries.len() < CHAIN_MAX {
        let is_next = |offset: &usize| {
            bytes(file, offset + 96) == *b"grvWalE1"
                && u64_at(file, offset + 72) == op.wrapping_add(1)
                && u64_at(file, offset + 80) <= slots * SECTOR
        };
        // In a cell of the slot before, if no sync began in between.
        let before = RING + (slot + slots - 1) % slots * SECTOR;
        let mut places = (1..8).map(|cell| before + cell * 512).chain([RING + slot * SECTOR]);
        let Some(offset) = places.find(is_next) else { break };
        let length = u64_at(file, offset + 80);
        let begin = offset % SECTOR;
        let taken = (begin + 128 + length).div_ceil(SECTOR) - usize::from(begin > 0);
        let (ring_end, end) = (RING + slots * SECTOR, offset + 128 + length);
        let ranges = match end.checked_sub(ring_end) {
            Some(wrapped) if wrapped > 0 => vec![offset..ring_end, RING..RING + wrapped],
            _ => std::iter::once(offset..end).collect(),
        };
        entries.push(EntryParts { offset, ranges });
        (op, slot, used) = (op + 1, (slot + taken) % slots, used + taken);
    }
    entries
}

/// The superblock copies, marks, live log entries, and every block that the superblock at copy 0
/// reaches.
pub fn pieces<S: Grooves>(file: &[u8]) -> Vec<Piece> {
    let trees = trees::<S>();
    let mut pieces = Vec::new();
    for copy in 0..COPIES {
        pieces.push(Piece::new(BlockKind::Superblock, copy * SECTOR, SECTOR, None));
    }
    for mark in MARKS.step_by(SECTOR) {
        pieces.push(Piece::new(BlockKind::WalMark, mark, 128, None));
    }
    for EntryParts { offset, ranges } in entries(file, 0) {
        pieces.push(Piece { kind: BlockKind::WalEntry, offset, ranges, tree: None });
    }
    let block = |kind, reference: Reference, tree: Option<usize>| {
        let tree = tree.and_then(|tree| trees.get(tree.wrapping_sub(1)));
        let tree = tree.map(|tree| tree.name.clone());
        Piece::new(kind, reference.address, reference.length, tree)
    };
    if let Some(schema) = Reference::read(file, 240) {
        pieces.push(block(BlockKind::Schema, schema, None));
    }
    let chain = Reference::read(file, 208).map_or_else(Vec::new, |head| chain(file, head));
    pieces.extend(chain.iter().map(|part| block(BlockKind::Manifest, *part, None)));
    for table in tables(file, &chain, &trees) {
        let tree = Some(table.tree);
        pieces.push(block(BlockKind::Index, table.index, tree));
        pieces.extend(table.values.iter().map(|part| block(BlockKind::Value, *part, tree)));
        pieces.extend(table.filter.map(|part| block(BlockKind::Filter, part, tree)));
    }
    pieces
}

/// Makes every checksum agree with the bytes, from the value blocks up to the superblock, and those of
/// the log behind its checkpoint.
pub fn reseal<S: Grooves>(file: &mut [u8]) {
    let trees = trees::<S>();
    for copy in (0..COPIES).map(|copy| copy * SECTOR) {
        if file.len() < copy + SECTOR {
            return;
        }
        let log = reseal_log(file, copy);
        if copy == 0 {
            reseal_marks(file, &log);
        }
        if let Some(schema) = Reference::read(file, copy + 240) {
            schema.reseal(file, BlockKind::Schema);
        }
        if let Some(head) = Reference::read(file, copy + 208) {
            reseal_tables(file, head, &trees);
            head.reseal(file, BlockKind::Manifest);
        }
        let mut bare = file[copy..copy + SECTOR].to_vec();
        bare[16..32].fill(0);
        bare[64..68].fill(0);
        put(file, copy + 16, checksum(Domain::Superblock, &bare));
    }
}

fn reseal_tables(file: &mut [u8], head: Reference, trees: &[TreeShape]) {
    let chain = chain(file, head);
    for table in tables(file, &chain, trees) {
        table.values.iter().for_each(|part| part.reseal(file, BlockKind::Value));
        table.filter.iter().for_each(|part| part.reseal(file, BlockKind::Filter));
        table.index.reseal(file, BlockKind::Index);
    }
    // Each refers to the one before, from behind its own header.
    for pair in chain.windows(2) {
        Reference { checksum_at: pair[1].address + 64, ..pair[0] }
            .reseal(file, BlockKind::Manifest);
    }
}

/// Returns op and checksum of each entry.
fn reseal_log(file: &mut [u8], copy: usize) -> BTreeMap<usize, u128> {
    let mut sums = BTreeMap::new();
    let mut parent = u128::from_le_bytes(bytes(file, copy + 176));
    for EntryParts { offset, ranges } in entries(file, copy) {
        let mut entry = Vec::new();
        ranges.into_iter().for_each(|range| entry.extend_from_slice(&file[range]));
        put(file, offset + 16, checksum(Domain::WalBody, &entry[128..]));
        put(file, offset + 32, parent);
        parent = checksum(Domain::WalEntry, &file[offset + 16..offset + 128]);
        put(file, offset, parent);
        sums.insert(u64_at(file, offset + 72), parent);
    }
    sums
}

fn reseal_marks(file: &mut [u8], log: &BTreeMap<usize, u128>) {
    for mark in MARKS.step_by(SECTOR) {
        if bytes(file, mark + 64) != *b"grvWalM1" {
            continue;
        }
        if let Some(sum) = log.get(&u64_at(file, mark + 56)) {
            put(file, mark + 16, *sum);
        }
        let sum = checksum(Domain::WalMark, &file[mark + 16..mark + 128]);
        put(file, mark, sum);
    }
}
