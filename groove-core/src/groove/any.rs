//! A groove without its object type: what the forest does with all of them alike.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::error::ReadError;
use crate::field::IndexKey;
use crate::forest::{ForestVersion, Timestamps};
use crate::grid::Grid;
use crate::key::unique_limbs;
use crate::memory::PendingMark;
use crate::object::Object;
use crate::schema::{GrooveSchema, Schema};
use crate::tree::AnyTree;

use super::log::{Change, ChangeLog, ChangeMark, ChangeShape, Changes, Packer};
use super::object_cache::ObjectCache;
use super::open::{TreeOpener, TreeParameters, TreeVisitor};
use super::prefetch::Queue;
use super::prefetched::Prefetched;
use super::snapshot::Snapshot;
use super::store::Groove;
use super::verify::GrooveVerified;
use super::view::GrooveView;
use crate::table::PayloadLane;

/// Where a scope began in one groove.
pub(crate) struct GrooveMark {
    trees: Vec<PendingMark>,
    changes: ChangeMark,
    object_count: u64,
    is_torn: bool,
}

/// What the forest does with a groove.
pub(crate) trait AnyGroove {
    /// Shows the object tree, then the index trees in declaration order.
    fn visit_trees(&mut self, visit: &mut dyn FnMut(&mut dyn AnyTree));
    /// The end of the open scope's changes.
    fn mark(&mut self) -> GrooveMark;
    /// Takes the changes since the mark back.
    fn discard(&mut self, mark: GrooveMark);
    /// Whether a panic interrupted a change: some trees have it and others do not.
    fn is_torn(&self) -> bool;
    /// Whether this is the groove of that number of the forest with that grid.
    fn is_made_as(&self, ordinal: usize, grid: &Arc<Grid>) -> bool;
    /// Bytes of the open scope's changes before they are packed.
    fn changes_length(&self) -> usize;
    /// What the open scope's changes count in a bar: at least their length.
    fn changes_weight(&self) -> usize;
    /// Appends the open scope's changes as the log keeps them: not longer than that.
    fn pack_changes(&mut self, out: &mut Vec<u8>);
    /// Forgets what is cached of objects that the open scope changed.
    fn forget_changed(&mut self);
    /// Makes the open scope's changes part of the committed state, but for the trees, which are committed one
    /// by one, and begins an empty scope.
    fn commit(&mut self);
    /// Drops what was prefetched for the scope.
    fn end_scope(&mut self);
    /// Carries out changes from the log, as part of the open scope. Reads no tree. An error says what
    /// no writer writes.
    fn replay(&mut self, changes: &[u8]) -> Result<(), &'static str>;
    /// What queries of the open scope see.
    fn view(&mut self) -> GrooveView;
    /// Checks the trees of `view`, which are of this object type. No scope is open.
    fn verify(&mut self, view: &GrooveView) -> Result<GrooveVerified, ReadError>;
    /// How many objects are committed.
    fn committed_count(&self) -> u64;
    fn set_object_count(&mut self, count: u64);
}

impl<O: Object> AnyGroove for Groove<O> {
    fn visit_trees(&mut self, visit: &mut dyn FnMut(&mut dyn AnyTree)) {
        visit(&mut self.object_tree);
        O::visit_trees(&mut self.trees, &mut TreeVisitor::new(visit));
    }

    fn mark(&mut self) -> GrooveMark {
        let mut trees = Vec::with_capacity(1 + O::SCHEMA.indexes.len());
        self.visit_trees(&mut |tree| trees.push(tree.mark()));
        let changes = self.log.mark();
        let (object_count, is_torn) = (self.object_count, self.is_torn);
        GrooveMark { trees, changes, object_count, is_torn }
    }

    fn discard(&mut self, mark: GrooveMark) {
        let mut trees = mark.trees.into_iter();
        self.visit_trees(&mut |tree| tree.discard(trees.next().expect("a mark per tree")));
        self.log.truncate(mark.changes);
        self.object_count = mark.object_count;
        self.is_torn = mark.is_torn;
    }

    fn is_torn(&self) -> bool {
        self.is_torn
    }

