//! Counts without streams, or with streams of less.

use std::cmp::Reverse;

use crate::error::{QueryError, ReadError};
use crate::groove::GrooveView;
use crate::query::key_range::{KeyRange, RangeSet};
use crate::query::row_key::RowKey;
use crate::query::stream::{Entries, Window};
use crate::schema::IndexKind;

use super::compound::in_one_index;
use super::normal::{Normal, Subject, Term};
use super::size::{KEY_SCANS_MAX, count_range, estimate_ranges, is_unique, windows};

/// So many terms are counted one by one, less what they have in common, at the most: with more, that takes longer than
/// to merge them.
const COUNTED_TERMS_MAX: usize = 3;

/// How many objects there are.
#[derive(Debug)]
pub(crate) struct Count {
    /// So many,
    known: i128,
    /// and those that each of these has, added or taken away: only streams can count them.
    pub(super) streamed: Vec<(Sign, Normal)>,
    /// Of these timestamps.
    pub(super) window: Window,
}

/// Whether what a stream counts is added or taken away.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sign {
    Plus,
    Minus,
}

impl Count {
    fn new(known: i128, streamed: Vec<(Sign, Normal)>) -> Count {
        Count { known, streamed, window: Window::ALL }
    }

    fn known(known: u64) -> Count {
        Count::new(known.into(), Vec::new())
    }

    /// All of `objects` but these.
    fn less_than_all(self, objects: u64) -> Count {
        let streamed = self.streamed.into_iter().map(|(sign, normal)| match sign {
            Sign::Plus => (Sign::Minus, normal),
            Sign::Minus => (Sign::Plus, normal),
        });
        Count::new(i128::from(objects) - self.known, streamed.collect())
    }

    /// Whether no stream has to count anything.
    pub(crate) fn is_known(&self) -> bool {
        self.streamed.is_empty()
    }

    /// The number, if streams counted these; `None` if it cannot be: the trees contradict each other.
    pub(crate) fn with_streamed(&self, streamed: &[u64]) -> Option<u64> {
        let signed = self.streamed.iter().zip(streamed).map(|((sign, _), count)| match sign {
            Sign::Plus => i128::from(*count),
            Sign::Minus => -i128::from(*count),
        });
        u64::try_from(self.known + signed.sum::<i128>()).ok()
    }
}

/// The number of objects in `window` that `normal` has; `None` if a stream of them all is no worse.
///
/// * Conditions on one index are counted in that index alone: by the tree's own counts where the entries
///   to count are neighbours in the tree, by a walk over the entries otherwise.
/// * `a | b` are `a` and `b`, less those in both; `a & !b` are `a`, less those in both. What is in both is
///   found by a zig-zag, which skips.
/// * Negations follow from the number of all objects in `window`.
/// * A range of timestamps beside other conditions is a smaller window.
///
/// If no more than a few are to be counted, the objects of windows are not: where their versions are interleaved, that is
/// a scan.
pub(super) fn count(
    normal: &Normal,
    view: &GrooveView,
    window: Window,
    is_limited: bool,
) -> Result<Option<Count>, QueryError> {
    let (Normal { term, negative }, window) = within_timestamps(normal, window);
    if window.is_empty() {
        return Ok(Some(Count::known(0)));
    }
    if negative && window != Window::ALL && is_limited {
        return Ok(None);
    }
    let is_of_windows = matches!(term, Term::Keys(Subject::Timestamp, _));
    if is_of_windows && is_limited {
        return Ok(None);
    }
    let count = match count_term(&term, view, window)? {
        Some(count) => count,
        // All but few are no more to count than these few.
        None if negative => Count::new(0, vec![(Sign::Plus, Normal { term, negative: false })]),
        None => return Ok(None),
    };
    let count = match negative {
        true => count.less_than_all(objects_in(view, window)?),
        false => count,
    };
    Ok(Some(Count { window, ..count }))
}

