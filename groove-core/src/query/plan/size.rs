//! About how many objects meet a condition, and what it costs to read the entries that tell.
//!
//! Sizes are counts that trees give from what they know of their tables; where a range of an index and one of
//! timestamps come together, as if neither had to do with the other; and where nothing tells, guesses.

use std::cell::RefCell;

use crate::constants::{INDEX_KEY_WIDTH_MAX, KEY_LIMBS_MAX};
use crate::error::ReadError;
use crate::groove::GrooveView;
use crate::query::key_range::{KeyRange, RangeSet};
use crate::query::stream::Window;
use crate::schema::IndexKind;

use super::cost::{BEGIN_COST, COLLECTED_COST, LOOK_UP_COST};
use super::normal::{Subject, Term};

/// Single keys of one index that are merged as scans in timestamp order. With more, their entries
/// are collected and sorted instead, so that not too many scans are open.
pub(super) const KEY_SCANS_MAX: usize = 256;
/// So many scans are begun without a thought of what that costs.
pub(super) const FEW_SCANS: usize = 8;
/// Ranges of one index whose entries are counted to estimate its size; more are extrapolated.
pub(super) const COUNTED_RANGES_MAX: usize = 16;
/// Counts that are kept while a query is planned, at the most: they are gone through.
const COUNTS_KEPT: usize = 64;
/// Levels of a term that are looked into to estimate its size; deeper ones count as all objects.
pub(super) const SIZED_DEPTH: usize = 3;
/// A term of at most so many objects, known without reading, goes first without any counting.
pub(super) const SMALL: u64 = 64;

/// A term and its size.
pub(super) type Sized<'t> = (u64, bool, &'t Term);

/// Sizes of terms in one groove.
pub(super) struct Sizes<'a> {
    pub(super) view: &'a GrooveView,
    /// Whether sizes decide anything: then they are counted.
    pub(super) counts: bool,
    /// Whether each size is wanted, also where it decides nothing.
    pub(super) explains: bool,
    /// What was counted: each part of a plan asks anew.
    counted: RefCell<Vec<Counted>>,
}

/// A range of an index whose entries were counted.
#[derive(Debug, Clone, Copy)]
struct Counted {
    ordinal: usize,
    range: KeyRange,
    window: Window,
    entries: u64,
}

impl<'a> Sizes<'a> {
    /// Nothing is counted yet.
    pub(super) fn new(view: &'a GrooveView, explains: bool) -> Self {
        Sizes { view, counts: false, explains, counted: RefCell::default() }
    }
}

