//! The full check: finds a sound file sound, names the damage of one that is not, changes nothing.

use std::sync::Arc;

use groove::storage::{MemoryStorage, Storage};
use groove::{
    BlockKind, Corruption, Damage, Forest, Groove, OpenError, Options, Predicate, QueryError,
    ReadError, UpdateError,
};
use groove_core::proof;
use groove_core::proof::anatomy::{Piece, pieces, reseal};

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
#[groove(orphaned_ids, derived(decade: u64 = Parcel::decade))]
struct Parcel {
    #[index(primary)]
    id: u64,
    #[index(unique, optional)]
    label: u128,
    #[index]
    depot: u16,
    #[index(optional)]
    weight: u32,
    #[groove(ignore)]
    note: [u8; 40],
    timestamp: u64,
}

impl Parcel {
    fn decade(&self) -> Option<u64> {
        (!self.id.is_multiple_of(4)).then_some(self.id / 10)
    }
}

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
struct Stop {
    #[index]
    depot: u16,
    timestamp: u64,
}

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
struct Flag {
    #[index(primary)]
    id: u64,
    #[groove(ignore)]
    is_up: bool,
    timestamp: u64,
}

#[derive(Forest)]
struct Post {
    parcels: Groove<Parcel>,
    stops: Groove<Stop>,
}

fn options() -> Options {
    Options::default()
        .block_size(4096)
        .table_size(4096)
        .wal_size(64 << 10)
        .growth_factor(2)
        .compaction_threads(0)
        .file_id(*b"a file of tests.")
}

fn parcel(id: u64) -> Parcel {
    let label = if id.is_multiple_of(3) { 0 } else { u128::from(id) << 70 };
    let (depot, weight) = ((id % 7) as u16, (id % 5) as u32);
    Parcel { id, label, depot, weight, note: [id as u8; 40], timestamp: 0 }
}

fn open(storage: &MemoryStorage) -> Forest<Post> {
    Forest::open_storage(Arc::new(storage.clone()), options()).unwrap()
}

/// Ids all over the range, so that the tables of a level overlap those of the next.
fn id(number: u64) -> u64 {
    number * 7919 % 10_007
}

/// Inserts, updates, removals and orphaned ids, in `scopes` scopes.
fn fill(forest: &Forest<Post>, scopes: std::ops::Range<u64>) {
    for scope in scopes {
        let change = |post: &mut groove::Scope<'_, Post>| {
            for number in scope * 20..scope * 20 + 20 {
                post.parcels.insert(parcel(id(number)))?;
            }
            post.stops.insert(Stop { depot: scope as u16, timestamp: 0 })?;
            if scope > 2 {
                post.parcels.remove(id(scope * 20 - 35))?;
                post.parcels.modify(id(scope * 20 - 33), |parcel| {
                    parcel.depot += 1;
                    parcel.weight = 0;
                })?;
                post.parcels.insert_orphaned_id(1_000_000 + scope)?;
            }
            Ok(())
        };
        forest.write(change).unwrap();
    }
}

/// A forest of several levels with a log after its last checkpoint.
fn filled() -> (MemoryStorage, Forest<Post>) {
    let storage = MemoryStorage::new();
    let forest = open(&storage);
    fill(&forest, 0..150);
    (storage, forest)
}

