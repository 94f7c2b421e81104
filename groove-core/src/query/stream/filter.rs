//! What decides about single timestamps of a stream: the timestamps that one stream has and others
//! have too, or have not, and those whose row has a key of some set.

use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

use crate::error::{Damage, QueryError};
use crate::query::key_range::RangeSet;
use crate::query::number_set::NumberSet;
use crate::query::row_key::RowKey;
use crate::table::PayloadLane;
use crate::tree::{Direction, Scan, TreeRead, seeks};

use super::row_reader::RowReader;
use super::{BoxStream, Stream, without};

/// Fewer timestamps are decided about one by one: if few of them are met, many of so few would be asked for.
const TOGETHER_MIN: usize = 16;
/// Timestamps that are decided about together at the most.
const TOGETHER_MAX: usize = 128;

/// A condition on a timestamp that is known to be one of an object.
///
/// Asked for ranks that never go back. Each part is asked for the rank itself and never looks for
/// the next one beyond it.
pub(crate) enum Filter {
    /// Met by the timestamps of the stream. It may be [`Bounds`](super::Bounds).
    Member(BoxStream),
    /// Met by objects in whose row there is a key of the set.
    Row(RowKey, RangeSet),
    /// The same of a number, without the detour over encoded keys.
    Number(PayloadLane, NumberSet),
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
}

impl Filter {
    /// Met by objects in whose row there is a key of the set.
    pub(crate) fn of_row(key: RowKey, set: RangeSet) -> Filter {
        match key {
            RowKey::Number { lane, optional } => {
                let absent = optional.then(|| lane.zero());
                Filter::Number(lane, NumberSet::new(&set, absent))
            }
            key => Filter::Row(key, set),
        }
    }