    fn is_made_as(&self, ordinal: usize, grid: &Arc<Grid>) -> bool {
        self.ordinal == ordinal && Arc::ptr_eq(self.object_tree.tip().grid(), grid)
    }

    fn changes_length(&self) -> usize {
        self.log.bytes().len()
    }

    fn changes_weight(&self) -> usize {
        self.log.weight()
    }

    fn pack_changes(&mut self, out: &mut Vec<u8>) {
        let meta = self.object_tree.meta();
        self.packer.pack(self.log.bytes(), change_shape::<O>(&meta.lanes), out);
    }

    fn forget_changed(&mut self) {
        for [timestamp] in self.object_tree.pending_keys() {
            if !defect!(StaleRowCached) {
                self.cache.remove(*timestamp);
            }
        }
    }

    fn commit(&mut self) {
        self.log.clear();
        self.committed_count = self.object_count;
    }

    fn end_scope(&mut self) {
        self.forget_prefetched();
    }

    fn replay(&mut self, changes: &[u8]) -> Result<(), &'static str> {
        let meta = self.object_tree.meta().clone();
        let decode =
            |timestamp, row: &[u8]| O::read_row(timestamp, row).map_err(|_| "row of a change");
        for change in Changes::new(changes, change_shape::<O>(&meta.lanes)) {
            match change? {
                Change::Insert { timestamp, row } => {
                    let object: O = decode(timestamp, &row)?;
                    if !defect!(ReplayForgetsTimestamps) {
                        self.timestamps.note(timestamp);
                    }
                    self.object_tree.put([timestamp], &row);
                    object.insert_entries(&mut self.trees, timestamp);
                    self.object_count += 1;
                }
                Change::Update { timestamp, old, new } => {
                    self.row.clear();
                    self.row.extend_from_slice(&new);
                    let old: O = decode(timestamp, &old)?;
                    let new: O = decode(timestamp, &new)?;
                    self.apply_update(&old, &new);
                }
                Change::Remove { timestamp, row } => {
                    if self.object_count == 0 {
                        return Err("removal of an object that is not there");
                    }
                    let object: O = decode(timestamp, &row)?;
                    self.erase(&object, timestamp);
                }
                Change::Orphan { key } => {
                    let (ordinal, _) = O::SCHEMA.primary().expect("the derive asks for one");
                    let limbs = key.as_chunks::<8>().0.iter();
                    let limbs: Vec<u64> = limbs.map(|limb| u64::from_le_bytes(*limb)).collect();
                    let tree = O::unique_tree(&mut self.trees, ordinal);
                    tree.expect("the primary index is unique").orphan(&limbs);
                }
            }
        }
        Ok(())
    }

    fn view(&mut self) -> GrooveView {
        self.scope_view()
    }

    fn verify(&mut self, view: &GrooveView) -> Result<GrooveVerified, ReadError> {
        self.verify_view(view)
    }

    fn committed_count(&self) -> u64 {
        self.committed_count
    }

    fn set_object_count(&mut self, count: u64) {
        self.object_count = count;
        self.committed_count = count;
    }
}

fn change_shape<O: Object>(lanes: &[PayloadLane]) -> ChangeShape<'_> {
    let primary_limbs = unique_limbs(O::Primary::KEY_WIDTH);
    let key_width = if O::SCHEMA.orphaned_ids { 8 * primary_limbs } else { 0 };
    ChangeShape { row_width: O::ROW_WIDTH, key_width, lanes }
}

/// A field of a `#[derive(Forest)]` struct: [`Groove<O>`].
#[diagnostic::on_unimplemented(
    message = "a field of a forest is a `Groove<O>`, not `{Self}`",
    note = "write `Groove<{Self}>` if `{Self}` derives `Groove`"
)]
pub trait GrooveField {
    /// The object type.
    type Object: Object;
    /// What a snapshot of the forest has in this field's place.
    type Snapshot;
    /// The description of the object type.
    const SCHEMA: &'static Schema;
}

impl<O: Object> GrooveField for Groove<O> {
    type Object = O;
    type Snapshot = Snapshot<O>;
    const SCHEMA: &'static Schema = O::SCHEMA;
}

