//! Counts without streams, or with streams of less.

use std::cmp::Reverse;

use crate::error::{QueryError, ReadError};
use crate::groove::GrooveView;
use crate::query::key_range::{KeyRange, RangeSet};
use crate::query::row_key::RowKey;
use crate::query::stream::{Entries, Window};

use super::compound::in_one_index;
use super::normal::{Normal, Subject, Term};
use super::size::{KEY_SCANS_MAX, count_range, estimate_ranges, is_points, is_unique};

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
/// * Negations follow from the number of all objects.
/// * A range of timestamps beside other conditions is a smaller window.
pub(super) fn count(
    normal: &Normal,
    view: &GrooveView,
    window: Window,
) -> Result<Option<Count>, QueryError> {
    let (term, window) = match normal.negative {
        true => (normal.term.clone(), window),
        false => within_timestamps(&normal.term, window),
    };
    if window.is_empty() {
        return Ok(Some(Count::known(0)));
    }
    if normal.negative && window != Window::ALL {
        return Ok(None);
    }
    let count = match count_term(&term, view, window)? {
        Some(count) => count,
        // All but few are no more to count than these few.
        None if normal.negative => {
            Count::new(0, vec![(Sign::Plus, Normal { term, negative: false })])
        }
        None => return Ok(None),
    };
    Ok(Some(match normal.negative {
        true => count.less_than_all(view.object_count),
        false => Count { window, ..count },
    }))
}

/// A conjunction without its range of timestamps, and the window that this leaves.
fn within_timestamps(term: &Term, window: Window) -> (Term, Window) {
    let is_timestamps = |term: &Term| matches!(term, Term::Keys(Subject::Timestamp, _));
    if let Term::And { kept, removed } = term
        && kept.len() > 1
        && let Some(Term::Keys(_, set)) = kept.iter().find(|term| is_timestamps(term))
        && let [range] = set.ranges()
    {
        let range = Window { min: range.min.low(), max: range.max.low() };
        let mut kept: Vec<Term> =
            kept.iter().filter(|term| !is_timestamps(term)).cloned().collect();
        let term = match kept.len() == 1 && removed.is_empty() {
            true => kept.remove(0),
            false => Term::And { kept, removed: removed.clone() },
        };
        return (term, window.intersection(&range));
    }
    (term.clone(), window)
}

fn count_term(term: &Term, view: &GrooveView, window: Window) -> Result<Option<Count>, QueryError> {
    match &*in_one_index(view.schema, term, window) {
        Term::Or(terms) if terms.is_empty() => Ok(Some(Count::known(0))),
        Term::Keys(Subject::Index(ordinal), set) => {
            Ok(count_keys(*ordinal, set, view, window)?.map(Count::known))
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
    let neighbours = window == Window::ALL || is_points(set);
    if is_unique(view, *ordinal) || !neighbours || set.ranges().len() > KEY_SCANS_MAX {
        return Ok(None);
    }
    let mut count = 0;
    for range in set.ranges() {
        count += count_range(view, *ordinal, range, window)?;
    }
    Ok(Some(count))
}

/// The entries of an index with these keys in `window`; `None` if there are fewer objects in it.
fn count_keys(
    ordinal: usize,
    set: &RangeSet,
    view: &GrooveView,
    window: Window,
) -> Result<Option<u64>, QueryError> {
    let unique = is_unique(view, ordinal);
    let (neighbours, scattered): (Vec<KeyRange>, Vec<KeyRange>) = set
        .ranges()
        .iter()
        .partition(|range| !unique && (range.is_point() || window == Window::ALL));
    if objects_are_less(ordinal, &scattered, view, window)? {
        return Ok(None);
    }
    let mut count = 0;
    for range in neighbours {
        count += count_range(view, ordinal, &range, window)?;
    }
    let entries = Entries::new(view.index_trees[ordinal].clone(), unique, scattered);
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