fn objects_in(view: &GrooveView, window: Window) -> Result<u64, ReadError> {
    match window == Window::ALL {
        true => Ok(view.object_count),
        false => view.object_tree.count(&[window.min], &[window.max]),
    }
}

/// What is said without a range of timestamps, and the window that this leaves.
fn within_timestamps(normal: &Normal, window: Window) -> (Normal, Window) {
    let range = |term: &Term| match term {
        Term::Keys(Subject::Timestamp, set) => match set.ranges() {
            [range] => Some(Window { min: range.min.low(), max: range.max.low() }),
            _ => None,
        },
        _ => None,
    };
    let (kept, removed) = match (&normal.term, normal.negative) {
        (_, true) => (&[][..], &[][..]),
        (Term::And { kept, removed }, false) => (&kept[..], &removed[..]),
        (term, false) => (std::slice::from_ref(term), &[][..]),
    };
    let Some((at, range)) = kept.iter().enumerate().find_map(|(at, term)| Some((at, range(term)?)))
    else {
        return (normal.clone(), window);
    };
    let mut kept = kept.to_vec();
    kept.remove(at);
    let removed = removed.to_vec();
    let all_of = |mut terms: Vec<Term>, other: fn(Vec<Term>) -> Term| match terms.len() {
        1 => terms.remove(0),
        _ => other(terms),
    };
    let negative = kept.is_empty();
    let term = match (negative, removed.is_empty()) {
        // All objects of the window but these.
        (true, _) => all_of(removed, Term::Or),
        (false, true) => all_of(kept, |kept| Term::And { kept, removed: Vec::new() }),
        (false, false) => Term::And { kept, removed },
    };
    (Normal { term, negative }, window.intersection(&range))
}

fn count_term(term: &Term, view: &GrooveView, window: Window) -> Result<Option<Count>, QueryError> {
    match &*in_one_index(view.schema, term, window) {
        Term::Or(terms) if terms.is_empty() => Ok(Some(Count::known(0))),
        Term::Keys(Subject::Index(ordinal), set) => {
            Ok(count_keys(*ordinal, set, view, window)?.map(Count::known))
        }
        Term::Keys(Subject::Timestamp, set) if set.ranges().len() <= KEY_SCANS_MAX => {
            let windows = windows(set, window).into_iter();
            let known: Result<u64, ReadError> = windows.map(|part| objects_in(view, part)).sum();
            Ok(Some(Count::known(known?)))
        }
        Term::Or(terms) if terms.len() <= COUNTED_TERMS_MAX => count_any(terms, view, window),
        Term::And { kept, removed } => match &kept[..] {
            [one] => count_without(one, removed, view, window),
            _ => Ok(None),
        },
        Term::Keys(..) | Term::Or(_) => Ok(None),
    }
}

/// The objects of any of `terms`: those of each, less those that it has in common with the smaller ones.
fn count_any(
    terms: &[Term],
    view: &GrooveView,
    window: Window,
) -> Result<Option<Count>, QueryError> {
    let mut sizes = Vec::with_capacity(terms.len());
    for term in terms {
        let term = in_one_index(view.schema, term, window);
        let Some(size) = count_of_tree(&term, view, window)? else { return Ok(None) };
        sizes.push((size, term));
    }
    sizes.sort_by_key(|(size, _)| Reverse(*size));
    let common = |number: usize| {
        let (_, largest) = &sizes[number];
        let smaller = sizes[number + 1..].iter().map(|(_, term)| term.clone().into_owned());
        let smaller = smaller.collect();
        (Sign::Minus, both(largest, smaller))
    };
    let known = sizes.iter().map(|(size, _)| i128::from(*size)).sum();
    Ok(Some(Count::new(known, (0..terms.len().saturating_sub(1)).map(common).collect())))
}