    /// Whether the timestamp with this rank meets the condition, and its row, which is there if any
    /// part asks for it: of it, what [`Filter::parts`] names is sure to be there.
    pub(super) fn contains(
        &mut self,
        rank: u64,
        row: Option<&[u8]>,
        at: &Place<'_>,
    ) -> Result<bool, QueryError> {
        match self {
            Filter::Member(stream) => Ok(stream.seek(rank)? == Some(rank)),
            Filter::Number(lane, set) => {
                let row = row.expect("the plan has rows where it tests them");
                Ok(set.contains(lane.read(row)))
            }
            Filter::Row(key, set) => {
                let row = row.expect("the plan has rows where it tests them");
                let damage = Damage::Invalid { what: "row" };
                let timestamp = super::rank(at.direction, rank);
                let damaged = |_| at.objects.damaged(&[timestamp], damage);
                let key = key.read(row).map_err(damaged)?;
                Ok(key.is_some_and(|key| set.contains(&key)))
            }
            Filter::All(parts) => {
                for part in parts {
                    if !part.contains(rank, row, at)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Filter::Any(parts) => {
                for part in parts {
                    if part.contains(rank, row, at)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Filter::Not(part) => Ok(!part.contains(rank, row, at)? || defect!(NegationIgnored)),
        }
    }
}

impl Filter {
    /// The bytes of rows that it reads.
    pub(super) fn parts(&self) -> Vec<Range<usize>> {
        let mut parts = Vec::new();
        self.append_parts(&mut parts);
        parts
    }

    fn append_parts(&self, parts: &mut Vec<Range<usize>>) {
        match self {
            Filter::Member(_) => {}
            Filter::Row(key, _) => key.append_parts(parts),
            Filter::Number(lane, _) => parts.push(lane.offset..lane.offset + lane.width),
            Filter::All(filters) | Filter::Any(filters) => {
                filters.iter().for_each(|filter| filter.append_parts(parts));
            }
            Filter::Not(filter) => filter.append_parts(parts),
        }
    }

    /// Calls with what all rows that meet it have in common: a lane, and the numbers that it has one of.
    pub(super) fn each_wanted(&self, call: &mut impl FnMut(PayloadLane, &NumberSet)) {
        match self {
            Filter::Number(lane, set) => call(*lane, set),
            Filter::All(parts) => parts.iter().for_each(|part| part.each_wanted(call)),
            _ => {}
        }
    }

    fn reads_rows(&self) -> bool {
        match self {
            Filter::Member(_) => false,
            Filter::Row(..) | Filter::Number(..) => true,
            Filter::All(parts) | Filter::Any(parts) => parts.iter().any(Filter::reads_rows),
            Filter::Not(part) => part.reads_rows(),
        }
    }

    /// Keeps, of `ranks`, which ascend, those that meet the condition, which reads no rows: many at once cost
    /// less than one after the other.
    fn retain(&mut self, ranks: &mut Vec<u64>) -> Result<(), QueryError> {
        self.retain_by(ranks, &mut |part, ranks| match part {
            Filter::Member(stream) => stream.retain(ranks),
            _ => unreachable!("it reads rows"),
        })
    }

    /// Keeps, of `steps`, which ascend, those from the first of `rows` on to one whose row meets the condition.
    pub(super) fn retain_rows(
        &mut self,
        steps: &mut Vec<u32>,
        rows: &mut AtHand<'_>,
        at: &Place<'_>,
    ) -> Result<(), QueryError> {
        self.retain_by(steps, &mut |part, steps| {
            if let Filter::Number(lane, set) = part {
                rows.retain_numbers(*lane, set, steps, at.direction);
                return Ok(());
            }
            let mut kept = 0;
            for number in 0..steps.len() {
                let step = steps[number];
                let rank = rows.rank(step, at.direction);
                if part.contains(rank, Some(rows.row(step, at.direction)), at)? {
                    steps[kept] = step;
                    kept += 1;
                }
            }
            steps.truncate(kept);
            Ok(())
        })
    }

    /// Keeps, of `items`, which ascend, those that meet the condition; `keep` does so for a part that is made of no
    /// others.
    fn retain_by<T: Ord + Clone>(
        &mut self,
        items: &mut Vec<T>,
        keep: &mut impl FnMut(&mut Filter, &mut Vec<T>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        match self {
            _ if items.is_empty() => {}
            Filter::All(parts) => {
                for part in parts {
                    part.retain_by(items, keep)?;
                }
            }
            Filter::Any(parts) => {
                let mut rest = items.clone();
                for part in parts {
                    let mut met = rest.clone();
                    part.retain_by(&mut met, keep)?;
                    without(&mut rest, &met);
                }
                without(items, &rest);
            }
            Filter::Not(_) if defect!(NegationIgnored) => {}
            Filter::Not(part) => part.exclude_by(items, keep)?,
            part => keep(part, items)?,
        }
        Ok(())
    }

    /// Removes those that [`Filter::retain_by`] keeps.
    fn exclude_by<T: Ord + Clone>(
        &mut self,
        items: &mut Vec<T>,
        keep: &mut impl FnMut(&mut Filter, &mut Vec<T>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        match self {
            Filter::Any(parts) => {
                parts.iter_mut().try_for_each(|part| part.exclude_by(items, keep))
            }
            Filter::Not(part) => part.retain_by(items, keep),
            part => {
                let mut met = items.clone();
                part.retain_by(&mut met, keep)?;
                without(items, &met);
                Ok(())
            }
        }
    }
}

/// Where filters are asked.
pub(crate) struct Place<'a> {
    pub(super) direction: Direction,
    /// The object tree, which names the block of a row that is damaged.
    pub(super) objects: &'a dyn TreeRead,
    /// How many rows may still be tested by a bet: if there are none left, a stream ends before its end.
    pub(super) tests_left: Option<&'a Cell<u64>>,
}

impl Place<'_> {
    /// How many of so many rows may be tested; they are tested then.
    pub(super) fn test_up_to(&self, rows: usize) -> usize {
        let Some(tests_left) = self.tests_left else { return rows };
        let left = tests_left.get();
        let tested = usize::try_from(left).map_or(rows, |left| rows.min(left));
        tests_left.set(left - tested as u64);
        tested
    }

    pub(super) fn has_tests_left(&self) -> bool {
        self.tests_left.is_none_or(|left| left.get() > 0)
    }
}

/// The rows that a scan of the object tree has at hand together.
pub(super) struct AtHand<'a> {
    scan: &'a mut dyn Scan,
    /// How many they are.
    count: usize,
    /// Bytes of a row.
    width: usize,
    /// Memory to use again.
    numbers: &'a mut Vec<u64>,
}

impl<'a> AtHand<'a> {
    pub(super) fn new(scan: &'a mut dyn Scan, width: usize, numbers: &'a mut Vec<u64>) -> Self {
        let count = scan.at_hand().len();
        AtHand { scan, count, width, numbers }
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The number of the row that is so many steps from the first one in a direction.
    #[inline]
    fn number(&self, step: u32, direction: Direction) -> usize {
        match direction {
            Direction::Ascending => step as usize,
            Direction::Descending => self.count - 1 - step as usize,
        }
    }

    fn row(&mut self, step: u32, direction: Direction) -> &[u8] {
        let number = self.number(step, direction);
        &self.scan.tested_at_hand()[number * self.width..(number + 1) * self.width]
    }

    fn rank(&self, step: u32, direction: Direction) -> u64 {
        direction.rank(self.scan.at_hand()[self.number(step, direction)])
    }

    /// Keeps, of `steps`, those to rows whose number is in the set: the lane alone is unpacked.
    fn retain_numbers(
        &mut self,
        lane: PayloadLane,
        set: &NumberSet,
        steps: &mut Vec<u32>,
        direction: Direction,
    ) {
        self.numbers.clear();
        if let Some(number) = self.scan.numbers_at_hand(lane, self.numbers) {
            if !set.contains(number) {
                steps.clear();
            }
            return;
        }
        assert_eq!(self.numbers.len(), self.count, "a number per row");
        if direction == Direction::Descending {
            self.numbers.reverse();
        }
        set.retain(steps, self.numbers);
    }
}

/// The timestamps of a stream that meet a condition. With [`Filter::Not`] it is the difference of
/// two streams.
///
/// Rows that the condition needs come from the stream, if it has them at hand, or are looked up in
/// batches, ahead of the targets.
pub(crate) struct Filtered {
    stream: BoxStream,
    filter: Filter,
    rows: Option<RowReader>,
    hedge: Option<Hedge>,
    /// Whether the filter asks for rows, and the stream has them at hand.
    tests_at_hand: bool,
    /// Whether many timestamps are decided about together: no rows are read.
    decides_together: bool,
    /// The last answer.
    given: Option<u64>,
    /// Whether the stream has nothing behind what was given.
    stream_ended: bool,
    ended: bool,
    direction: Direction,
    /// The object tree, which names the block of a row that is damaged.
    objects: Arc<dyn TreeRead>,
}

/// Another stream with the same timestamps, in case that too many are tested.
struct Hedge {
    /// How many timestamps may still be tested.
    tests_left: u64,
    stream: BoxStream,
}

impl Filtered {
    /// `rows` are given if a part of the filter asks for rows and `stream` has them not at hand.
    #[inline(never)] // its locals would lie in a frame that is on the stack once per level of the plan
    pub(crate) fn new(
        stream: BoxStream,
        filter: Filter,
        rows: Option<RowReader>,
        direction: Direction,
        objects: Arc<dyn TreeRead>,
    ) -> Filtered {
        let (hedge, given, stream_ended, ended) = (None, None, false, false);
        let tests_at_hand = rows.is_none() && filter.reads_rows();
        let decides_together = rows.is_none() && !tests_at_hand;
        let mut stream = stream;
        if tests_at_hand {
            stream.test(&filter.parts());
        }
        Filtered {
            stream,
            filter,
            rows,
            hedge,
            tests_at_hand,
            decides_together,
            given,
            stream_ended,
            ended,
            direction,
            objects,
        }
    }

    /// Goes over to `other`, which has the same timestamps, once `tested_max` were tested.
    pub(crate) fn hedge(&mut self, tested_max: u64, other: BoxStream) {
        self.hedge = Some(Hedge { tests_left: tested_max, stream: other });
        // Tests are counted.
        self.decides_together = false;
    }

    /// How many tests are left of a bet.
    fn tests_left(&self) -> Option<Cell<u64>> {
        self.hedge.as_ref().map(|hedge| Cell::new(hedge.tests_left))
    }

    fn set_tests_left(&mut self, left: Option<Cell<u64>>) {
        if let (Some(hedge), Some(left)) = (&mut self.hedge, left) {
            hedge.tests_left = left.get();
        }
    }

    /// Whether what is left comes from the other stream now, since a bet has no tests left.
    fn has_changed_over(&mut self) -> bool {
        let is_lost = self.hedge.as_ref().is_some_and(|hedge| hedge.tests_left == 0);
        if is_lost {
            self.change_over();
        }
        is_lost
    }

    fn change_over(&mut self) {
        if let Some(hedge) = self.hedge.take() {
            self.stream = hedge.stream;
            self.filter = Filter::All(Vec::new());
            self.rows = None;
            self.tests_at_hand = false;
            self.decides_together = true;
        }
    }

    /// Counts a timestamp that is to be tested; if it is one too many, what is left comes from the other
    /// stream.
    fn count_test(&mut self) {
        let Some(hedge) = &mut self.hedge else { return };
        if hedge.tests_left > 0 {
            hedge.tests_left -= 1;
        } else {
            self.change_over();
        }
    }
}

impl Stream for Filtered {
    fn seek(&mut self, target: u64) -> Result<Option<u64>, QueryError> {
        if self.ended {
            return Ok(None);
        }
        // The row at hand is that of the last answer: it must not be left for the same answer.
        if self.given.is_some_and(|given| given >= target) {
            return Ok(self.given);
        }
        if self.stream_ended {
            self.ended = true;
            return Ok(None);
        }
        if self.tests_at_hand {
            let tests_left = self.tests_left();
            let (direction, objects) = (self.direction, &*self.objects);
            let at = Place { direction, objects, tests_left: tests_left.as_ref() };
            let found = self.stream.seek_where(target, &mut self.filter, &at)?;
            self.set_tests_left(tests_left);
            self.given = found.or(self.given);
            if found.is_some() || !self.has_changed_over() {
                self.ended = found.is_none();
                return Ok(found);
            }
        }
        let mut target = target;
        loop {
            let most = self.hedge.as_ref().map_or(usize::MAX, |hedge| hedge.tests_left as usize);
            self.count_test();
            let found = match &mut self.rows {
                Some(rows) => rows.seek(&mut self.stream, target, self.direction, most)?,
                None => self.stream.seek(target)?,
            };
            let Some(found) = found else {
                self.ended = true;
                return Ok(None);
            };
            let row = match &self.rows {
                Some(rows) => rows.row_as_read(),
                None => None,
            };
            let (direction, objects) = (self.direction, &*self.objects);
            let at = Place { direction, objects, tests_left: None };
            if self.filter.contains(found, row, &at)? {
                self.given = Some(found);
                return Ok(Some(found));
            }
            target = found + 1;
        }
    }

    fn fill(&mut self, target: u64, count: usize, out: &mut Vec<u64>) -> Result<(), QueryError> {
        if !self.decides_together && !self.tests_at_hand {
            return seeks::fill(|target| self.seek(target), target, count, out);
        }
        if self.ended {
            return Ok(());
        }
        let end = out.len() + count;
        // The last answer may be asked for again.
        let mut target = target;
        if count > 0
            && let Some(given) = self.given.filter(|given| *given >= target)
        {
            out.push(given);
            target = given + 1;
        }
        if self.tests_at_hand && !self.stream_ended {
            let start = out.len();
            let tests_left = self.tests_left();
            let (direction, objects) = (self.direction, &*self.objects);
            let at = Place { direction, objects, tests_left: tests_left.as_ref() };
            self.stream.fill_where(target, end - start, &mut self.filter, &at, out)?;
            self.set_tests_left(tests_left);
            if let Some(last) = out[start..].last() {
                self.given = Some(*last);
                target = last + 1;
            }
            if out.len() == end || !self.has_changed_over() {
                self.stream_ended = out.len() < end;
                return Ok(());
            }
        }
        let mut ranks = Vec::new();
        while !self.stream_ended && out.len() < end {
            let wanted = (end - out.len()).min(TOGETHER_MAX);
            if wanted < TOGETHER_MIN {
                return seeks::fill(|target| self.seek(target), target, wanted, out);
            }
            ranks.clear();
            self.stream.fill(target, wanted, &mut ranks)?;
            self.stream_ended = ranks.len() < wanted;
            let Some(last) = ranks.last() else { break };
            target = last + 1;
            self.filter.retain(&mut ranks)?;
            out.extend_from_slice(&ranks);
            self.given = ranks.last().copied().or(self.given);
        }
        Ok(())
    }

    fn retain(&mut self, ranks: &mut Vec<u64>) -> Result<(), QueryError> {
        if !self.decides_together {
            return seeks::retain(|target| self.seek(target), ranks);
        }
        self.stream.retain(ranks)?;
        self.filter.retain(ranks)?;
        self.given = ranks.last().copied().or(self.given);
        Ok(())
    }

    fn row(&mut self) -> Option<&[u8]> {
        match &self.rows {
            Some(rows) => rows.row(),
            None => self.stream.row(),
        }
    }

    fn test(&mut self, parts: &[Range<usize>]) {
        if self.rows.is_none() {
            self.stream.test(parts);
        }
        if let Some(hedge) = &mut self.hedge {
            hedge.stream.test(parts);
        }
    }

    fn tested(&mut self) -> Option<&[u8]> {
        match &self.rows {
            Some(rows) => rows.row(),
            None => self.stream.tested(),
        }
    }
}
