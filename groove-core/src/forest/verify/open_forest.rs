//! The check of an open forest, for the tests of this repository.

use std::sync::Arc;

use crate::error::{BlockKind, Damage, ReadError};
use crate::forest::engine::{Writer, visit_grooves};
use crate::forest::grooves::Grooves;
use crate::forest::timestamps::Timestamps;
use crate::forest::version::ForestVersion;
use crate::grid::{Extent, Grid, corrupt};
use crate::groove::{GrooveOpener, GrooveView, TreeParameters};
use crate::schema::GrooveSchema;
use crate::storage::MemoryStorage;

use super::Verified;

impl<S: Grooves> Writer<S> {
    /// Verifies an open forest: the newest committed state, and that of the free set nothing is in use
    /// and, between two bars, everything that is not in use is free.
    pub(in crate::forest) fn verify(&mut self) -> Result<Verified, ReadError> {
        let version = self.version_parts().version();
        let mut verified = Verified { op: version.op(), ..Verified::default() };
        let mut used = Vec::new();
        self.visit_trees(&mut |tree| {
            used.extend(tree.records().iter().map(|record| record.extent()));
        });
        let engine = &self.engine;
        used.extend(engine.retired.iter().map(|table| table.extent()));
        used.extend(engine.manifest.extents());
        let schema = engine.superblock.schema.expect("every file has a schema");
        let sectors = crate::grid::sectors(schema.length as usize);
        used.push(Extent { address: schema.address, sectors });
        let is_all = !engine.bar.is_sealed();
        engine.free_set.verify(used, is_all).map_err(|extent| {
            let damage = Damage::Invalid { what: "extent, which is in use twice or not at all," };
            corrupt(extent.address, BlockKind::Manifest, None, damage)
        })?;
        let grid = Arc::new(Grid::new(Arc::new(MemoryStorage::new()), [0; 16], 0));
        let timestamps = Arc::new(Timestamps::new(0, None));
        let block_size = crate::superblock::BLOCK_SIZE_MAX as usize;
        let parameters = TreeParameters { block_size, table_blocks: 1 };
        let mut opener = GrooveOpener::new(&grid, parameters, S::GROOVES, timestamps, 0);
        let mut grooves = S::open(&mut opener);
        let mut views = views(&version, S::GROOVES).into_iter();
        let mut result = Ok(());
        visit_grooves::<S>(&mut grooves, &mut |groove| {
            let view = views.next().expect("a view per groove");
            if result.is_ok() {
                result = groove.verify(&view).map(|groove| verified += groove.into());
            }
        });
        result.map(|()| verified)
    }
}

/// The trees of each groove.
fn views(version: &ForestVersion, grooves: &[GrooveSchema]) -> Vec<GrooveView> {
    let mut trees = version.trees();
    let views = grooves.iter().enumerate().map(|(ordinal, groove)| {
        let (own, rest) = trees.split_at(1 + groove.schema.indexes.len());
        trees = rest;
        GrooveView {
            schema: groove.schema,
            object_tree: own[0].clone(),
            index_trees: own[1..].into(),
            object_count: version.object_count(ordinal),
        }
    });
    views.collect()
}
