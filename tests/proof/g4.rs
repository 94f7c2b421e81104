//! G4: each byte of a file is flipped in turn, and everything is read back: the rows are right, or an
//! error names the block. Never other rows, a panic, an endless read, or 64 MiB at once.
//!
//! Two files: a clean one, and one as a crash leaves it, with a log to replay, a torn entry at its end
//! that was never acknowledged, and no mark of the newest op but the one in the system's cache.

use std::sync::Arc;

use groove::{BlockKind, Corruption, Damage, Forest, OpenError, ReadError};
use groove_core::proof::anatomy::{Piece, pieces};
use groove_core::proof::{self, Random, SimulatedStorage};
use libtest_mimic::Trial;

use crate::allocations::bounded;
use crate::run::{Goal, trial};
use crate::shop::{Counted, Expected, Model, Shop, commit, filled, options};
use crate::tally::{self, Count};

const SECTOR: usize = 4096;
/// Bytes of a file at the most.
const FILE_MAX: usize = 256 << 10;
const SCOPES: u64 = 16;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("g4_flips_of_a_clean_file", |goal| flips(goal, &clean())),
        trial("g4_flips_of_a_crashed_file", |goal| flips(goal, &crashed())),
    ]
}

/// Flips in a few bytes of each piece of a file.
pub(crate) fn hunt(seed: u64) {
    let image = if seed.is_multiple_of(2) { clean() } else { crashed() };
    let sound = proof::Image::from_bytes(&image.file);
    let mut random = Random::new(seed);
    for piece in image.pieces.iter().flat_map(|piece| [piece; 3]) {
        let at = piece.offset + random.below(piece.ranges[0].len() as u64) as usize;
        flip(&image, &sound, at, random.below(8), Reads::Trees);
    }
}

/// A file, what it holds, and what its bytes are.
pub(crate) struct Image {
    pub(crate) file: Vec<u8>,
    model: Model,
    /// The next scope of the history.
    next: u64,
    pub(crate) expected: Expected,
    pub(crate) pieces: Vec<Piece>,
}

impl Image {
    /// The file without what is behind its grid's end, to which nothing refers.
    pub(crate) fn new(mut file: Vec<u8>, model: Model, next: u64) -> Image {
        let grid_end = u64::from_le_bytes(file[280..288].try_into().expect("eight bytes"));
        file.truncate(grid_end as usize);
        assert!(file.len() <= FILE_MAX, "the file has {} bytes", file.len());
        let pieces = pieces::<Shop>(&file);
        Image { expected: Expected::new(&model), file, model, next, pieces }
    }

    /// The piece that a byte is part of; `None` if nothing refers to it.
    pub(crate) fn piece(&self, at: usize) -> Option<&Piece> {
        self.pieces.iter().find(|piece| piece.contains(at))
    }
}

/// A file that was closed.
pub(crate) fn clean() -> Image {
    let (storage, forest, model) = filled(SCOPES);
    forest.close().expect("memory does not fail");
    Image::new(storage.cached().to_bytes(), model, SCOPES)
}

/// A file of which a crash cut off the entry that was being written.
pub(crate) fn crashed() -> Image {
    // One scope more, so that the next one does not end a bar: it writes an entry and nothing else.
    let next = SCOPES + 1;
    let (storage, forest, model) = filled(next);
    let mut file = storage.cached().to_bytes();
    commit(&forest, next, &mut model.clone()).expect("memory is not full");
    let later = storage.cached().to_bytes();
    let mut ring = 6 * SECTOR..6 * SECTOR + (32 << 10);
    let entry = ring.find(|at| file[*at] != later[*at]).expect("an entry was written");
    // The first sector of the device and a part of the second; the rest was lost.
    let torn = entry / SECTOR * SECTOR..entry / SECTOR * SECTOR + 700;
    file[torn.clone()].copy_from_slice(&later[torn.clone()]);
    let mut image = Image::new(file, model, next);
    image.pieces.retain(|piece| piece.offset != torn.start);
    image
}

/// What a damaged file came to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// All rows were right.
    Right,
    /// Nothing was wrong, but reads failed; each of these is the reason of one.
    Named(Vec<Corruption>),
}

/// What is asked of a damaged file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reads {
    /// Every tree, once.
    Trees,
    /// Every tree in every way.
    All,
    /// The same, and reads ahead and one by one within a scope.
    AllAndScope,
}

