//! The full check: finds a sound file sound, names the damage of one that is not, changes nothing.

use std::sync::Arc;

use groove::storage::{MemoryStorage, Storage};
use groove::{Forest, Groove, OpenError, Options};
use groove_core::proof;

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