impl Sizes<'_> {
    /// About how many objects there are in `window`.
    pub(super) fn objects_in(&self, window: Window) -> Result<u64, ReadError> {
        let all = self.view.object_count;
        if window == Window::ALL {
            return Ok(all);
        }
        let width = width(&window);
        if width <= COUNTED_RANGES_MAX as u64 {
            return Ok(width.min(all));
        }
        Ok(self.view.object_tree.estimate(&[window.min], &[window.max])?.min(width).min(all))
    }

    /// The terms with the fewest objects first; among equals those that can tell at once. That of a single term is
    /// counted if sizes decide anything, or if it is `compared` with others.
    pub(super) fn sorted<'t>(
        &self,
        terms: Vec<&'t Term>,
        window: Window,
        compared: bool,
    ) -> Result<Vec<Sized<'t>>, ReadError> {
        let mut count = self.counts || terms.len() > 1 || compared;
        for term in &terms {
            // What is left of so few costs nothing to test: no need to know more.
            count &= self.size(term, window, false, SIZED_DEPTH)? > SMALL;
        }
        let mut sizes = Vec::with_capacity(terms.len());
        for term in terms {
            sizes.push((self.size(term, window, count, SIZED_DEPTH)?, is_slow(term), term));
        }
        sizes.sort_by_key(|&(size, is_slow, _)| (size, is_slow));
        Ok(sizes)
    }

    /// About how many objects of `window` meet `term`. If `count`, entries of indexes are counted by the
    /// trees, and fields are guessed; otherwise nothing is read, and it is no fewer than there are.
    pub(super) fn size(
        &self,
        term: &Term,
        window: Window,
        count: bool,
        depth: usize,
    ) -> Result<u64, ReadError> {
        let all = self.view.object_count;
        let mut size: u64 = 0;
        match term {
            Term::Keys(Subject::Timestamp, set) => {
                for window in windows(set, window) {
                    size = size.saturating_add(width(&window));
                }
            }
            Term::Keys(Subject::Index(ordinal), set)
                if is_unique(self.view, *ordinal) && is_points(set) =>
            {
                size = set.ranges().len() as u64;
            }
            Term::Keys(Subject::Index(ordinal), set) if count => {
                size = self.index_size(*ordinal, set, window)?;
            }
            Term::Keys(Subject::Field(ordinal), set) if count => {
                let width = self.view.schema.fields[*ordinal].width.min(INDEX_KEY_WIDTH_MAX);
                size = guess(set, &KeyRange::full(width), all);
            }
            Term::Or(terms) if depth > 0 => {
                for term in terms {
                    size = size.saturating_add(self.size(term, window, count, depth - 1)?);
                }
            }
            Term::And { kept, removed } if depth > 0 => {
                size = all;
                for term in kept {
                    size = size.min(self.size(term, window, count, depth - 1)?);
                }
                for term in removed {
                    if count && size > SMALL {
                        size = self.without(size, term, window)?;
                    }
                }
            }
            Term::Keys(..) | Term::Or(_) | Term::And { .. } => size = all,
        }
        Ok(size.min(all))
    }

    /// About how many of `objects` in `window` are left without those of `term`, if a tree counts these or a guess is
    /// made: as if neither had to do with the other.
    pub(super) fn without(
        &self,
        objects: u64,
        term: &Term,
        window: Window,
    ) -> Result<u64, ReadError> {
        let removed = match term {
            Term::Keys(..) => self.size(term, window, true, 0)?,
            _ => 0,
        };
        let all = self.objects_in(window)?.max(1);
        let left = all.saturating_sub(removed);
        Ok((u128::from(objects) * u128::from(left) / u128::from(all)) as u64)
    }

    /// About how many entries an index has with a key of `set` and a timestamp of `window`.
    pub(super) fn index_size(
        &self,
        ordinal: usize,
        set: &RangeSet,
        window: Window,
    ) -> Result<u64, ReadError> {
        let all = self.view.object_count;
        if is_points(set) || window == Window::ALL {
            return self.entries(ordinal, set.ranges(), window);
        }
        // Of ranges entries of all timestamps are counted: as if they were spread evenly.
        let (points, ranges): (Vec<KeyRange>, Vec<KeyRange>) =
            set.ranges().iter().partition(|range| range.is_point());
        let entries = self.entries(ordinal, &ranges, window)?;
        let share = u128::from(entries) * u128::from(self.objects_in(window)?);
        let share = share.div_ceil(u128::from(all.max(1))) as u64;
        Ok(self.entries(ordinal, &points, window)?.saturating_add(share).min(all))
    }

    /// About how many entries of an index are read to collect the keys of `ranges`: of a single key those
    /// with a timestamp of `window`, of a range all.
    pub(super) fn entries(
        &self,
        ordinal: usize,
        ranges: &[KeyRange],
        window: Window,
    ) -> Result<u64, ReadError> {
        let all = self.view.object_count;
        if is_unique(self.view, ordinal) && ranges.iter().all(KeyRange::is_point) {
            return Ok((ranges.len() as u64).min(all));
        }
        let counted = &ranges[..ranges.len().min(COUNTED_RANGES_MAX)];
        let mut entries = 0_u64;
        for range in counted {
            entries = entries.saturating_add(self.count(ordinal, *range, window)?);
        }
        let (ranges, counted) = (ranges.len() as u64, (counted.len() as u64).max(1));
        Ok((entries.saturating_mul(ranges) / counted).min(all))
    }

    /// As [`count_range`], but a range is counted once.
    fn count(&self, ordinal: usize, range: KeyRange, window: Window) -> Result<u64, ReadError> {
        let mut counted = self.counted.borrow_mut();
        let is_it =
            |one: &&Counted| (one.ordinal, one.range, one.window) == (ordinal, range, window);
        if let Some(known) = counted.iter().find(is_it) {
            return Ok(known.entries);
        }
        let entries = count_range(self.view, ordinal, &range, window)?;
        if counted.len() < COUNTS_KEPT {
            counted.push(Counted { ordinal, range, window, entries });
        }
        Ok(entries)
    }

    /// The size of a step of its own: where it decides nothing, and is not to be shown, that of all objects.
    pub(super) fn size_of_step(
        &self,
        ordinal: usize,
        set: &RangeSet,
        window: Window,
    ) -> Result<u64, ReadError> {
        let is_known = is_unique(self.view, ordinal) && is_points(set);
        match self.counts || self.explains || is_known {
            true => self.index_size(ordinal, set, window),
            false => Ok(self.view.object_count),
        }
    }

    /// What it costs to collect the keys of `set`, or to begin their scans.
    pub(super) fn reading(
        &self,
        ordinal: usize,
        set: &RangeSet,
        window: Window,
    ) -> Result<u64, ReadError> {
        let entries = match is_collected(self.view, ordinal, set) {
            true => self.entries(ordinal, set.ranges(), window)?,
            false => 0,
        };
        Ok(self.collecting(ordinal, entries, set.ranges()))
    }

    /// What it costs to collect so many entries of `ranges`.
    pub(super) fn collecting(&self, ordinal: usize, entries: u64, ranges: &[KeyRange]) -> u64 {
        let looked_up = is_unique(self.view, ordinal) && ranges.iter().all(KeyRange::is_point);
        let begin = if looked_up { LOOK_UP_COST } else { BEGIN_COST };
        let begins = (ranges.len() as u64).saturating_mul(begin);
        entries.saturating_mul(COLLECTED_COST).saturating_add(begins)
    }
}