/// Opens a damaged file, reads everything back and verifies it. Nothing that comes back may be wrong,
/// and a refused open leaves the file unchanged.
pub(crate) fn judge(file: &proof::Image, expected: &Expected, reads: Reads) -> Outcome {
    bounded(|| {
        let storage = SimulatedStorage::from_image(file.clone(), 0);
        let verified = Forest::<Shop>::verify_storage(Counted::new(&storage), options());
        let mut corruptions = Vec::new();
        match Forest::<Shop>::open_storage(Counted::new(&storage), options()) {
            Ok(forest) => {
                let mut result = match reads {
                    Reads::Trees => expected.read_trees(&forest.snapshot()),
                    Reads::All | Reads::AllAndScope => expected.read_back(&forest.snapshot()),
                };
                if matches!(reads, Reads::AllAndScope) {
                    let in_scope = expected.read_in_scope(&forest);
                    result.wrong.extend(in_scope.wrong);
                    result.errors.extend(in_scope.errors);
                }
                assert!(result.wrong.is_empty(), "{:?}", result.wrong);
                corruptions.extend(result.errors.into_iter().map(|error| match error {
                    ReadError::Corrupt(corruption) => corruption,
                    other => panic!("the device did not fail: {other}"),
                }));
            }
            Err(OpenError::Corrupt { source, .. }) => {
                assert!(storage.cached() == *file, "a refused open changes nothing");
                corruptions.push(source);
            }
            Err(other) => panic!("{other}"),
        }
        match verified {
            Ok(verified) => {
                assert!(corruptions.is_empty(), "found sound as {verified}: {corruptions:?}");
                Outcome::Right
            }
            Err(OpenError::Corrupt { source, .. }) => {
                corruptions.push(source);
                Outcome::Named(corruptions)
            }
            Err(other) => panic!("{other}"),
        }
    })
}

/// Each byte once, scattered over the file; at larger scales the other bits too.
fn flips(goal: &Goal, image: &Image) {
    let length = image.file.len() as u64;
    // Copies share what nobody writes to.
    let sound = proof::Image::from_bytes(&image.file);
    // Odd and no divisor of a length that is a multiple of 4096: every byte comes once.
    let scattered = |seed: u64| (seed % length * 75_503 % length) as usize;
    goal.seeds(length, |seed| {
        let at = scattered(seed);
        let bit = (at as u64 / 3 + seed / length) % 8;
        let reads = match seed {
            seed if seed.is_multiple_of(31) => Reads::AllAndScope,
            seed if seed.is_multiple_of(4) => Reads::All,
            _ => Reads::Trees,
        };
        flip(image, &sound, at, bit, reads);
        tally::add(Count::Flips, 1);
    });
}

fn flip(image: &Image, sound: &proof::Image, at: usize, bit: u64, reads: Reads) {
    let mut file = sound.clone();
    file.write(at as u64, &[image.file[at] ^ 1 << bit]);
    let outcome = judge(&file, &image.expected, reads);
    let piece = image.piece(at);
    match (&outcome, piece.map(|piece| piece.kind)) {
        // Three copies and one mark are left; what nothing refers to is harmless.
        (Outcome::Right, None | Some(BlockKind::Superblock | BlockKind::WalMark)) => {}
        (Outcome::Named(corruptions), Some(kind)) => {
            let piece = piece.expect("it has a kind");
            for corruption in corruptions {
                let found = (corruption.offset as usize, corruption.kind, &corruption.tree);
                let tree = piece.tree.as_deref().map(Arc::from);
                assert_eq!(found, (piece.offset, kind, &tree), "byte {at}: {corruption}");
                let is_lost = matches!(corruption.damage, Damage::LostEntry { .. });
                assert_eq!(is_lost, kind == BlockKind::WalEntry, "byte {at}: {corruption}");
            }
        }
        _ => panic!("byte {at} of {piece:?}: {outcome:?}"),
    }
    if matches!(reads, Reads::AllAndScope) {
        go_on(image, &file);
    }
}

/// Writes to a damaged file what is acknowledged is there, and nothing is wrong.
fn go_on(image: &Image, file: &proof::Image) {
    let storage = SimulatedStorage::from_image(file.clone(), 0);
    let Ok(forest) = Forest::<Shop>::open_storage(Counted::new(&storage), options()) else {
        return;
    };
    let mut model = image.model.clone();
    let scopes = image.next..image.next + 12;
    let failed = { scopes }.find(|scope| commit(&forest, *scope, &mut model).is_err());
    let _ = forest.checkpoint();
    let result = Expected::new(&model).read_back(&forest.snapshot());
    assert!(result.wrong.is_empty(), "scope {failed:?}: {:?}", result.wrong);
    drop(forest);
    match Forest::<Shop>::open_storage(Counted::new(&storage), options()) {
        Ok(forest) => {
            let result = Expected::new(&model).read_back(&forest.snapshot());
            assert!(result.wrong.is_empty(), "scope {failed:?}: {:?}", result.wrong);
        }
        Err(OpenError::Corrupt { .. }) => {}
        Err(other) => panic!("{other}"),
    }
}