/// The objects of `term`, less those that are in any of `removed`, too.
fn count_without(
    term: &Term,
    removed: &[Term],
    view: &GrooveView,
    window: Window,
) -> Result<Option<Count>, QueryError> {
    let Some(size) = count_of_tree(term, view, window)? else { return Ok(None) };
    let common = both(term, removed.to_vec());
    Ok(Some(Count::new(size.into(), vec![(Sign::Minus, common)])))
}

/// The objects of `term` that are in any of `others`, too.
fn both(term: &Term, mut others: Vec<Term>) -> Normal {
    let other = if others.len() == 1 { others.remove(0) } else { Term::Or(others) };
    let (kept, removed) = (vec![term.clone(), other], Vec::new());
    Normal { term: Term::And { kept, removed }, negative: false }
}

/// How many objects a term has, if a tree counts its entries, as neighbours.
fn count_of_tree(term: &Term, view: &GrooveView, window: Window) -> Result<Option<u64>, ReadError> {
    let Term::Keys(Subject::Index(ordinal), set) = term else { return Ok(None) };
    let are_neighbours = |range: &KeyRange| are_neighbours(view, *ordinal, range, window);
    if !set.ranges().iter().all(are_neighbours) || set.ranges().len() > KEY_SCANS_MAX {
        return Ok(None);
    }
    let count = |range| count_neighbours(view, *ordinal, range, window);
    set.ranges().iter().map(count).sum::<Result<u64, ReadError>>().map(Some)
}

/// Whether the entries with a key of `range` and a timestamp of `window`, each of one object, are neighbours in the tree
/// of this index, and counted there for less than they are looked up.
fn are_neighbours(view: &GrooveView, ordinal: usize, range: &KeyRange, window: Window) -> bool {
    let has_orphans =
        view.schema.indexes[ordinal].kind == IndexKind::Primary && view.schema.orphaned_ids;
    match is_unique(view, ordinal) {
        true => window == Window::ALL && !range.is_point() && !has_orphans,
        false => window == Window::ALL || range.is_point(),
    }
}

/// How many there are.
fn count_neighbours(
    view: &GrooveView,
    ordinal: usize,
    range: &KeyRange,
    window: Window,
) -> Result<u64, ReadError> {
    let tree = &view.index_trees[ordinal];
    match is_unique(view, ordinal) {
        true => tree.count(range.min.limbs(tree.limbs()), range.max.limbs(tree.limbs())),
        false => count_range(view, ordinal, range, window),
    }
}

/// The entries of an index with these keys in `window`; `None` if there are fewer objects in it.
fn count_keys(
    ordinal: usize,
    set: &RangeSet,
    view: &GrooveView,
    window: Window,
) -> Result<Option<u64>, QueryError> {
    let (neighbours, scattered): (Vec<KeyRange>, Vec<KeyRange>) =
        set.ranges().iter().partition(|range| are_neighbours(view, ordinal, range, window));
    if objects_are_less(ordinal, &scattered, view, window)? {
        return Ok(None);
    }
    let mut count = 0;
    for range in neighbours {
        count += count_neighbours(view, ordinal, &range, window)?;
    }
    let (tree, unique) = (view.index_trees[ordinal].clone(), is_unique(view, ordinal));
    let entries = Entries::new(tree, unique, scattered);
    entries.for_each(window, |_| {
        count += 1;
        Ok(())
    })?;
    Ok(Some(count))
}

/// Whether a walk over the objects of `window` is less than one over the entries of `ranges`.
fn objects_are_less(
    ordinal: usize,
    ranges: &[KeyRange],
    view: &GrooveView,
    window: Window,
) -> Result<bool, ReadError> {
    let rows_tell = RowKey::of_index(view.schema, ordinal).is_some();
    if window == Window::ALL || ranges.iter().all(KeyRange::is_point) || !rows_tell {
        return Ok(false);
    }
    let objects = view.object_tree.estimate(&[window.min], &[window.max])?;
    // No plan would choose the entries then.
    Ok(objects.saturating_mul(3) < estimate_ranges(view, ordinal, ranges)?)
}
