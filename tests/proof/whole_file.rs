//! The target `whole_file` for fuzzers: a sound file is edited, its checksums are made to agree up to
//! the superblock, and it is opened, verified, read, written to and opened again.

use std::sync::OnceLock;

use groove::{CommitError, Forest, WriteError};
use groove_core::proof::anatomy::{pieces, reseal};
use groove_core::proof::{Image, SimulatedStorage};

use crate::shop::{Counted, Expected, Model, Shop, commit, filled, options};

const SCOPES: u64 = 16;

struct Base {
    file: Vec<u8>,
    model: Model,
    expected: Expected,
}

fn base() -> &'static Base {
    static BASE: OnceLock<Base> = OnceLock::new();
    BASE.get_or_init(|| {
        let (storage, forest, model) = filled(SCOPES);
        forest.close().expect("memory does not fail");
        let mut file = storage.cached().to_bytes();
        let grid_end = u64::from_le_bytes(file[280..288].try_into().expect("eight bytes"));
        file.truncate(grid_end as usize);
        Base { expected: Expected::new(&model), file, model }
    })
}

/// An input is a byte that says whether checksums stay as they were, and edits: an offset in 3 bytes, a
/// length in 1, and as many bytes.
pub(crate) fn whole_file(data: &[u8]) {
    let base = base();
    let Some((how, mut data)) = data.split_first() else { return };
    let mut file = base.file.clone();
    while let Some((head, rest)) = data.split_first_chunk::<4>() {
        let [a, b, c, length] = *head;
        let (bytes, rest) = rest.split_at(usize::from(length).min(rest.len()));
        let at = u32::from_le_bytes([a, b, c, 0]) as usize % file.len();
        let end = (at + bytes.len()).min(file.len());
        file[at..end].copy_from_slice(&bytes[..end - at]);
        data = rest;
    }
    if how & 1 == 0 {
        reseal::<Shop>(&mut file);
    }
    run(&file, base);
}

fn run(file: &[u8], base: &Base) {
    // Copies share what nobody writes to: a look at whether something changed costs nothing.
    let image = Image::from_bytes(file);
    let storage = SimulatedStorage::from_image(image.clone(), 0);
    let verified = Forest::<Shop>::verify_storage(Counted::new(&storage), options());
    assert!(storage.cached() == image, "verifying changes nothing");
    let forest = match Forest::<Shop>::open_storage(Counted::new(&storage), options()) {
        Ok(forest) => forest,
        Err(error) => {
            assert!(verified.is_err(), "found sound as {verified:?}, and not opened: {error}");
            assert!(storage.cached() == image, "a refused open changes nothing");
            return;
        }
    };
    // Forged rows are no wrong rows: what is asked is that every read ends, and that what was found
    // sound can be read and written.
    let result = base.expected.read_back(&forest.snapshot());
    let in_scope = base.expected.read_in_scope(&forest);
    if verified.is_ok() {
        let errors: Vec<_> = result.errors.iter().chain(&in_scope.errors).collect();
        assert!(errors.is_empty(), "found sound: {errors:?}");
    }
    let mut model = base.model.clone();
    let mut failed = None;
    for scope in SCOPES..SCOPES + 6 {
        if let Err(error) = commit(&forest, scope, &mut model) {
            let is_panic = matches!(error, WriteError::Commit(CommitError::Panicked));
            assert!(!is_panic, "a commit panicked");
            failed = Some(error);
            break;
        }
    }
    let checkpoint = forest.checkpoint();
    assert!(!matches!(checkpoint, Err(CommitError::Panicked)), "a checkpoint panicked");
    if verified.is_ok() {
        assert!(checkpoint.is_ok(), "found sound: {checkpoint:?}, {failed:?}");
        let snapshot = forest.snapshot();
        snapshot.verify().unwrap_or_else(|error| panic!("found sound: {error}, {failed:?}"));
    }
    drop(forest);
    let reopened = Forest::<Shop>::open_storage(Counted::new(&storage), options());
    assert!(reopened.is_ok() || verified.is_err(), "found sound: {:?}", reopened.err());
}

/// Inputs that edit each kind of block where its counts, references and keys are.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let file = &base().file;
    let mut seeds = vec![vec![0]];
    let mut kinds = Vec::new();
    for piece in pieces::<Shop>(file) {
        if kinds.contains(&piece.kind) {
            continue;
        }
        kinds.push(piece.kind);
        let mut seed = vec![0];
        for at in [36, 40, 72, 96, 104, 200] {
            let offset = u32::try_from(piece.offset + at).expect("the file is small");
            seed.extend_from_slice(&offset.to_le_bytes()[..3]);
            seed.push(8);
            // As they are; a mutator changes them.
            seed.extend_from_slice(&file[piece.offset + at..][..8]);
        }
        seeds.push(seed);
    }
    seeds
}
