//! One random query, ended in all ways.

use std::collections::BTreeMap;
use std::fmt::Debug;

use groove::{Cursor, Object, Ordered, Page, Predicate, Query, QueryError};

use crate::column::{Condition, bound, within};
use crate::predicate::{Columns, both, condition, of_operator, timestamp};
use crate::rng::Rng;
use crate::tally::{OPERATORS, Operator, Tally};

/// Makes queries of one state.
pub(crate) type Ask<'a, O> = dyn FnMut(Predicate<O>) -> Query<O> + 'a;

/// What random queries are asked of.
pub(crate) struct Asker<'a, O: Object> {
    pub(crate) rng: &'a mut Rng,
    pub(crate) tally: &'a mut Tally,
    pub(crate) columns: &'a Columns<O>,
    pub(crate) objects: &'a BTreeMap<u64, O>,
    /// Whether the budget of memory is so tight that queries may be refused.
    pub(crate) tight: bool,
}

/// The value, unless the query was refused for its memory and may be.
macro_rules! answer {
    ($asker:expr, $what:literal, $result:expr) => {{
        $asker.tally.execution($what);
        match $result {
            Ok(answer) => answer,
            Err(QueryError::OutOfMemory { .. }) if $asker.tight => {
                $asker.tally.note("refused: out of memory");
                return;
            }
            Err(error) => panic!("{}: {error}", $what),
        }
    }};
}