/// How many of `all` objects have a key of `set` where nothing tells. The guesses of System R (Selinger et al.,
/// "Access Path Selection in a Relational Database Management System", 1979): a tenth have a certain value, a
/// quarter are between two, a third are on one side of one. All but a few have any other.
fn guess(set: &RangeSet, full: &KeyRange, all: u64) -> u64 {
    let sixtieths = |range: &KeyRange| match (range.min == full.min, range.max == full.max) {
        _ if range.is_point() => 6,
        (false, false) => 15,
        (true, true) => 60,
        _ => 20,
    };
    let ranges = set.ranges();
    let sixtieths = match ranges {
        // All but what lies between two of them.
        [first, .., last] if first.min == full.min && last.max == full.max => 54,
        _ => ranges.iter().take(10).map(sixtieths).sum::<u64>().min(54),
    };
    (u128::from(all) * u128::from(sixtieths)).div_ceil(60) as u64
}

/// Whether the index of this ordinal is a unique tree.
pub(super) fn is_unique(view: &GrooveView, ordinal: usize) -> bool {
    match view.schema.indexes[ordinal].kind {
        IndexKind::Primary | IndexKind::Unique => true,
        IndexKind::NonUnique => false,
    }
}

/// The number of entries of an index tree from the first key of `range` and the first timestamp of
/// `window` to the last of both. Of a unique tree it is an estimate, and the window does not count.
pub(super) fn count_range(
    view: &GrooveView,
    ordinal: usize,
    range: &KeyRange,
    window: Window,
) -> Result<u64, ReadError> {
    let tree = &view.index_trees[ordinal];
    let limbs = tree.limbs();
    if is_unique(view, ordinal) {
        return tree.estimate(range.min.limbs(limbs), range.max.limbs(limbs));
    }
    let key = |prefix: &[u64], timestamp: u64| -> [u64; KEY_LIMBS_MAX] {
        let mut key = [0; KEY_LIMBS_MAX];
        key[..limbs - 1].copy_from_slice(prefix);
        key[limbs - 1] = timestamp;
        key
    };
    let min = key(range.min.limbs(limbs - 1), window.min);
    let max = key(range.max.limbs(limbs - 1), window.max);
    tree.count(&min[..limbs], &max[..limbs])
}

