//! G5: blocks in the wrong place and blocks of another time. A write that went to the address of
//! another block of its kind, and a write that never came although a later one did, are detected when
//! they are read, and never served. One copy of the superblock of a later time counts for nothing.

use groove::BlockKind;
use groove_core::proof::anatomy::Piece;
use groove_core::proof::{self, SimulatedStorage};
use libtest_mimic::Trial;

use crate::g4::{Image, Outcome, Reads, clean, crashed, judge};
use crate::mutate::Random;
use crate::run::{Goal, trial};
use crate::shop::{Expected, Model, commit, filled, options};
use crate::tally::{self, Count};

const SECTOR: usize = 4096;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("g5_blocks_in_the_place_of_others", misdirected),
        trial("g5_blocks_of_another_time", stale),
        trial("g5_several_sectors_of_another_time", stale_sectors),
        trial("g5_a_copy_of_a_later_time", |goal| goal.seeds(400, later_copy)),
    ]
}

/// A piece of the file was replaced by other bytes. Copies of the superblock and marks are spare; all
/// else has to be named, if it is read.
fn check(image: &Image, file: Vec<u8>, at: &Piece, what: &str) {
    let is_spare = matches!(at.kind, BlockKind::Superblock | BlockKind::WalMark);
    match judge(&proof::Image::from_bytes(&file), &image.expected, Reads::All) {
        Outcome::Right => assert!(is_spare, "{what} is served"),
        Outcome::Named(corruptions) => {
            assert!(!is_spare, "{what} is not spare: {corruptions:?}");
            for corruption in corruptions {
                let found = (corruption.offset as usize, corruption.kind);
                assert_eq!(found, (at.offset, at.kind), "{what}: {corruption}");
            }
        }
    }
    tally::add(Count::Flips, 1);
}

/// The sectors that a piece takes; of a log entry that wraps around those up to the ring's end.
fn sectors(piece: &Piece) -> std::ops::Range<usize> {
    piece.offset..piece.ranges[0].end.next_multiple_of(SECTOR)
}

fn misdirected(goal: &Goal) {
    let images = [clean(), crashed()];
    let pairs: Vec<(&Image, &Piece, &Piece)> = images
        .iter()
        .flat_map(|image| {
            let pairs = image.pieces.iter().flat_map(move |a| {
                let others = image.pieces.iter().filter(move |b| b.offset != a.offset);
                others.filter(move |b| a.kind == b.kind).map(move |b| (image, a, b))
            });
            pairs.collect::<Vec<_>>()
        })
        .collect();
    let step = (pairs.len() as u64 / goal.scaled(pairs.len() as u64)).max(1);
    goal.seeds(pairs.len() as u64, |seed| {
        let (image, a, b) = pairs[(seed * step) as usize % pairs.len()];
        let mut file = image.file.clone();
        let (from, to) = (sectors(a), sectors(b));
        let length = from.len().min(to.len());
        file.copy_within(from.start..from.start + length, to.start);
        if file != image.file {
            check(image, file, b, &format!("{a:?} in the place of {b:?}"));
        }
    });
}

/// A copy of the superblock of a later time in a file.
pub(crate) fn hunt(seed: u64) {
    (seed * 20..seed * 20 + 20).for_each(later_copy);
}

/// Of four copies of the superblock one is newer than the three others, as a read from the wrong place
/// gives it: the state is that of the three.
fn later_copy(seed: u64) {
    const SCOPES: u64 = 24;
    let mut random = Random::new(seed);
    let end = 2 + random.below(SCOPES);
    let (storage, forest, mut model) = filled(1 + random.below(end));
    let file = storage.cached();
    let expected = Expected::new(&model);
    let copies = |image: &proof::Image| image.to_bytes()[..4 * SECTOR].to_vec();
    let before = copies(&file);
    let mut later = before.clone();
    for scope in end..end + SCOPES {
        commit(&forest, scope, &mut model).expect("memory is not full");
        later = copies(&storage.cached());
        if later != before && random.below(2) == 0 {
            break;
        }
    }
    assert!(later != before, "no checkpoint in {SCOPES} scopes");
    let copy = random.below(4) as usize * SECTOR;
    let mut mixed = file.clone();
    mixed.write(copy as u64, &later[copy..copy + SECTOR]);
    match judge(&mixed, &expected, Reads::All) {
        Outcome::Right => {}
        named => panic!("copy {} of a later time counts: {named:?}", copy / SECTOR),
    }
    tally::add(Count::Flips, 1);
}

/// The history of a file: its bytes after each scope, and at the end what it holds.
fn history() -> (Vec<Vec<u8>>, Image) {
    const SCOPES: u64 = 18;
    let storage = SimulatedStorage::new(0);
    let forest = groove::Forest::open_storage(std::sync::Arc::new(storage.clone()), options());
    let forest = forest.expect("memory does not fail");
    let mut model = Model::default();
    let mut history = vec![storage.cached().to_bytes()];
    for scope in 0..SCOPES {
        commit(&forest, scope, &mut model).expect("memory is not full");
        history.push(storage.cached().to_bytes());
    }
    forest.close().expect("memory does not fail");
    (history, Image::new(storage.cached().to_bytes(), model, SCOPES))
}

/// Every version that the sectors of a piece ever had, put back.
fn stale(goal: &Goal) {
    let (history, image) = history();
    let mut cases: Vec<(&Piece, Vec<u8>)> = Vec::new();
    for piece in &image.pieces {
        let mut versions: Vec<&[u8]> = Vec::new();
        for before in &history {
            let Some(version) = before.get(sectors(piece)) else { continue };
            let own = &image.file[sectors(piece)];
            // Of a log entry the end of the last sector is not part.
            let is_other = piece.ranges[0].clone().any(|at| before[at] != image.file[at]);
            if is_other && version != own && !versions.contains(&version) {
                versions.push(version);
            }
        }
        cases.extend(versions.into_iter().map(|version| (piece, version.to_vec())));
    }
    assert!(cases.len() > 50, "{} stale versions", cases.len());
    let step = (cases.len() as u64 / goal.scaled(cases.len() as u64)).max(1);
    goal.seeds(cases.len() as u64, |seed| {
        let (piece, version) = &cases[(seed * step) as usize % cases.len()];
        let mut file = image.file.clone();
        file[sectors(piece)].copy_from_slice(version);
        check(&image, file, piece, &format!("an old version of {piece:?}"));
    });
}

/// Any sectors of superblock and log are of one earlier time together: what comes back is the newest
/// state, or an error. The marks are what says that there is a newer one; with them a file as a whole
/// would be of that time.
fn stale_sectors(goal: &Goal) {
    let (history, image) = history();
    let log = 6..6 + (32 << 10) / SECTOR;
    goal.seeds(4_000, |seed| {
        let mut random = Random::new(seed);
        let before = &history[random.below(history.len() as u64) as usize];
        let mut file = image.file.clone();
        let share = 1 + random.below(8);
        for sector in (0..4).chain(log.clone()) {
            if random.below(8) < share {
                let sector = sector * SECTOR..(sector + 1) * SECTOR;
                file[sector.clone()].copy_from_slice(&before[sector]);
            }
        }
        judge(&proof::Image::from_bytes(&file), &image.expected, Reads::All);
        tally::add(Count::Flips, 1);
    });
}
