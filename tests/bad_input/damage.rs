//! Damaged files: what is said of them, and what still works. That no flipped byte gives a wrong row is
//! goal G4 of `tests/proof`.

use groove::storage::MemoryStorage;
use groove::{BlockKind, Corruption, Damage, OpenError, ReadError};

use crate::orders::{Expected, Model, Order, insert, open, order, small};
use crate::{assert_says, message};

const SECTOR: usize = 4096;
const MARKS: usize = 4 * SECTOR;
const LOG: usize = MARKS + 2 * SECTOR;
const GRID: usize = LOG + (64 << 10);

/// A closed file of a hundred orders: eighty in tables, twenty in four entries of the log.
fn closed_file() -> (Vec<u8>, Model) {
    let storage = MemoryStorage::new();
    let forest = open(storage.clone(), small()).unwrap();
    let mut model = Model::new();
    for scope in 0..8 {
        insert(&forest, scope * 10..scope * 10 + 10, &mut model);
    }
    forest.checkpoint().unwrap();
    for scope in 0..4 {
        insert(&forest, 80 + scope * 5..85 + scope * 5, &mut model);
    }
    forest.close().unwrap();
    (storage.snapshot_bytes(), model)
}

/// A piece of the file that is one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Piece {
    begin: usize,
    end: usize,
}

/// The block of the grid that a byte is in: found by its header, whether in use or not.
fn block_around(file: &[u8], at: usize) -> Option<(Piece, BlockKind, u32)> {
    let mut begin = GRID;
    while begin + SECTOR <= file.len() {
        let header = &file[begin..begin + 64];
        let word = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap());
        let (length, kind) = match header {
            [b'g', b'r', b'v', b'B', _, _, kind, ..] => (word(32) as usize, *kind),
            _ => (SECTOR, 0),
        };
        if at < begin + length {
            let kind = match kind {
                4 => BlockKind::Value,
                5 => BlockKind::Filter,
                6 => BlockKind::Index,
                7 => BlockKind::Manifest,
                8 => BlockKind::Schema,
                _ => return None,
            };
            return Some((Piece { begin, end: begin + length }, kind, word(36)));
        }
        begin += length;
    }
    None
}

/// What a flipped byte came to.
#[derive(Debug, Default)]
struct Verdict {
    wrong: Vec<String>,
    corruptions: Vec<Corruption>,
    /// The open itself was refused.
    refused: bool,
}

fn judge(bytes: Vec<u8>, model: &Model) -> Verdict {
    let storage = MemoryStorage::from_bytes(bytes.clone());
    match open(storage.clone(), small()) {
        Ok(forest) => {
            let result = Expected::new(model).read_back(&forest.snapshot());
            let corruptions = result.corruptions().cloned().collect();
            Verdict { wrong: result.wrong, corruptions, refused: false }
        }
        Err(OpenError::Corrupt { source, .. }) => {
            assert!(storage.snapshot_bytes() == bytes, "a refused open changes nothing");
            Verdict { wrong: Vec::new(), corruptions: vec![source], refused: true }
        }
        Err(other) => panic!("{}", message(&other)),
    }
}

/// The trees by their numbers, as errors name them.
const TREES: [&str; 4] = ["Order.objects", "Order.id", "Order.ticket", "Order.customer"];

#[test]
fn a_damaged_block_is_named_with_its_offset_its_kind_and_its_tree_and_the_way_out() {
    let (file, model) = closed_file();
    let mut kinds = Vec::new();
    for sector in (GRID..file.len()).step_by(SECTOR) {
        let Some((piece, kind, tree)) = block_around(&file, sector) else { continue };
        if piece.begin != sector || kinds.contains(&kind) {
            continue;
        }
        let mut bytes = file.clone();
        bytes[sector + 100] ^= 1;
        let Some(corruption) = judge(bytes.clone(), &model).corruptions.pop() else { continue };
        kinds.push(kind);
        let offset = format!("{kind} at byte {sector}");
        match open(MemoryStorage::from_bytes(bytes), small()) {
            Ok(_) => {
                let tree = format!("of tree `{}`", TREES[tree as usize - 1]);
                let error = ReadError::Corrupt(corruption);
                assert_says(&error, &[&offset, &tree, "checksum", "restore the file from a copy"]);
            }
            Err(error) => {
                assert_says(&error, &["<storage>", "damaged", "restore it from a copy"]);
                assert!(message(&error).contains(&offset));
            }
        }
    }
    assert_eq!(kinds.len(), 5, "{kinds:?}");
}

/// Where the value block of the customers' index begins.
fn customers_block(file: &[u8], model: &Model) -> usize {
    let is_in_use = |sector: &usize| {
        let block = block_around(file, *sector);
        let is_value = block.is_some_and(|(_, kind, tree)| (kind, tree) == (BlockKind::Value, 4));
        let mut bytes = file.to_vec();
        bytes[sector + 100] ^= 1;
        is_value && !judge(bytes, model).corruptions.is_empty()
    };
    (GRID..file.len()).step_by(SECTOR).find(is_in_use).unwrap()
}

/// Nothing says that the newest op is on disk, so that an open makes a checkpoint first.
#[test]
fn a_damaged_block_does_not_keep_a_forest_from_being_opened_after_a_crash() {
    let (mut file, model) = closed_file();
    let at = customers_block(&file, &model);
    file[MARKS..LOG].fill(0);
    let whole = judge(file.clone(), &model);
    assert!(whole.wrong.is_empty() && whole.corruptions.is_empty(), "{whole:?}");
    file[at + 100] ^= 1;
    let verdict = judge(file, &model);
    assert!(verdict.wrong.is_empty() && !verdict.refused, "{verdict:?}");
    assert!(verdict.corruptions.iter().all(|corruption| corruption.offset == at as u64));
}

