//! Counts without streams, or with a stream of less.

use crate::error::{QueryError, ReadError};
use crate::groove::GrooveView;
use crate::query::key_range::{KeyRange, RangeSet};
use crate::query::row_key::RowKey;
use crate::query::stream::{Entries, Window};

use super::normal::{Normal, Subject, Term};
use super::size::{count_range, estimate_ranges, is_few_scans, is_unique};

/// How many objects there are.
#[derive(Debug)]
pub(crate) struct Count {
    /// So many,
    known: i128,
    /// and those that are in both of two conditions, added or taken away: only a stream can count them.
    pub(super) overlap: Option<(Sign, Normal)>,
}

/// Whether an overlap is added or taken away.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sign {
    Plus,
    Minus,
}

impl Count {
    fn known(known: u64) -> Count {
        Count { known: known.into(), overlap: None }
    }

    /// The number, if so many are in the overlap; `None` if it cannot be: the trees contradict each other.
    pub(crate) fn with_overlap(&self, overlap: u64) -> Option<u64> {
        let overlap = i128::from(overlap);
        let count = match &self.overlap {
            None => self.known,
            Some((Sign::Plus, _)) => self.known + overlap,
            Some((Sign::Minus, _)) => self.known - overlap,
        };
        u64::try_from(count).ok()
    }
}

/// The number of objects in `window` that `normal` has; `None` if a stream of them all is no worse.
///
/// * Conditions on one index are counted in that index alone: by the tree's own counts where the entries
///   to count are neighbours in the tree, by a walk over the entries otherwise.
/// * `a | b` are `a` and `b`, less those in both; `a & !b` are `a`, less those in both. What is in both is
///   found by a zig-zag, which skips.
/// * Negations follow from the number of all objects.
pub(super) fn count(
    normal: &Normal,
    view: &GrooveView,
    window: Window,
) -> Result<Option<Count>, QueryError> {
    if window.is_empty() {
        return Ok(Some(Count::known(0)));
    }
    if normal.negative && window != Window::ALL {
        return Ok(None);
    }
    let Some(count) = count_term(&normal.term, view, window)? else { return Ok(None) };
    if !normal.negative {
        return Ok(Some(count));
    }
    let overlap = count.overlap.map(|(sign, both)| match sign {
        Sign::Plus => (Sign::Minus, both),
        Sign::Minus => (Sign::Plus, both),
    });
    Ok(Some(Count { known: i128::from(view.object_count) - count.known, overlap }))
}

fn count_term(term: &Term, view: &GrooveView, window: Window) -> Result<Option<Count>, QueryError> {
    match term {
        Term::Or(terms) if terms.is_empty() => Ok(Some(Count::known(0))),
        Term::Keys(Subject::Index(ordinal), set) => {
            Ok(count_keys(*ordinal, set, view, window)?.map(Count::known))
        }
        Term::Or(terms) => match &terms[..] {
            [one, other] => count_two([one, other], [one, other], view, window),
            _ => Ok(None),
        },
        Term::And { kept, removed } => match (&kept[..], &removed[..]) {
            ([one], [other]) => count_two([one, other], [one], view, window),
            _ => Ok(None),
        },
        Term::Keys(..) => Ok(None),
    }
}

/// The objects of all of `added`, which are one or both of `terms`, less those of both terms.
fn count_two<const N: usize>(
    terms: [&Term; 2],
    added: [&Term; N],
    view: &GrooveView,
    window: Window,
) -> Result<Option<Count>, QueryError> {
    let is_scans = |term: &&Term| match term {
        Term::Keys(Subject::Index(ordinal), set) => {
            !is_unique(view, *ordinal) && is_few_scans(view, *ordinal, set)
        }
        _ => false,
    };
    if !terms.iter().all(is_scans) {
        return Ok(None);
    }
    let mut known = 0;
    for term in added {
        let Term::Keys(Subject::Index(ordinal), set) = term else { return Ok(None) };
        for range in set.ranges() {
            known += i128::from(count_range(view, *ordinal, range, window)?);
        }
    }
    let (kept, removed) = (terms.map(Term::clone).to_vec(), Vec::new());
    let both = Normal { term: Term::And { kept, removed }, negative: false };
    Ok(Some(Count { known, overlap: Some((Sign::Minus, both)) }))
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
