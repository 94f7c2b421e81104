//! A checkpoint: what compactions installed becomes durable, and what they replaced is free.

use crate::constants::SECTOR_SIZE;
use crate::error::CommitError;
use crate::grid::{Extent, sectors};
use crate::table::TableRecord;
use crate::wal::WalWriter;

use super::bar::Sealed;
use super::engine::{Engine, Writer};
use super::grooves::Grooves;

impl<S: Grooves> Writer<S> {
    /// Makes what a stage installed durable, with the state of the last seal if its values are in tables now, and
    /// frees what only older states refer to.
    pub(super) fn checkpoint_stage(&mut self, sealed: Option<Sealed>) -> Result<(), CommitError> {
        let mut records = Vec::new();
        self.visit_trees(&mut |tree| records.extend(tree.records()));
        let engine = &mut self.engine;
        let publisher = engine.publisher.clone();
        let released =
            publisher.exclusively(|| engine.write_checkpoint(sealed.as_ref(), records))?;
        // The syncs covered every entry that was appended so far.
        engine.publisher.synced(engine.op);
        let version = self.version_parts().version();
        let engine = &mut self.engine;
        engine.publisher.republish(version);
        for extent in released.into_iter().chain(engine.unused.drain(..)) {
            engine.free_set.release(extent);
            engine.freed.push(extent);
        }
        engine.release_retired();
        Ok(())
    }
}

impl Engine {
    /// Writes manifest log and superblock, which covers as many entries as before if there is no newer state that
    /// was sealed; returns what is free once that is durable, which it is.
    fn write_checkpoint(
        &mut self,
        sealed: Option<&Sealed>,
        records: Vec<TableRecord>,
    ) -> std::io::Result<Vec<Extent>> {
        let live = records.len();
        let tables_end = records.iter().map(|record| record.extent().end()).max();
        let grid = self.grid.clone();
        let op = sealed.map_or(self.superblock.checkpoint.op, |sealed| sealed.op);
        let flushed = self.manifest.flush(&grid, &mut self.free_set, op, move || records, live)?;
        let grid_end = self.grid_end(tables_end);
        // Tables and manifest log are on disk before anything refers to them.
        if !defect!(SuperblockBeforeTables) {
            self.storage.sync()?;
        }
        let mut superblock = self.superblock.successor();
        if let Some(sealed) = sealed {
            let op = if defect!(CheckpointTooNew) { self.op } else { sealed.op };
            superblock.checkpoint = position(&self.wal, op);
            if !defect!(TimestampMaxForgotten) {
                superblock.timestamp_max = sealed.timestamp_max;
            }
            for (count, sealed) in superblock.object_counts.iter_mut().zip(&sealed.object_counts) {
                *count = if defect!(ObjectCountForgotten) { *count } else { *sealed };
            }
        }
        superblock.manifest = self.manifest.head();
        superblock.manifest_block_count = self.manifest.block_count() as u64;
        superblock.grid_end = grid_end;
        superblock.write(&*self.storage)?;
        self.superblock = superblock;
        if let Some(sealed) = sealed {
            self.wal.release(sealed.op);
        }
        Ok(flushed.released)
    }

    /// Where the last block ends that the next superblock refers to. All up to there was written and
    /// synced, so the file is that long after any crash. Of what is reserved behind, that is not
    /// certain: a sync that failed may have lost the growth of the file, and the process after it
    /// still sees it.
    fn grid_end(&self, tables_end: Option<u64>) -> u64 {
        let schema = self.superblock.schema.expect("from the beginning on");
        let schema_end =
            schema.address + sectors(schema.length as usize) as u64 * SECTOR_SIZE as u64;
        let manifest_end = self.manifest.extents().iter().map(Extent::end).max();
        schema_end.max(tables_end.unwrap_or(0)).max(manifest_end.unwrap_or(0))
    }

    fn release_retired(&mut self) {
        let (held, free): (Vec<_>, Vec<_>) =
            self.retired.drain(..).partition(|handle| handle.is_held() && !defect!(FreedWhileHeld));
        self.retired = held;
        for handle in free {
            self.free_set.release(handle.extent());
            self.freed.push(handle.extent());
        }
    }
}

fn position(wal: &WalWriter, op: u64) -> crate::superblock::WalPosition {
    wal.position_of(op).expect("the entries since the last checkpoint are live")
}