#[test]
fn a_sound_file_is_found_sound_and_nothing_is_changed() {
    let (storage, forest) = filled();
    let statistics = forest.statistics();
    assert!(statistics.levels >= 3 && statistics.op > statistics.checkpoint_op, "{statistics:?}");
    // As after a crash, and after a planned end.
    for is_closed in [false, true] {
        if is_closed {
            forest.clone().close().unwrap();
        }
        let before = storage.snapshot_bytes();
        let storage = MemoryStorage::from_bytes(before.clone());
        let verified =
            Forest::<Post>::verify_storage(Arc::new(storage.clone()), options()).unwrap();
        assert!(storage.snapshot_bytes() == before);
        let snapshot = forest.snapshot();
        let objects = snapshot.parcels.len() + snapshot.stops.len();
        assert_eq!((verified.op, verified.objects), (150, objects));
        assert_eq!(verified.superblock_copies, 4);
        assert_eq!(verified.log_entries, 150 - statistics.checkpoint_op);
        assert_eq!(verified.tables, statistics.tables);
        assert_eq!(verified.table_bytes, statistics.table_bytes);
        let of_snapshot = snapshot.verify().unwrap();
        assert_eq!((of_snapshot.objects, of_snapshot.entries), (objects, verified.entries));
        assert!(verified.to_string().starts_with(&format!("op 150: {objects} objects and ")));
    }
    // 3000 parcels less 147 removed; a unique key, a depot and two thirds of the labels each ...
    let orphans = 147;
    let parcels: Vec<Parcel> = forest
        .snapshot()
        .parcels
        .query(groove::Predicate::all())
        .iter()
        .collect::<Result<_, _>>()
        .unwrap();
    let entries = |parcel: &Parcel| {
        let optional = [parcel.label != 0, parcel.weight != 0, parcel.decade().is_some()];
        2 + optional.iter().filter(|is_there| **is_there).count() as u64
    };
    let expected = parcels.iter().map(entries).sum::<u64>() + 150 + orphans;
    assert_eq!(forest.snapshot().verify().unwrap().entries, expected);
}

#[test]
fn an_open_forest_is_sound_at_every_moment_and_its_free_set_is_the_complement() {
    let storage = MemoryStorage::new();
    let forest = open(&storage);
    let mut held = Vec::new();
    for scope in 0..60 {
        fill(&forest, scope..scope + 1);
        proof::verify_open(&forest).unwrap();
        if scope % 13 == 0 {
            held.push(forest.snapshot());
        }
    }
    forest.checkpoint().unwrap();
    proof::verify_open(&forest).unwrap();
    for snapshot in held {
        snapshot.verify().unwrap();
    }
    forest.checkpoint().unwrap();
    proof::verify_open(&forest).unwrap();
}

#[test]
fn a_file_is_verified_by_its_path_unless_somebody_writes_to_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("post.groove");
    let missing = Post::verify(&path, options()).unwrap_err();
    assert!(matches!(missing, OpenError::NotFound { .. }), "{missing}");
    let forest = Post::open(&path, options()).unwrap();
    fill(&forest, 0..20);
    let locked = Post::verify(&path, options()).unwrap_err();
    assert!(matches!(locked, OpenError::Locked { .. }), "{locked}");
    forest.close().unwrap();
    let before = std::fs::read(&path).unwrap();
    let verified = Post::verify(&path, options()).unwrap();
    assert_eq!((verified.op, verified.superblock_copies), (20, 4));
    assert!(std::fs::read(&path).unwrap() == before);
    let schema = Forest::<Parcel>::verify(&path, options()).unwrap_err();
    assert!(matches!(schema, OpenError::Schema { .. }), "{schema}");
}

#[test]
fn a_damaged_copy_of_the_superblock_is_counted_out() {
    let (storage, forest) = filled();
    drop(forest);
    let mut sector = [0; 4096];
    storage.read_at(2 * 4096, &mut sector).unwrap();
    sector[300] ^= 1;
    storage.write_at(2 * 4096, &sector).unwrap();
    let verified = Forest::<Post>::verify_storage(Arc::new(storage), options()).unwrap();
    assert_eq!(verified.superblock_copies, 3);
}

#[test]
fn a_sound_file_whose_checksums_are_made_anew_is_the_same() {
    let (storage, forest) = filled();
    forest.close().unwrap();
    let file = storage.snapshot_bytes();
    let mut resealed = file.clone();
    reseal::<Post>(&mut resealed);
    assert!(resealed == file);
}

/// A closed file of one table per tree, of parcels that `change` was applied to.
fn parcels(change: impl Fn(&mut Parcel)) -> Vec<u8> {
    let storage = MemoryStorage::new();
    let options = options().table_size(16 << 10);
    let forest = Forest::<Post>::open_storage(Arc::new(storage.clone()), options).unwrap();
    let insert = |post: &mut groove::Scope<'_, Post>| {
        for id in 0..300 {
            let mut parcel = parcel(id);
            change(&mut parcel);
            post.parcels.insert(parcel)?;
            post.stops.insert(Stop { depot: id as u16, timestamp: 0 })?;
        }
        Ok(())
    };
    forest.write(insert).unwrap();
    forest.checkpoint().unwrap();
    forest.close().unwrap();
    storage.snapshot_bytes()
}

