//! Counts without streams.

use crate::error::QueryError;
use crate::groove::GrooveView;
use crate::query::key_range::KeyRange;
use crate::query::stream::{Entries, Window};

use super::choose::{count_range, is_unique};
use super::normal::{Normal, Subject, Term};

/// The number of objects in `window` that `normal` has; `None` if only a stream can tell.
///
/// Conditions on one index are counted in that index alone: by the tree's own counts where the
/// entries to count are neighbours in the tree, by a walk over the entries otherwise. Their
/// negations follow from the number of all objects.
pub(super) fn count(
    normal: &Normal,
    view: &GrooveView,
    window: Window,
) -> Result<Option<u64>, QueryError> {
    if window.is_empty() {
        return Ok(Some(0));
    }
    let Some(count) = count_term(&normal.term, view, window)? else { return Ok(None) };
    if !normal.negative {
        return Ok(Some(count));
    }
    // A count of objects that is less than that of the entries would be corruption; the stream,
    // which meets the objects themselves, is asked then.
    Ok(if window == Window::ALL { view.object_count.checked_sub(count) } else { None })
}

fn count_term(term: &Term, view: &GrooveView, window: Window) -> Result<Option<u64>, QueryError> {
    match term {
        Term::Or(terms) if terms.is_empty() => Ok(Some(0)),
        Term::Keys(Subject::Index(ordinal), set) => {
            let unique = is_unique(view, *ordinal);
            let (neighbours, scattered): (Vec<KeyRange>, Vec<KeyRange>) = set
                .ranges()
                .iter()
                .partition(|range| !unique && (range.is_point() || window == Window::ALL));
            let mut count = 0;
            for range in neighbours {
                count += count_range(view, *ordinal, &range, window)?;
            }
            let tree = view.index_trees[*ordinal].clone();
            let entries = Entries::new(tree, unique, scattered);
            entries.for_each(window, |_| {
                count += 1;
                Ok(())
            })?;
            Ok(Some(count))
        }
        _ => Ok(None),
    }
}
