//! Counting the keys of a map tree.
//!
//! A key may be in several sources, of which the newest counts, so numbers of values cannot be added up as those of a
//! set tree are. But where one source alone has values, as many keys live as it has puts. So the sources are walked as
//! for a scan, stretch by stretch; and of a level that is alone for whole blocks or tables only the index is read, or
//! nothing at all.

use crate::error::ReadError;
use crate::memory::{Key, Usage};
use crate::tree::read::Direction;

use super::{MergeScan, Nearest};

impl<const K: usize> MergeScan<K> {
    /// How many keys live in the range of a scan that ascends and has not begun.
    ///
    /// It is at its end afterwards. Costs a search in each source; where sources are interleaved, about as a scan does.
    pub(in crate::tree) fn count(&mut self) -> Result<u64, ReadError> {
        assert_eq!(self.direction, Direction::Ascending, "keys are counted upwards");
        assert_eq!(self.version.meta().usage, Usage::Map, "a set tree adds up its counts");
        self.start()?;
        let mut count = 0_u64;
        loop {
            if self.is_behind_block {
                // As many as a forged record says.
                count = count.saturating_add(self.pass_blocks()?);
            }
            let Some(Nearest { lead, key, bound }) = self.nearest() else { return Ok(count) };
            let source = &self.heads[lead].source;
            if bound == Some(key) || source.is_tombstone() {
                count = count.saturating_add(self.pass_key(lead, &key)?.into());
                continue;
            }
            let range = (&self.min, &self.max);
            let stretch = source.stretch(self.direction, source.len(), range, bound.as_ref());
            count = count.saturating_add(stretch.len() as u64);
            self.pass(lead, &stretch);
        }
    }

    /// Has the heads that are behind a block go to a block that is to be looked into; gives how many keys live in those
    /// that they pass.
    fn pass_blocks(&mut self) -> Result<u64, ReadError> {
        let mut count = 0_u64;
        for number in 0..self.heads.len() {
            if !self.heads[number].is_behind_block {
                continue;
            }
            // What another head has before the bound it has passed.
            let others = self.heads.iter().enumerate().filter(|(other, _)| *other != number);
            let bound: Option<Key<K>> = others
                .filter_map(|(_, head)| match head.is_behind_block {
                    true => Some(head.source.key(head.source.at())),
                    false => head.key,
                })
                .min();
            let head = &mut self.heads[number];
            let (version, blocks) = (&self.version, &mut self.blocks);
            let (passed, key) =
                head.source.next_block_not_before(version, bound.as_ref(), &self.max, blocks)?;
            count = count.saturating_add(passed);
            head.is_behind_block = false;
            self.heads[number].key = self.within(key);
        }
        self.is_behind_block = false;
        Ok(count)
    }
}
