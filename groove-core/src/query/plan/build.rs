//! Streams of the normal form.
//!
//! A term becomes a stream where its timestamps are to be found, and a filter where a stream of
//! objects is there already: what a conjunction takes away, and disjunctions beside something
//! smaller. A filter need not know which objects exist, so that its conditions on timestamps read
//! nothing.

use crate::error::ReadError;
use crate::groove::GrooveView;
use crate::query::key_range::{KeyRange, RangeSet};
use crate::query::stream::{
    Bounds, BoxStream, Entries, Filter, Filtered, Intersection, TimestampScan, TimestampSet, Union,
    Window,
};
use crate::schema::IndexKind;
use crate::tree::Direction;

use super::normal::{Normal, Subject, Term};

/// Single keys of one index that are merged as scans in timestamp order. With more, their entries
/// are collected and sorted instead, so that not too many scans are open.
const KEY_SCANS_MAX: usize = 256;
/// Ranges of one index whose entries are counted to estimate its size; more are extrapolated.
const COUNTED_RANGES_MAX: usize = 16;
/// Levels of a term that are looked into to estimate its size; deeper ones count as all objects.
const SIZED_DEPTH: usize = 3;
/// A term of at most so many objects, known without reading, goes first without any counting.
const SMALL: u64 = 64;

/// The timestamps of `window` that the normal form has.
pub(super) fn stream(
    normal: &Normal,
    view: &GrooveView,
    window: Window,
    direction: Direction,
) -> Result<BoxStream, ReadError> {
    let builder = Builder { view, direction };
    if !normal.negative {
        return builder.stream(&normal.term, window);
    }
    let objects = builder.objects(window);
    if normal.term == Term::Or(Vec::new()) {
        return Ok(objects);
    }
    let removed = builder.filter(&normal.term, window);
    Ok(Box::new(Filtered::new(objects, Filter::Not(Box::new(removed)))))
}

/// The part of `window` all of whose objects are the answer, if the answer is of that kind.
pub(super) fn as_window(normal: &Normal, window: Window) -> Option<Window> {
    match (&normal.term, normal.negative) {
        (Term::Or(terms), true) if terms.is_empty() => Some(window),
        (Term::Keys(Subject::Timestamp, set), false) => match windows(set, window)[..] {
            [] => Some(Window::EMPTY),
            [window] => Some(window),
            _ => None,
        },
        _ => None,
    }
}

/// Whether the index of this ordinal is a unique tree.
pub(super) fn is_unique(view: &GrooveView, ordinal: usize) -> bool {
    match view.schema.indexes[ordinal].kind {
        IndexKind::Primary | IndexKind::Unique => true,
        IndexKind::NonUnique => false,
    }
}

/// The number of entries of an index tree from the first key of `range` and the first timestamp of
/// `window` to the last of both.
pub(super) fn count_range(
    view: &GrooveView,
    ordinal: usize,
    range: &KeyRange,
    window: Window,
) -> Result<u64, ReadError> {
    let tree = &view.index_trees[ordinal];
    let limbs = tree.limbs();
    let key = |prefix: &[u64], timestamp: u64| -> Vec<u64> {
        prefix.iter().copied().chain([timestamp]).collect()
    };
    let min = key(range.min.limbs(limbs - 1), window.min);
    let max = key(range.max.limbs(limbs - 1), window.max);
    tree.count(&min, &max)
}

/// The parts of `window` whose timestamps are in `set`, ascending.
fn windows(set: &RangeSet, window: Window) -> Vec<Window> {
    let clip = |range: &KeyRange| {
        window.intersection(&Window { min: range.min.low(), max: range.max.low() })
    };
    set.ranges().iter().map(clip).filter(|window| !window.is_empty()).collect()
}

/// The least window with all of `windows`.
fn hull(windows: &[Window]) -> Window {
    match windows {
        [] => Window::EMPTY,
        [first, .., last] => Window { min: first.min, max: last.max },
        [only] => *only,
    }
}

