//! Makes the trees of a groove, and shows them to the forest, in declaration order.

use std::sync::Arc;

use crate::constants::KEY_LIMBS_MAX;
use crate::grid::Grid;
use crate::key::unique_limbs;
use crate::memory::Usage;
use crate::schema::{IndexKind, Schema};
use crate::table::{LastTemplate, PayloadLane, TableLayout, TreeMeta, plain_lanes, row_lanes};
use crate::tree::{AnyTree, Tree};

use super::index_tree::IndexTree;
use super::unique_tree::UniqueTree;

/// The sizes that all trees of a forest share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TreeParameters {
    pub(crate) block_size: usize,
    pub(crate) table_blocks: usize,
}

impl TreeParameters {
    /// Whether each tree's values fit into a block.
    pub(crate) fn fit(&self, schema: &Schema) -> bool {
        let widths = schema.indexes.iter().map(|index| (index.key_width + 8, 8));
        let mut widths = widths.chain([(8, schema.row_width())]);
        widths.all(|(key, payload)| {
            TableLayout::new(key, payload, 1, true, self.block_size, self.table_blocks).is_some()
        })
    }
}

/// Makes the trees of one groove, in declaration order. Called by what the derive generates.
pub struct TreeOpener<'a> {
    grid: &'a Arc<Grid>,
    parameters: TreeParameters,
    groove: &'static str,
    schema: &'static Schema,
    /// The number of the next tree: the object tree first, then the index trees.
    next_id: u32,
    /// The next index of the schema.
    ordinal: usize,
}

impl std::fmt::Debug for TreeOpener<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TreeOpener").field("groove", &self.groove).finish_non_exhaustive()
    }
}

impl<'a> TreeOpener<'a> {
    pub(super) fn new(
        grid: &'a Arc<Grid>,
        parameters: TreeParameters,
        groove: &'static str,
        schema: &'static Schema,
        first_id: u32,
    ) -> Self {
        TreeOpener { grid, parameters, groove, schema, next_id: first_id, ordinal: 0 }
    }

    /// The tree of the next index, which is unique.
    pub fn unique<const K: usize>(&mut self) -> UniqueTree<K> {
        let index = &self.schema.indexes[self.ordinal];
        assert_ne!(index.kind, IndexKind::NonUnique, "the derive and the schema disagree");
        assert_eq!(K, unique_limbs(index.key_width), "the derive and the schema disagree");
        self.ordinal += 1;
        let tree = self.tree(index.name, index.key_width, plain_lanes(8), 8, Usage::Map, true);
        UniqueTree::new(tree, self.groove, index.name)
    }

    /// The tree of the next index, which is not unique.
    pub fn index<const K: usize>(&mut self) -> IndexTree<K> {
        let index = &self.schema.indexes[self.ordinal];
        assert_eq!(index.kind, IndexKind::NonUnique, "the derive and the schema disagree");
        assert_eq!(K, unique_limbs(index.key_width) + 1, "the derive and the schema disagree");
        self.ordinal += 1;
        IndexTree::new(self.tree(index.name, index.key_width + 8, Vec::new(), 0, Usage::Set, false))
    }

    /// The object tree; made before the others.
    pub(super) fn objects(&mut self) -> Tree<1> {
        assert_eq!(self.ordinal, 0, "the object tree is the first");
        let lanes = row_lanes(self.schema);
        self.tree("objects", 8, lanes, self.schema.row_width(), Usage::Map, false)
    }

    fn tree<const K: usize>(
        &mut self,
        name: &str,
        key_width: usize,
        lanes: Vec<PayloadLane>,
        payload_width: usize,
        usage: Usage,
        filter: bool,
    ) -> Tree<K> {
        assert!(K <= KEY_LIMBS_MAX, "an index key is at most 32 bytes wide");
        let TreeParameters { block_size, table_blocks } = self.parameters;
        let layout =
            TableLayout::new(key_width, payload_width, K, filter, block_size, table_blocks)
                .expect("the forest checked that values fit into blocks");
        let id = self.next_id;
        self.next_id += 1;
        let name = format!("{}.{name}", self.groove).into();
        let template = LastTemplate::default();
        let meta =
            TreeMeta { id, name, usage, key_width, payload_width, lanes, filter, layout, template };
        Tree::new(Arc::new(meta), self.grid.clone())
    }
}

/// Shows the trees of one groove to the forest, in declaration order. Called by what the derive
/// generates.
pub struct TreeVisitor<'a> {
    visit: &'a mut dyn FnMut(&mut dyn AnyTree),
}

impl std::fmt::Debug for TreeVisitor<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TreeVisitor").finish_non_exhaustive()
    }
}

impl<'a> TreeVisitor<'a> {
    pub(super) fn new(visit: &'a mut dyn FnMut(&mut dyn AnyTree)) -> Self {
        TreeVisitor { visit }
    }

    /// Shows the tree of a unique index.
    pub fn unique<const K: usize>(&mut self, tree: &mut UniqueTree<K>) {
        (self.visit)(tree.tree_mut());
    }

    /// Shows the tree of a non-unique index.
    pub fn index<const K: usize>(&mut self, tree: &mut IndexTree<K>) {
        (self.visit)(tree.tree_mut());
    }
}
