//! The space of compactions: extents for their outputs, and what is given back to the device.

use crate::compaction::Space;
use crate::constants::SECTOR_SIZE;
use crate::error::CommitError;
use crate::grid::Extent;
use crate::table::TableRecord;
use crate::tree::Demand;

use super::engine::Engine;
use super::trim::TrimJob;

/// Bytes of a block of the manifest log at the most.
const MANIFEST_BLOCK_BYTES: u64 = 128 << 10;
/// Free extents of so many blocks or more are given back to the device: of 128 KiB by default.
const TRIM_BLOCKS: u64 = 8;

impl Engine {
    /// Takes an extent for what each demand is likely to need, in the lowest gaps, and reserves it on the
    /// device, as well as what the manifest log takes with `tables` tables at the most. For what they need at
    /// the most there are addresses behind all. If the disk is full nothing is taken. Space that stays free is
    /// to be given back by the job that is returned too.
    pub(super) fn reserve(
        &mut self,
        demands: &[Demand],
        tables: usize,
    ) -> Result<(Vec<Space>, TrimJob), CommitError> {
        let mut free_set = self.free_set.clone();
        if defect!(ExtentsByCacheState) && self.grid.counters().1 % 2 == 1 {
            free_set.acquire(1);
        }
        let likely: Vec<Extent> =
            demands.iter().map(|demand| free_set.acquire(demand.likely)).collect();
        let mut ranges: Vec<(u64, u64)> =
            likely.iter().map(|extent| (extent.address, extent.end())).collect();
        let spaces = likely.into_iter().zip(demands).map(|(likely, demand)| {
            let is_all = demand.likely == demand.most;
            Space { likely, more: (!is_all).then(|| free_set.acquire_last(demand.most)) }
        });
        let spaces: Vec<Space> = spaces.collect();
        // The blocks of the manifest log go into the lowest gaps that take them.
        let sector = SECTOR_SIZE as u64;
        let mut spare = ((tables + 64) * 3 * size_of::<TableRecord>()) as u64;
        let mut kept_until = 0;
        for (from, to) in free_set.gaps() {
            if spare == 0 {
                break;
            }
            spare = spare.next_multiple_of(sector);
            kept_until = to.min(from + spare + MANIFEST_BLOCK_BYTES);
            ranges.push((from, kept_until));
            spare = spare.saturating_sub((to - from).saturating_sub(MANIFEST_BLOCK_BYTES));
        }
        // The file is as long as the grid, whatever is reserved of it.
        let spare = spare.next_multiple_of(sector);
        ranges.push((free_set.end() - sector, free_set.end() + spare));
        for (from, to) in ranges {
            let allocated = self.storage.allocate(from, to - from);
            if !defect!(NoSpaceIgnored) {
                allocated.map_err(|source| self.no_space(source))?;
            }
        }
        self.free_set = free_set;
        Ok((spaces, self.trim_job(kept_until)))
    }

    /// The job that gives space back to the device that nothing refers to, from `start` on: gaps in which
    /// something became free since the last such job.
    fn trim_job(&mut self, start: u64) -> TrimJob {
        let freed = std::mem::take(&mut self.freed);
        let is_new = |from: u64, to: u64| {
            freed.iter().any(|extent| extent.address < to && from < extent.end())
        };
        let gaps = self.free_set.gaps().map(|(from, to)| (from.max(start), to));
        let least = TRIM_BLOCKS * u64::from(self.superblock.options.block_size);
        let gaps = gaps.filter(|(from, to)| to.saturating_sub(*from) >= least);
        let mut gaps: Vec<(u64, u64)> = gaps.filter(|(from, to)| is_new(*from, *to)).collect();
        if defect!(TrimmedWhileHeld) {
            let held = self.retired.iter().map(|table| table.extent());
            gaps.extend(held.map(|extent| (extent.address, extent.end())));
        }
        TrimJob::new(self.storage.clone(), gaps)
    }

    /// Gives space back at once.
    pub(super) fn trim(&mut self) {
        self.trim_job(0).run();
    }
}