impl<O: Object + Copy + PartialEq + Debug> Asker<'_, O> {
    /// Asks a random query.
    pub(crate) fn ask(&mut self, query_of: &mut Ask<'_, O>) {
        let depth = self.rng.below(6);
        let made = condition(self.rng, self.tally, self.columns, self.objects, depth);
        let Condition { predicate, holds, .. } = &made;
        let mut query = query_of(predicate.clone());
        let matching = self.objects.values().filter(|object| holds(object));
        let mut expected: Vec<O> = matching.copied().collect();
        if self.rng.chance(30) {
            let (lower, upper) = (self.timestamp(), self.timestamp());
            let range = (bound(self.rng, lower), bound(self.rng, upper));
            query = query.timestamps(range);
            expected.retain(|object| within(&range, &object.timestamp(), u64::cmp));
        }
        let newest_first = self.rng.chance(50);
        if newest_first {
            query = query.newest_first();
            expected.reverse();
        }
        self.ends(&query, &expected);
        self.pages(&query, &expected, newest_first);
        match self.rng.below(7) {
            0 | 4 => self.order(&query, &expected),
            1 => self.join(&query, &expected, query_of),
            2 => self.shared(&query, &expected, query_of),
            3 => self.laws(&made, query_of),
            _ => {}
        }
    }

    /// Asks small predicates in which each pair of operators meets, under `&` and under `|`.
    pub(crate) fn pairs(&mut self, query_of: &mut Ask<'_, O>) {
        for combinator in [Operator::And, Operator::Or] {
            for (at, one) in OPERATORS.into_iter().enumerate() {
                for other in OPERATORS.into_iter().skip(at) {
                    self.pair(combinator, one, other, query_of);
                }
            }
        }
    }

    fn pair(
        &mut self,
        combinator: Operator,
        one: Operator,
        other: Operator,
        query_of: &mut Ask<'_, O>,
    ) {
        let (columns, objects) = (self.columns, self.objects);
        let mut operands = [
            of_operator(self.rng, columns, objects, one),
            of_operator(self.rng, columns, objects, other),
        ];
        if self.rng.chance(50) {
            operands.reverse();
        }
        let [a, b] = operands;
        self.tally.siblings(combinator, &[one, other]);
        let Condition { predicate, holds, .. } = both(combinator, a, b);
        let mut query = query_of(predicate);
        let mut expected: Vec<u64> = objects
            .iter()
            .filter(|(_, object)| holds(object))
            .map(|(timestamp, _)| *timestamp)
            .collect();
        if self.rng.chance(50) {
            query = query.newest_first();
            expected.reverse();
        }
        if self.rng.chance(50) {
            let limit = self.rng.below(9) as usize;
            query = query.limit(limit);
            expected.truncate(limit);
        }
        let found: Result<Vec<u64>, _> = match self.rng.chance(50) {
            true => query.iter_timestamps().collect(),
            false => query.iter().map(|object| Ok(object?.timestamp())).collect(),
        };
        assert_eq!(answer!(self, "pair of operators", found), expected, "{query:?}");
    }

    fn timestamp(&mut self) -> u64 {
        timestamp(self.rng, self.objects)
    }

    /// The ways a query can end, with and without a limit.
    fn ends(&mut self, query: &Query<O>, expected: &[O]) {
        let page = answer!(self, "collect", query.collect());
        assert_eq!(&page[..], expected, "{query:?}");
        assert_eq!(page.next, None, "{query:?}");
        let count = answer!(self, "count", query.count());
        assert_eq!(count, expected.len() as u64, "{query:?}");
        let exists = answer!(self, "exists", query.exists());
        assert_eq!(exists, !expected.is_empty(), "{query:?}");

        let limit = self.rng.below(12) as usize;
        let limited = query.clone().limit(limit);
        let head = &expected[..limit.min(expected.len())];
        match self.rng.below(5) {
            0 => {
                let first = answer!(self, "first", query.first());
                assert_eq!(first.as_ref(), expected.first(), "{query:?}");
            }
            1 => {
                let found: Result<Vec<O>, _> = limited.iter().collect();
                let found = answer!(self, "iter", found);
                assert_eq!(found, head, "{limited:?}");
            }
            2 => {
                let found: Result<Vec<u64>, _> = limited.iter_timestamps().collect();
                let found = answer!(self, "iter_timestamps", found);
                let expected: Vec<u64> = head.iter().map(O::timestamp).collect();
                assert_eq!(found, expected, "{limited:?}");
            }
            3 => {
                let count = answer!(self, "count with a limit", limited.count());
                assert_eq!(count, head.len() as u64, "{limited:?}");
            }
            _ => {
                let explanation = answer!(self, "explain", limited.explain());
                assert_eq!(explanation.rows(), head.len() as u64, "{limited:?}\n{explanation}");
                assert!(explanation.to_string().lines().count() >= 2, "{explanation}");
            }
        }
    }

    /// All pages, one after the other, and from the last page or one before it back to the first.
    fn pages(&mut self, query: &Query<O>, expected: &[O], newest_first: bool) {
        let limit = 1 + self.rng.below(60) as usize;
        let mut all: Vec<O> = Vec::new();
        let mut cursor: Option<Cursor> = None;
        loop {
            let page = query.clone().limit(limit).after(cursor).collect();
            let page = answer!(self, "page", page);
            assert!(page.next.is_none() || page.len() == limit, "a page before the last is full");
            all.extend_from_slice(&page);
            if self.rng.chance(10) {
                self.back(query, &page, expected, newest_first);
            }
            match page.next {
                None => break,
                Some(next) => {
                    cursor = Some(Cursor::from_bytes(&next.to_bytes()).expect("its bytes"))
                }
            }
        }
        assert_eq!(all, expected, "pages of {limit} of {query:?}");
    }

    /// From a page back, in the other direction.
    fn back(&mut self, query: &Query<O>, page: &Page<O>, expected: &[O], newest_first: bool) {
        let Some(first) = page.first() else {
            assert_eq!(page.previous, None);
            return;
        };
        let at = expected.iter().position(|object| object == first).expect("it is in the answer");
        let reversed = match newest_first {
            true => query.clone().oldest_first(),
            false => query.clone().newest_first(),
        };
        let back = answer!(self, "back to the beginning", reversed.after(page.previous).collect());
        let before: Vec<O> = expected[..at].iter().rev().copied().collect();
        assert_eq!(&back[..], before, "back from {first:?} in {query:?}");
    }

    /// In the order of an index.
    fn order(&mut self, query: &Query<O>, expected: &[O]) {
        let column = &self.columns[self.rng.below(self.columns.len() as u64) as usize];
        let Some(ordered) = column.ordered(query.clone()) else { return };
        let mut sorted = expected.to_vec();
        column.sort(&mut sorted);
        let descending = self.rng.chance(50);
        let ordered = match descending {
            true => {
                sorted.reverse();
                ordered.descending()
            }
            false => ordered,
        };
        if self.rng.chance(30) {
            let all = answer!(self, "order_by", ordered.collect());
            assert_eq!(&all[..], sorted, "{ordered:?}");
            assert_eq!(all.next, None, "{ordered:?}");
        }
        let limit = self.rng.below(8) as usize;
        let limited = ordered.clone().limit(limit);
        let head = &sorted[..limit.min(sorted.len())];
        match self.rng.below(3) {
            0 => {
                let top = answer!(self, "order_by with a limit", limited.collect());
                assert_eq!(&top[..], head, "{limit} of {ordered:?}");
            }
            1 => {
                let top: Result<Vec<O>, _> = limited.iter().collect();
                let top = answer!(self, "order_by, iter", top);
                assert_eq!(top, head, "{limit} of {ordered:?}");
            }
            _ => {
                let explanation = answer!(self, "order_by, explain", limited.explain());
                assert_eq!(explanation.rows(), head.len() as u64, "{limited:?}\n{explanation}");
            }
        }
        let first = answer!(self, "order_by, first", ordered.first());
        assert_eq!(first.as_ref(), sorted.first(), "{ordered:?}");
        self.ordered_pages(query, &ordered, &sorted, descending);
    }

    /// All pages in the order of an index, one after the other, and back to the first.
    fn ordered_pages(
        &mut self,
        query: &Query<O>,
        ordered: &Ordered<O>,
        sorted: &[O],
        descending: bool,
    ) {
        let limit = 1 + self.rng.below(60) as usize;
        let reversed = match descending {
            true => ordered.clone().ascending(),
            false => ordered.clone().descending(),
        };
        let (mut all, mut cursor): (Vec<O>, Option<Cursor>) = (Vec::new(), None);
        loop {
            let page = ordered.clone().limit(limit).after(cursor).collect();
            let page = answer!(self, "order_by, page", page);
            assert!(page.next.is_none() || page.len() == limit, "a page before the last is full");
            assert!(cursor.is_none() || !page.is_empty(), "a cursor promises more");
            if self.rng.chance(20) {
                let back = reversed.clone().after(page.previous).collect();
                let back = answer!(self, "order_by, back to the beginning", back);
                let before = match page.is_empty() {
                    true => sorted.iter().rev().copied().collect(),
                    false => all.iter().rev().copied().collect::<Vec<O>>(),
                };
                assert_eq!(&back[..], before, "back from {} of {ordered:?}", all.len());
            }
            all.extend_from_slice(&page);
            let Some(next) = page.next else { break };
            let refused = query.clone().after(next).collect();
            assert!(matches!(refused, Err(QueryError::ForeignCursor { .. })), "{refused:?}");
            cursor = Some(Cursor::from_bytes(&next.to_bytes()).expect("its bytes"));
        }
        assert_eq!(all, sorted, "pages of {limit} of {ordered:?}");
    }

    /// A semi-join by the keys of a column.
    fn join(&mut self, query: &Query<O>, expected: &[O], query_of: &mut Ask<'_, O>) {
        let column = &self.columns[self.rng.below(self.columns.len() as u64) as usize];
        let Some(joined) = column.joined(query) else { return };
        let predicate = answer!(self, "keys", joined);
        let found = answer!(self, "one_of_keys", query_of(predicate).collect());
        let has_key = |object: &&O| expected.iter().any(|other| column.same_key(object, other));
        let matching: Vec<O> = self.objects.values().filter(has_key).copied().collect();
        assert_eq!(&found[..], matching, "keys of {query:?}");
    }

    /// Together with another query, by their timestamps.
    fn shared(&mut self, query: &Query<O>, expected: &[O], query_of: &mut Ask<'_, O>) {
        let depth = self.rng.below(3);
        let other = condition(self.rng, self.tally, self.columns, self.objects, depth);
        let shared = query.clone().sharing_timestamps(&query_of(other.predicate));
        let both: Vec<O> =
            expected.iter().filter(|object| (other.holds)(object)).copied().collect();
        let found = answer!(self, "sharing_timestamps", shared.collect());
        assert_eq!(&found[..], both, "{query:?} and another");
        let count = answer!(self, "sharing_timestamps, count", shared.count());
        assert_eq!(count, both.len() as u64);
        let explanation = answer!(self, "sharing_timestamps, explain", shared.explain());
        assert_eq!(explanation.rows(), both.len() as u64);
        self.order(&shared, &both);
        let page = answer!(self, "sharing_timestamps, page", shared.clone().limit(3).collect());
        if let Some(next) = page.next {
            let rest = answer!(self, "sharing_timestamps, page", shared.after(next).collect());
            assert_eq!(&rest[..], &both[3..]);
            let refused = query.clone().after(next).collect();
            assert!(matches!(refused, Err(QueryError::ForeignCursor { .. })), "{refused:?}");
        }
    }

    /// Laws that hold whatever the objects are.
    fn laws(&mut self, a: &Condition<O>, query_of: &mut Ask<'_, O>) {
        let depth = self.rng.below(4);
        let b = condition(self.rng, self.tally, self.columns, self.objects, depth).predicate;
        let a = &a.predicate;
        let pairs = [
            (a.clone() & b.clone(), b.clone() & a.clone()),
            (a.clone() | b.clone(), b.clone() | a.clone()),
            (!(a.clone() | b.clone()), !a.clone() & !b.clone()),
            (!(a.clone() & b.clone()), !a.clone() | !b.clone()),
            (a.clone(), (a.clone() & b.clone()) | (a.clone() & !b.clone())),
        ];
        for (left, right) in pairs {
            let one = answer!(self, "laws", query_of(left.clone()).collect());
            let other = answer!(self, "laws", query_of(right.clone()).collect());
            assert_eq!(one[..], other[..], "{left:?} and {right:?}");
            let newest = answer!(self, "laws", query_of(left.clone()).newest_first().collect());
            assert!(newest.iter().rev().eq(one.iter()), "{left:?} reversed");
        }
    }
}