/// Forges a file of parcels: `forge` changes its bytes, whose checksums are then made to agree.
fn forged(forge: impl FnOnce(&mut Vec<u8>, &[Piece])) -> Corruption {
    let mut file = parcels(|_| {});
    let pieces = pieces::<Post>(&file);
    forge(&mut file, &pieces);
    reseal::<Post>(&mut file);
    let storage = Arc::new(MemoryStorage::from_bytes(file));
    match Forest::<Post>::verify_storage(storage, options()) {
        Err(OpenError::Corrupt { source, .. }) => source,
        other => panic!("{other:?}"),
    }
}

/// The first block of a kind and a tree.
fn block<'a>(pieces: &'a [Piece], kind: BlockKind, tree: &str) -> &'a Piece {
    let is_wanted = |piece: &&Piece| piece.kind == kind && piece.tree.as_deref() == Some(tree);
    pieces.iter().find(is_wanted).unwrap()
}

/// Takes the blocks of one tree, and what the manifest log says of it, from a file that differs in one
/// object. It has the same blocks in the same places.
fn graft(tree: &str, change: impl Fn(&mut Parcel)) -> Corruption {
    let other = parcels(change);
    forged(|file, pieces| {
        let own = |piece: &Piece| (piece.kind, piece.offset, piece.length());
        let others = self::pieces::<Post>(&other);
        assert!(pieces.iter().map(own).eq(others.iter().map(own)), "the files are alike");
        for piece in pieces {
            if piece.kind == BlockKind::Manifest || piece.tree.as_deref() == Some(tree) {
                let range = piece.ranges[0].clone();
                file[range.clone()].copy_from_slice(&other[range]);
            }
        }
    })
}

#[test]
fn an_entry_of_another_key_is_found() {
    let depot = graft("parcels.depot", |parcel| parcel.depot += u16::from(parcel.id == 150));
    assert_eq!(depot.tree.as_deref(), Some("parcels.depot"));
    assert_eq!(depot.damage, Damage::EntryMissing { timestamp: timestamp(150) });
    // Of a unique index too, and of the object tree, whose row says what entries there are.
    let label = graft("parcels.label", |parcel| {
        parcel.label += u128::from(parcel.id == 151);
    });
    assert_eq!(label.tree.as_deref(), Some("parcels.label"));
    assert_eq!(label.damage, Damage::EntryMissing { timestamp: timestamp(151) });
    let row = graft("parcels.objects", |parcel| parcel.depot += u16::from(parcel.id == 152));
    assert_eq!(row.tree.as_deref(), Some("parcels.depot"));
    assert_eq!(row.damage, Damage::EntryMissing { timestamp: timestamp(152) });
}

/// Of the parcel with this id: parcels and stops take turns.
fn timestamp(id: u64) -> u64 {
    2 * id + 1
}

#[test]
fn an_entry_that_the_object_does_not_have_and_one_that_is_missing_are_found() {
    // Parcels of weight 0 have no entry; 150 is one of them, 151 is none.
    let foreign = graft("parcels.weight", |parcel| {
        parcel.weight += u32::from(parcel.id == 150);
    });
    assert_eq!(foreign.tree.as_deref(), Some("parcels.weight"));
    assert_eq!(foreign.damage, Damage::EntryForeign { timestamp: timestamp(150) });
    let missing = graft("parcels.weight", |parcel| {
        parcel.weight *= u32::from(parcel.id != 151);
    });
    assert_eq!(missing.tree.as_deref(), Some("parcels.weight"));
    assert_eq!(missing.damage, Damage::EntryMissing { timestamp: timestamp(151) });
}

