//! The entries of an index, in key order.

use std::cmp::Ordering;

use crate::constants::KEY_LIMBS_MAX;
use crate::error::QueryError;
use crate::groove::GrooveView;
use crate::query::key_range::{EncodedKey, KeyRange};
use crate::query::plan::WalkedIndex;
use crate::query::stream::Window;
use crate::schema::IndexKind;
use crate::tree::{Direction, Scan};

/// A place in the order of an index; of the same key the older object comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) key: EncodedKey,
    pub(crate) timestamp: u64,
}

impl Position {
    /// Which of both comes first in this direction.
    pub(super) fn compare(&self, other: &Position, direction: Direction) -> Ordering {
        match direction {
            Direction::Ascending => self.cmp(other),
            Direction::Descending => other.cmp(self),
        }
    }

    /// Whether it comes behind `other`.
    pub(super) fn is_behind(&self, other: &Position, direction: Direction) -> bool {
        self.compare(other, direction).is_gt()
    }
}

/// What of `ranges`, which ascend, is left from the key of `after` on.
pub(super) fn ranges_after(
    ranges: &[KeyRange],
    after: Option<Position>,
    direction: Direction,
) -> Vec<KeyRange> {
    let Some(Position { key, .. }) = after else { return ranges.to_vec() };
    let cut = |range: &KeyRange| match direction {
        Direction::Ascending => KeyRange::new(range.min.max(key), range.max),
        Direction::Descending => KeyRange::new(range.min, range.max.min(key)),
    };
    ranges.iter().filter_map(cut).collect()
}

/// A walk over the entries of some ranges of an order, behind a place and with timestamps of a window,
/// in key order. It begins by a search for the place.
pub(super) struct IndexWalk {
    view: GrooveView,
    index: WalkedIndex,
    unique: bool,
    /// The ranges still to walk, the next one last.
    ranges: Vec<KeyRange>,
    after: Option<Position>,
    window: Window,
    direction: Direction,
    scan: Option<Box<dyn Scan>>,
    /// Entries that were walked, also those that are not given.
    walked: u64,
    walked_max: u64,
}

impl IndexWalk {
    /// Of `ranges` of keys in the order, which ascend, the entries behind `after` with a timestamp of `window`.
    pub(super) fn new(
        view: GrooveView,
        index: WalkedIndex,
        ranges: &[KeyRange],
        after: Option<Position>,
        window: Window,
        direction: Direction,
    ) -> IndexWalk {
        let mut ranges = ranges_after(ranges, after, direction);
        if direction == Direction::Ascending {
            ranges.reverse();
        }
        let unique = view.schema.indexes[index.ordinal].kind != IndexKind::NonUnique;
        let (scan, walked, walked_max) = (None, 0, u64::MAX);
        IndexWalk {
            view,
            index,
            unique,
            ranges,
            after,
            window,
            direction,
            scan,
            walked,
            walked_max,
        }
    }

    /// Walks no more than so many entries.
    pub(super) fn up_to(self, walked_max: u64) -> IndexWalk {
        IndexWalk { walked_max, ..self }
    }

    /// Goes on, however many entries there are.
    pub(super) fn go_on(&mut self) {
        self.walked_max = u64::MAX;
    }

    /// Whether it stands still because it walked enough entries.
    pub(super) fn is_stopped(&self) -> bool {
        self.walked >= self.walked_max
    }

    /// Entries that were walked so far.
    pub(super) fn walked(&self) -> u64 {
        self.walked
    }

    /// The next entry; `None` at the end, or where it stands still.
    pub(super) fn next(&mut self) -> Result<Option<Position>, QueryError> {
        loop {
            while let Some(scan) = &mut self.scan {
                if self.walked >= self.walked_max {
                    return Ok(None);
                }
                if !scan.advance()? {
                    break;
                }
                self.walked += 1;
                let (key, timestamp) = match self.unique {
                    true => {
                        let payload = scan.payload().first_chunk();
                        let timestamp = payload.map_or(0, |bytes| u64::from_le_bytes(*bytes));
                        (scan.key(), timestamp)
                    }
                    false => {
                        let (timestamp, key) = scan.key().split_last().expect("a key has limbs");
                        (key, *timestamp)
                    }
                };
                let key = self.index.key_in_order(EncodedKey::from_limbs(key));
                let at = Position { key, timestamp };
                // Of a unique tree the key of the place is found again, perhaps with another object.
                let behind = self.after.is_none_or(|after| at.is_behind(&after, self.direction));
                // Orphaned keys have timestamp 0, which no window contains.
                if behind && self.window.contains(timestamp) {
                    return Ok(Some(at));
                }
            }
            let Some(range) = self.ranges.pop() else { return Ok(None) };
            self.scan = self.open(&range);
        }
    }

    /// The scan of a range; `None` if nothing can be in it.
    fn open(&self, range: &KeyRange) -> Option<Box<dyn Scan>> {
        let tree = &self.view.index_trees[self.index.ordinal];
        let limbs = tree.limbs();
        let (mut min, mut max) = ([0; KEY_LIMBS_MAX], [0; KEY_LIMBS_MAX]);
        let prefix = if self.unique { limbs } else { limbs - 1 };
        let keys = self.index.range(range);
        min[..prefix].copy_from_slice(keys.min.limbs(prefix));
        max[..prefix].copy_from_slice(keys.max.limbs(prefix));
        if !self.unique {
            (min[prefix], max[prefix]) = (self.window.min, self.window.max);
            if let Some(Position { key, timestamp }) = self.after {
                // A cursor's timestamp is neither 0 nor the last u64.
                match self.direction {
                    Direction::Ascending if range.min == key => {
                        min[prefix] = min[prefix].max(timestamp + 1);
                    }
                    Direction::Descending if range.max == key => {
                        max[prefix] = max[prefix].min(timestamp - 1);
                    }
                    _ => {}
                }
            }
        }
        let (min, max) = (&min[..limbs], &max[..limbs]);
        (min <= max).then(|| tree.clone().scan(min, max, self.direction))
    }
}