/// About how many entries an index has in `ranges`, without reading any.
pub(super) fn estimate_ranges(
    view: &GrooveView,
    ordinal: usize,
    ranges: &[KeyRange],
) -> Result<u64, ReadError> {
    let tree = &view.index_trees[ordinal];
    let limbs = tree.limbs();
    let prefix = if is_unique(view, ordinal) { limbs } else { limbs - 1 };
    let counted = &ranges[..ranges.len().min(COUNTED_RANGES_MAX)];
    let mut entries = 0_u64;
    for range in counted {
        let (mut min, mut max) = ([0; KEY_LIMBS_MAX], [u64::MAX; KEY_LIMBS_MAX]);
        min[..prefix].copy_from_slice(range.min.limbs(prefix));
        max[..prefix].copy_from_slice(range.max.limbs(prefix));
        entries = entries.saturating_add(tree.estimate(&min[..limbs], &max[..limbs])?);
    }
    let (ranges, counted) = (ranges.len() as u64, (counted.len() as u64).max(1));
    Ok((entries.saturating_mul(ranges) / counted).min(view.object_count))
}

/// The parts of `window` whose timestamps are in `set`, ascending.
pub(super) fn windows(set: &RangeSet, window: Window) -> Vec<Window> {
    let clip = |range: &KeyRange| {
        window.intersection(&Window { min: range.min.low(), max: range.max.low() })
    };
    set.ranges().iter().map(clip).filter(|window| !window.is_empty()).collect()
}

/// The least window with all of `windows`.
pub(super) fn hull(windows: &[Window]) -> Window {
    match windows {
        [] => Window::EMPTY,
        [first, .., last] => Window { min: first.min, max: last.max },
        [only] => *only,
    }
}

pub(super) fn width(window: &Window) -> u64 {
    if window.is_empty() { 0 } else { (window.max - window.min).saturating_add(1) }
}

pub(super) fn is_points(set: &RangeSet) -> bool {
    set.ranges().iter().all(KeyRange::is_point)
}

/// Whether `term` is one scan in timestamp order, or one look-up.
pub(super) fn is_one_scan(view: &GrooveView, term: &Term) -> bool {
    match term {
        Term::Keys(Subject::Index(ordinal), set) => {
            set.ranges().len() == 1 && is_few_scans(view, *ordinal, set)
        }
        _ => false,
    }
}

/// Whether the keys of `set` are a few scans in timestamp order, or a few look-ups.
pub(super) fn is_few_scans(view: &GrooveView, ordinal: usize, set: &RangeSet) -> bool {
    let few = if is_unique(view, ordinal) { SMALL as usize } else { FEW_SCANS };
    is_points(set) && set.ranges().len() <= few
}

/// Whether entries of `set` are collected and sorted.
pub(super) fn is_collected(view: &GrooveView, ordinal: usize, set: &RangeSet) -> bool {
    !is_points(set) || is_unique(view, ordinal) || set.ranges().len() > KEY_SCANS_MAX
}

/// Whether the plan for `term` depends on how many objects meet its parts.
pub(super) fn decides(view: &GrooveView, term: &Term) -> bool {
    let any = |terms: &[Term]| terms.iter().any(|term| decides(view, term));
    match term {
        Term::Keys(Subject::Timestamp | Subject::Field(_), _) => false,
        Term::Keys(Subject::Index(ordinal), set) => !is_few_scans(view, *ordinal, set),
        // Many parts are compared with one scan of all objects.
        Term::Or(terms) => any(terms) || terms.len() > FEW_SCANS,
        Term::And { kept, removed } => {
            let is_or = |term: &Term| matches!(term, Term::Or(_));
            any(kept) || any(removed) || kept.len() > 1 && kept.iter().any(is_or)
        }
    }
}

/// Whether `term` is likely to read more than a few entries before it can tell anything.
pub(super) fn is_slow(term: &Term) -> bool {
    match term {
        Term::Keys(Subject::Timestamp, _) => false,
        Term::Keys(Subject::Field(_), _) => true,
        Term::Keys(Subject::Index(_), set) => !is_points(set),
        Term::Or(_) | Term::And { .. } => true,
    }
}