#[test]
fn value_blocks_in_each_others_places_and_a_filter_without_its_keys_are_found() {
    let mut offset = 0;
    let order = forged(|file, pieces| {
        let is_value = |piece: &&Piece| {
            piece.kind == BlockKind::Value && piece.tree.as_deref() == Some("parcels.objects")
        };
        let values: Vec<&Piece> = pieces.iter().filter(is_value).collect();
        let [a, b, ..] = values[..] else { panic!("{values:?}") };
        assert_eq!(a.length(), b.length());
        offset = a.offset;
        // All but the address, which a block repeats.
        for at in (0..24).chain(32..a.length()) {
            file.swap(a.offset + at, b.offset + at);
        }
    });
    assert_eq!((order.offset, order.kind), (offset as u64, BlockKind::Value));
    assert_eq!(order.damage, Damage::Invalid { what: "lowest key" });
    let filter = forged(|file, pieces| {
        let block = block(pieces, BlockKind::Filter, "parcels.id");
        offset = block.offset;
        file[offset + 64..offset + 96].fill(0);
    });
    assert_eq!((filter.offset, filter.kind), (offset as u64, BlockKind::Filter));
}

#[test]
fn a_count_of_objects_or_a_highest_timestamp_that_is_wrong_is_found() {
    let count = forged(|file, _| (0..4).for_each(|copy| file[copy * 4096 + 304] ^= 1));
    assert_eq!((count.offset, count.kind), (0, BlockKind::Superblock));
    assert!(matches!(count.damage, Damage::Count { .. }), "{count}");
    let highest = forged(|file, _| (0..4).for_each(|copy| file[copy * 4096 + 289] = 0));
    assert_eq!(highest.damage, Damage::Invalid { what: "highest timestamp" });
}

/// A flag as a program wrote it that took other values for its field.
mod loose {
    #[derive(groove::Groove, Clone, Copy, Debug)]
    #[groove(name = "Flag")]
    pub(super) struct Flag {
        #[index(primary)]
        pub(super) id: u64,
        #[groove(ignore)]
        pub(super) is_up: u8,
        pub(super) timestamp: u64,
    }
}

/// A row that does not decode was reported at byte 0 of the file, in the object tree under the groove's
/// name. Now the error names the block that the row is in.
#[test]
fn a_row_that_is_no_object_names_its_block_on_every_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("flags.groove");
    let schema = {
        let storage = MemoryStorage::new();
        Forest::<Flag>::open_storage(Arc::new(storage.clone()), options()).unwrap();
        storage.snapshot_bytes()
    };
    let forest = Forest::<loose::Flag>::open(&path, options()).unwrap();
    let flag = loose::Flag { id: 7, is_up: 2, timestamp: 0 };
    forest.write(|flags| Ok(flags.insert(flag)?)).unwrap();
    forest.checkpoint().unwrap();
    forest.close().unwrap();
    let mut file = std::fs::read(&path).unwrap();
    let pieces = pieces::<loose::Flag>(&file);
    let at = block(&pieces, BlockKind::Value, "Flag.objects").offset;
    let is_schema = |piece: &&Piece| piece.kind == BlockKind::Schema;
    let range = pieces.iter().find(is_schema).unwrap().ranges[0].clone();
    file[range.clone()].copy_from_slice(&schema[range]);
    reseal::<Flag>(&mut file);
    std::fs::write(&path, &file).unwrap();

    let verified = Forest::<Flag>::verify(&path, options()).unwrap_err();
    let OpenError::Corrupt { source, .. } = verified else { panic!("{verified}") };
    let forest = Forest::<Flag>::open(&path, options()).unwrap();
    let flags = forest.snapshot();
    let mut errors = vec![
        flags.get(7).unwrap_err(),
        flags.get_by_timestamp(1).unwrap_err(),
        flags.get_many([7]).unwrap_err(),
        flags.verify().unwrap_err(),
    ];
    for query in [flags.query(Predicate::all()), flags.query(Flag::ID.eq(7))] {
        let Err(QueryError::Read(error)) = query.collect() else { panic!("it is read") };
        errors.push(error);
    }
    let in_scope = forest.write(|flags| {
        errors.push(flags.get(7).unwrap_err());
        errors.push(flags.remove(7).unwrap_err());
        let Err(UpdateError::Read(error)) = flags.modify(7, |_| ()) else { panic!("it is read") };
        errors.push(error);
        Ok(())
    });
    in_scope.unwrap();
    for error in errors {
        let ReadError::Corrupt(corruption) = error else { panic!("{error}") };
        assert_eq!(corruption, source);
    }
    assert_eq!((source.offset, source.kind), (at as u64, BlockKind::Value));
    assert_eq!(source.tree.as_deref(), Some("Flag.objects"));
    assert_eq!(source.damage, Damage::Invalid { what: "row" });
}