#[test]
fn a_compaction_that_meets_a_damaged_block_stops_writes_and_says_why() {
    let (file, mut model) = closed_file();
    let at = customers_block(&file, &model);
    let mut bytes = file;
    bytes[at + 100] ^= 1;
    let storage = MemoryStorage::from_bytes(bytes);
    let forest = open(storage.clone(), small()).unwrap();
    let mut refused = None;
    for scope in 50..250 {
        // No write reads an index that is not unique, but the merge with what was there does.
        let mut inserted = Vec::new();
        let written = forest.write(|orders| {
            for id in scope * 20..scope * 20 + 20 {
                inserted.push(Order { timestamp: orders.insert(order(id))?, ..order(id) });
            }
            Ok(())
        });
        match written {
            Ok(()) => model.extend(inserted.into_iter().map(|order| (order.id, order))),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    let Some(groove::WriteError::Commit(error @ groove::CommitError::Read(ReadError::Corrupt(_)))) =
        refused
    else {
        panic!("{refused:?}")
    };
    assert_says(&error, &["compaction cannot read", "other reads go on"]);
    assert!(
        message(&error).contains(&format!("value block at byte {at} of tree `Order.customer`"))
    );
    // Reads of everything else go on, now and after a reopen.
    let check = |snapshot: &groove::Snapshot<Order>| {
        let result = Expected::new(&model).read_back(snapshot);
        assert!(result.wrong.is_empty(), "{:?}", result.wrong);
        assert!(result.corruptions().all(|corruption| corruption.offset == at as u64));
    };
    check(&forest.snapshot());
    drop(forest);
    check(&open(storage, small()).unwrap().snapshot());
}

#[test]
fn three_damaged_copies_of_the_superblock_are_too_many() {
    let (file, model) = closed_file();
    for sound in 0..4 {
        let mut bytes = file.clone();
        for copy in (0..4).filter(|copy| *copy != sound) {
            bytes[copy * SECTOR + 200] ^= 1;
        }
        let verdict = judge(bytes, &model);
        let [corruption] = &verdict.corruptions[..] else { panic!("{verdict:?}") };
        assert_eq!(corruption.kind, BlockKind::Superblock);
        assert_eq!(corruption.damage, Damage::NoQuorum { valid_copies: 1 });
    }
    for pair in [[0, 1], [0, 3], [1, 2], [2, 3]] {
        let mut bytes = file.clone();
        for copy in pair {
            bytes[copy * SECTOR + 200] ^= 1;
        }
        let verdict = judge(bytes, &model);
        assert!(verdict.wrong.is_empty() && verdict.corruptions.is_empty(), "{verdict:?}");
    }
}

/// The one hole: nothing in the file says that the newest op was on disk.
#[test]
fn without_its_mark_a_damaged_newest_op_is_taken_for_one_that_was_never_acknowledged() {
    let (file, model) = closed_file();
    let slot = |op: usize| LOG + op * SECTOR;
    let newest = (0..16).filter(|at| file[slot(*at)..slot(*at) + 16] != [0; 16]).max().unwrap();
    let mut bytes = file.clone();
    bytes[slot(newest) + 200] ^= 1;
    let with_mark = judge(bytes.clone(), &model);
    assert!(with_mark.refused, "{with_mark:?}");
    bytes[MARKS..LOG].fill(0);
    let without: Model = model.into_iter().filter(|(id, _)| *id < 95).collect();
    let verdict = judge(bytes, &without);
    assert!(verdict.wrong.is_empty() && verdict.corruptions.is_empty(), "{verdict:?}");
}

#[test]
fn a_file_cut_off_anywhere_is_truncated_or_whole() {
    let (file, model) = closed_file();
    let sectors = (SECTOR..=file.len()).step_by(SECTOR);
    let lengths = sectors.flat_map(|end| [end - 1, end, end + 1]).chain([1, 2, 15, 16, 17, 100]);
    let (mut truncated, mut whole) = (0, 0);
    for length in lengths.filter(|length| *length <= file.len()) {
        let bytes = file[..length].to_vec();
        let storage = MemoryStorage::from_bytes(bytes.clone());
        match open(storage.clone(), small()) {
            Ok(forest) => {
                let result = Expected::new(&model).read_back(&forest.snapshot());
                assert!(
                    result.wrong.is_empty() && result.errors.is_empty(),
                    "{length}: {result:?}"
                );
                whole += 1;
            }
            Err(error @ OpenError::Truncated { length: found, needed, .. }) => {
                assert_eq!(found, length as u64);
                assert!(needed > found && needed <= file.len() as u64);
                assert!(storage.snapshot_bytes() == bytes, "a refused open changes nothing");
                if truncated == 0 {
                    let lengths = [found.to_string(), needed.to_string()];
                    let parts = ["<storage>", "truncated", &lengths[0], &lengths[1], "restore"];
                    assert_says(&error, &parts);
                }
                truncated += 1;
            }
            Err(other) => panic!("{length}: {}", message(&other)),
        }
    }
    println!("{truncated} truncated, {whole} whole");
    assert!(truncated > 3 * 20 && whole > 0);
}