struct Builder<'a> {
    view: &'a GrooveView,
    direction: Direction,
}

impl Builder<'_> {
    /// The timestamps of `window` that `term` has.
    fn stream(&self, term: &Term, window: Window) -> Result<BoxStream, ReadError> {
        if window.is_empty() {
            return Ok(union(Vec::new()));
        }
        match term {
            Term::Keys(Subject::Timestamp, set) => Ok(self.timestamps(&windows(set, window))),
            Term::Keys(Subject::Index(ordinal), set) => Ok(self.index(*ordinal, set, window)),
            Term::Or(terms) => {
                let mut parts = Vec::with_capacity(terms.len());
                for term in terms {
                    parts.push(self.stream(term, window)?);
                }
                Ok(union(parts))
            }
            Term::And { kept, removed } => self.and(kept, removed, window),
        }
    }

    /// Whether an object with a timestamp of `window` meets `term`.
    fn filter(&self, term: &Term, window: Window) -> Filter {
        match term {
            Term::Keys(Subject::Timestamp, set) => {
                Filter::Member(self.bounds(&windows(set, window)))
            }
            Term::Keys(Subject::Index(ordinal), set) => {
                Filter::Member(self.index(*ordinal, set, window))
            }
            Term::Or(terms) => Filter::Any(self.filters(terms, window)),
            Term::And { kept, removed } => {
                let mut all = self.filters(kept, window);
                all.extend(self.none(removed, window));
                Filter::All(all)
            }
        }
    }

    /// A filter for each term; those that can tell at once come first.
    fn filters(&self, terms: &[Term], window: Window) -> Vec<Filter> {
        let mut terms: Vec<&Term> = terms.iter().collect();
        terms.sort_by_key(|term| is_slow(term));
        let mut filters = Vec::with_capacity(terms.len());
        for term in terms {
            filters.push(self.filter(term, window));
        }
        filters
    }

    /// Whether an object meets none of `terms`; nothing if there are none.
    fn none(&self, terms: &[Term], window: Window) -> Option<Filter> {
        (!terms.is_empty()).then(|| Filter::Not(Box::new(Filter::Any(self.filters(terms, window)))))
    }

    /// All objects of `window`.
    fn objects(&self, window: Window) -> BoxStream {
        let tree = self.view.object_tree.clone();
        Box::new(TimestampScan::new(tree, &[], window, self.direction))
    }

    fn bounds(&self, windows: &[Window]) -> BoxStream {
        Box::new(Bounds::new(windows, self.direction))
    }

    /// All objects of `windows`.
    fn timestamps(&self, windows: &[Window]) -> BoxStream {
        match windows {
            [] => union(Vec::new()),
            [window] => self.objects(*window),
            _ => {
                let parts = vec![self.bounds(windows), self.objects(hull(windows))];
                Box::new(Intersection::new(parts))
            }
        }
    }

    fn index(&self, ordinal: usize, set: &RangeSet, window: Window) -> BoxStream {
        let tree = &self.view.index_trees[ordinal];
        let unique = is_unique(self.view, ordinal);
        let points = set.ranges().iter().filter(|range| range.is_point()).count();
        let (scanned, collected): (Vec<KeyRange>, Vec<KeyRange>) =
            if unique || points > KEY_SCANS_MAX {
                (Vec::new(), set.ranges().to_vec())
            } else {
                set.ranges().iter().partition(|range| range.is_point())
            };
        let prefix = tree.limbs() - 1;
        let scan = |range: KeyRange| -> BoxStream {
            let key = range.min.limbs(prefix);
            Box::new(TimestampScan::new(tree.clone(), key, window, self.direction))
        };
        let mut parts: Vec<BoxStream> = scanned.into_iter().map(scan).collect();
        if !collected.is_empty() {
            let entries = Entries::new(tree.clone(), unique, collected);
            parts.push(Box::new(TimestampSet::new(entries, window, self.direction)));
        }
        union(parts)
    }

    fn and(&self, kept: &[Term], removed: &[Term], window: Window) -> Result<BoxStream, ReadError> {
        // Conditions on timestamps narrow what the other parts look at.
        let (mut windows, mut terms) = (vec![window], Vec::with_capacity(kept.len()));
        for term in kept {
            match term {
                Term::Keys(Subject::Timestamp, set) => windows = self::windows(set, window),
                term => terms.push(term),
            }
        }
        let window = hull(&windows);
        if window.is_empty() {
            return Ok(union(Vec::new()));
        }
        self.order(&mut terms, window)?;
        let (mut streams, mut filters) = (Vec::new(), Vec::new());
        for term in terms {
            match term {
                Term::Or(_) if !streams.is_empty() => filters.push(self.filter(term, window)),
                term => streams.push(self.stream(term, window)?),
            }
        }
        if streams.is_empty() {
            streams.push(self.timestamps(&windows));
        } else if windows.len() > 1 {
            streams.push(self.bounds(&windows));
        }
        let stream = match streams.len() {
            1 => streams.remove(0),
            _ => Box::new(Intersection::new(streams)),
        };
        filters.extend(self.none(removed, window));
        Ok(match filters.len() {
            0 => stream,
            _ => Box::new(Filtered::new(stream, Filter::All(filters))),
        })
    }

    /// Puts the terms with the fewest objects first; among equals those that can tell at once.
    fn order(&self, terms: &mut [&Term], window: Window) -> Result<(), ReadError> {
        if terms.len() < 2 {
            return Ok(());
        }
        let mut small = false;
        for term in terms.iter() {
            small |= self.size(term, window, false, SIZED_DEPTH)? <= SMALL;
        }
        let mut sizes = Vec::with_capacity(terms.len());
        for &term in terms.iter() {
            sizes.push((self.size(term, window, !small, SIZED_DEPTH)?, is_slow(term), term));
        }
        sizes.sort_by_key(|&(size, is_slow, _)| (size, is_slow));
        for (place, (_, _, term)) in terms.iter_mut().zip(sizes) {
            *place = term;
        }
        Ok(())
    }

    /// About how many objects meet `term`, rather too many than too few. If `count`, entries of
    /// indexes are counted by the trees; otherwise nothing is read.
    fn size(
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
                    size = size.saturating_add(window.max - window.min + 1);
                }
            }
            Term::Keys(Subject::Index(ordinal), set) if is_unique(self.view, *ordinal) => {
                let points = set.ranges().iter().all(KeyRange::is_point);
                size = if points { set.ranges().len() as u64 } else { all };
            }
            Term::Keys(Subject::Index(ordinal), set) if count => {
                let ranges = set.ranges();
                let counted = &ranges[..ranges.len().min(COUNTED_RANGES_MAX)];
                for range in counted {
                    size = size.saturating_add(count_range(self.view, *ordinal, range, window)?);
                }
                size = size.saturating_mul(ranges.len() as u64) / counted.len() as u64;
            }
            Term::Or(terms) if depth > 0 => {
                for term in terms {
                    size = size.saturating_add(self.size(term, window, count, depth - 1)?);
                }
            }
            Term::And { kept, .. } if depth > 0 => {
                size = all;
                for term in kept {
                    size = size.min(self.size(term, window, count, depth - 1)?);
                }
            }
            Term::Keys(..) | Term::Or(_) | Term::And { .. } => size = all,
        }
        Ok(size.min(all))
    }
}

/// Whether `term` is likely to read more than a few entries before it can tell anything.
fn is_slow(term: &Term) -> bool {
    match term {
        Term::Keys(Subject::Timestamp, _) => false,
        Term::Keys(Subject::Index(_), set) => !set.ranges().iter().all(KeyRange::is_point),
        Term::Or(_) | Term::And { .. } => true,
    }
}

/// The timestamps of any of `parts`.
fn union(mut parts: Vec<BoxStream>) -> BoxStream {
    match parts.len() {
        1 => parts.remove(0),
        _ => Box::new(Union::new(parts)),
    }
}