/// Makes the grooves of a forest, in declaration order. Called by what the derive generates.
pub struct GrooveOpener<'a> {
    grid: &'a Arc<Grid>,
    parameters: TreeParameters,
    grooves: &'static [GrooveSchema],
    timestamps: Arc<Timestamps>,
    /// Bytes of the object cache of each groove.
    cache_size: u64,
    ordinal: usize,
    next_tree: u32,
}

impl fmt::Debug for GrooveOpener<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GrooveOpener").finish_non_exhaustive()
    }
}

impl<'a> GrooveOpener<'a> {
    pub(crate) fn new(
        grid: &'a Arc<Grid>,
        parameters: TreeParameters,
        grooves: &'static [GrooveSchema],
        timestamps: Arc<Timestamps>,
        cache_size: u64,
    ) -> Self {
        GrooveOpener { grid, parameters, grooves, timestamps, cache_size, ordinal: 0, next_tree: 1 }
    }

    /// The next groove.
    pub fn groove<O: Object>(&mut self) -> Groove<O> {
        let GrooveSchema { name, schema } = self.grooves[self.ordinal];
        let ordinal = self.ordinal;
        self.ordinal += 1;
        let mut opener = TreeOpener::new(self.grid, self.parameters, name, schema, self.next_tree);
        let object_tree = opener.objects();
        let trees = O::open_trees(&mut opener);
        self.next_tree += 1 + u32::try_from(schema.indexes.len()).expect("few indexes");
        Groove {
            name,
            ordinal,
            is_torn: false,
            object_tree,
            trees,
            log: ChangeLog::default(),
            packer: Packer::default(),
            object_count: 0,
            committed_count: 0,
            timestamps: self.timestamps.clone(),
            cache: ObjectCache::new(self.cache_size, O::ROW_WIDTH),
            prefetched: Prefetched::new(O::ROW_WIDTH),
            queue: Queue::default(),
            row: Vec::with_capacity(O::ROW_WIDTH),
            old_row: Vec::with_capacity(O::ROW_WIDTH),
            object: PhantomData,
        }
    }
}

/// Shows the grooves of a forest to the engine, in declaration order. Called by what the derive
/// generates.
pub struct GrooveVisitor<'a> {
    visit: &'a mut dyn FnMut(&mut dyn AnyGroove),
}

impl fmt::Debug for GrooveVisitor<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GrooveVisitor").finish_non_exhaustive()
    }
}

impl<'a> GrooveVisitor<'a> {
    pub(crate) fn new(visit: &'a mut dyn FnMut(&mut dyn AnyGroove)) -> Self {
        GrooveVisitor { visit }
    }

    /// Shows a groove.
    pub fn groove<O: Object>(&mut self, groove: &mut Groove<O>) {
        (self.visit)(groove);
    }
}

/// Makes the snapshots of a forest's grooves, in declaration order. Called by what the derive
/// generates.
pub struct SnapshotOpener<'a> {
    version: &'a Arc<ForestVersion>,
    grooves: &'static [GrooveSchema],
    ordinal: usize,
    next_tree: usize,
}

impl fmt::Debug for SnapshotOpener<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SnapshotOpener").finish_non_exhaustive()
    }
}

impl<'a> SnapshotOpener<'a> {
    pub(crate) fn new(version: &'a Arc<ForestVersion>, grooves: &'static [GrooveSchema]) -> Self {
        SnapshotOpener { version, grooves, ordinal: 0, next_tree: 0 }
    }

    /// The next groove's snapshot.
    pub fn groove<O: Object>(&mut self) -> Snapshot<O> {
        let GrooveSchema { name, schema } = self.grooves[self.ordinal];
        let trees = &self.version.trees()[self.next_tree..][..1 + schema.indexes.len()];
        let view = GrooveView {
            schema,
            object_tree: trees[0].clone(),
            index_trees: trees[1..].into(),
            object_count: self.version.object_count(self.ordinal),
        };
        self.ordinal += 1;
        self.next_tree += trees.len();
        Snapshot::new(view, name, self.version.clone())
    }
}
