//! From the normal form to a plan: what is walked, what is skipped through, what is only tested.
//!
//! A good plan walks little. Five rules decide, all of them by counts that trees give:
//!
//! * A conjunction walks its smallest term and zig-zags through terms whose entries are in timestamp
//!   order, which costs no more than the smallest.
//! * A term that would have to be collected first (a range of an index), or that has many scans to
//!   begin, is tested on rows instead, if the rows of what the smaller terms leave cost less than that;
//!   and if it does not fit into the budget of memory.
//! * What a conjunction takes away of an index that every object is in leaves the objects with its other keys: if
//!   these are far fewer than any other term has, they are walked.
//! * Conditions on the fields of a compound index are keys of that index, if these cost less to read.
//! * All objects of the range of timestamps are walked instead, if that costs less: in a narrow range,
//!   or where a `limit` soon has enough, or instead of many scans and tests.
//!
//! That a `limit` soon has enough is a bet on conditions that have nothing to do with each other or with
//! time. Data are not so. So a bet is hedged: once it has cost as much as the plan that needs no luck, what
//! is left of the answer comes from that one. By these costs both together are twice that plan at the most.
//!
//! Where every term is one scan, whatever the counts are the plan is the same, and nothing is counted: the sparser of
//! two scans, which they know when they have begun, leads. If there is a decision, it is by counts, and by the same
//! ones whether or not the plan is to be explained.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::error::ReadError;
use crate::groove::GrooveView;
use crate::query::key_range::{KeyRange, RangeSet};
use crate::query::row_key::{ReadKey, RowKey};
use crate::query::stream::Window;

use super::compound::Ways;
use super::cost::{
    APART_ROW_COST, BEGIN_COST, COLLECTED_BYTES, ROW_COST, SCANNED_ROW_COST, SEEK_COST,
    TESTED_ROW_COST,
};
use super::normal::{Normal, Subject, Term};
use super::size::{
    COUNTED_RANGES_MAX, FEW_SCANS, KEY_SCANS_MAX, SIZED_DEPTH, SMALL, Sized, Sizes, decides, hull,
    is_collected, is_few_scans, is_one_scan, is_points, is_slow, is_unique, width, windows,
};
use super::step::{Kind, RowTest, RowUse, Step, Test};

/// What is wanted of the answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goal {
    /// About how many timestamps.
    pub(crate) limit: u64,
    /// Whether rows are wanted, too.
    pub(crate) rows: bool,
    /// Whether nothing may be collected that rows can tell: it did not fit.
    pub(crate) frugal: bool,
}

/// Levels of conjunctions for which several ways are planned.
const COMPARED_LEVELS: usize = 2;

impl Goal {
    /// What the look-up of a row in the order of an index costs, in entries that are read one after the other.
    pub(crate) const APART_ROW_COST: u64 = APART_ROW_COST;
    /// What that of a row in the order of timestamps costs.
    pub(crate) const ROW_COST: u64 = ROW_COST;
}

/// Which objects a test is asked about.
#[derive(Debug, Clone, Copy)]
struct Asked {
    /// About how many, as far as the limit lets expect.
    likely: u64,
    /// About how many, if the limit is not met before the end.
    most: u64,
    /// Whether their rows are at hand.
    at_hand: bool,
}

pub(super) struct Planner<'a> {
    pub(super) view: &'a GrooveView,
    pub(super) readers: &'a BTreeMap<usize, ReadKey>,
    sizes: Sizes<'a>,
    /// As of [`Goal`]: about how many are wanted of the whole, whatever is wanted of a part.
    limit: u64,
    /// As of [`Goal`].
    frugal: bool,
    /// Whether something was decided for the sake of the limit that would otherwise cost more.
    bets: bool,
    /// Conjunctions within so many others are planned in several ways, of which one is chosen: each level multiplies
    /// what planning costs.
    compared_levels: usize,
    next_id: usize,
}

impl<'a> Planner<'a> {
    pub(super) fn new(
        view: &'a GrooveView,
        readers: &'a BTreeMap<usize, ReadKey>,
        explains: bool,
    ) -> Planner<'a> {
        let sizes = Sizes::new(view, explains);
        Planner {
            view,
            readers,
            sizes,
            limit: u64::MAX,
            frugal: false,
            bets: false,
            compared_levels: COMPARED_LEVELS,
            next_id: 0,
        }
    }

    /// The plan for the objects of `window` that the normal form has.
    pub(super) fn whole(
        &mut self,
        normal: &Normal,
        window: Window,
        goal: Goal,
    ) -> Result<Step, ReadError> {
        if window.is_empty() {
            return Ok(self.nothing());
        }
        self.sizes.counts = decides(self.view, &normal.term);
        (self.limit, self.frugal) = (goal.limit, goal.frugal);
        let step = self.best(normal, window, goal)?;
        Ok(match goal.frugal && goal.rows && !step.carries_rows() {
            // It takes the place of a plan that may have had them.
            true => self.with_rows(step),
            false => step,
        })
    }

    fn best(&mut self, normal: &Normal, window: Window, goal: Goal) -> Result<Step, ReadError> {
        if normal.negative {
            if normal.term == Term::Or(Vec::new()) {
                return self.objects(window);
            }
            return self.tested_objects(&normal.term, true, window);
        }
        let (step, sure) = match &normal.term {
            Term::And { kept, removed } => self.best_conjunction(kept, removed, window, goal)?,
            term @ Term::Keys(Subject::Field(_), _) => {
                self.best_conjunction(std::slice::from_ref(term), &[], window, goal)?
            }
            term => (self.step(term, window)?, None),
        };
        let begins_at_once = step.fixed == 0 && !step.tests_rows() && sure.is_none();
        if !self.sizes.counts || begins_at_once {
            return Ok(step);
        }
        // Something would be read to its end before the first answer, or many scans begun, or rows tested: is a walk of
        // all objects less?
        let all = self.objects(window)?;
        let scan = all.variable.saturating_add(step.rows);
        let share = |cost: u64| match goal.limit < step.rows {
            true => (u128::from(cost) * u128::from(goal.limit) / u128::from(step.rows)) as u64,
            false => cost,
        };
        if share(scan).saturating_mul(2) < step.cost(goal.limit, goal.rows) {
            let walk = self.tested_objects(&normal.term, false, window)?;
            // What rows do not tell would be collected for the walk, too.
            if !walk.collects() {
                return Ok(self.hedged(walk, sure.unwrap_or(step), goal));
            }
        }
        Ok(match sure {
            Some(sure) => self.hedged(step, sure, goal),
            None => step,
        })
    }

    /// The objects of all of `kept` and none of `removed`; and what needs no luck, if that needs some.
    fn best_conjunction(
        &mut self,
        kept: &[Term],
        removed: &[Term],
        window: Window,
        goal: Goal,
    ) -> Result<(Step, Option<Step>), ReadError> {
        let Ways { plain, others, is_none } = Ways::new(self.view.schema, kept);
        if is_none {
            return Ok((self.nothing(), None));
        }
        let levels = self.compared_levels;
        let others = if levels > 0 { others } else { Vec::new() };
        self.compared_levels = levels.saturating_sub(1);
        self.sizes.counts |= !others.is_empty();
        let (mut best, mut sure) = self.conjunction_and_sure(&plain, removed, window, goal)?;
        for kept in others {
            let whole = |step: &Step, sure: &Option<Step>| {
                sure.as_ref().unwrap_or(step).cost(u64::MAX, goal.rows)
            };
            // To read its keys alone may be more.
            if let Some(Term::Keys(Subject::Index(ordinal), set)) = kept.first()
                && self.sizes.reading(*ordinal, set, window)? >= whole(&best, &sure)
            {
                continue;
            }
            let (step, other_sure) = self.conjunction_and_sure(&kept, removed, window, goal)?;
            // They give the same; more of this one was counted, and less is a guess.
            best.rows = best.rows.min(step.rows);
            if whole(&step, &other_sure) >= whole(&best, &sure) {
                continue;
            }
            let first = |step: &Step, limit: u64| step.cost(limit, goal.rows);
            let is_whole = goal.limit == self.limit;
            if first(&best, goal.limit).saturating_mul(2) < first(&step, goal.limit) {
                sure = Some(other_sure.unwrap_or(step));
            } else if is_whole || first(&best, self.limit) >= first(&step, self.limit) {
                // A part makes no bets: there it has to be less for the limit, too.
                (best, sure) = (step, other_sure);
            }
        }
        self.compared_levels = levels;
        Ok((best, sure))
    }

    fn conjunction_and_sure(
        &mut self,
        kept: &[Term],
        removed: &[Term],
        window: Window,
        goal: Goal,
    ) -> Result<(Step, Option<Step>), ReadError> {
        let with_rows = |step: Step| match goal.rows {
            true => step.with_whole_rows(),
            false => step,
        };
        // What is inside wants all and makes no bets.
        let outer = std::mem::take(&mut self.bets);
        let step = with_rows(self.conjunction(kept, removed, window, goal.limit)?);
        let sure = match std::mem::take(&mut self.bets) {
            true => Some(with_rows(self.conjunction(kept, removed, window, u64::MAX)?)),
            false => None,
        };
        self.bets = outer;
        Ok((step, sure))
    }

    /// `bet`, as long as it costs no more than `sure`.
    fn hedged(&mut self, bet: Step, sure: Step, goal: Goal) -> Step {
        let most = sure.cost(goal.limit, goal.rows);
        let tested_max = |source: &Step, rows: RowUse| match (source.carries_rows(), rows) {
            (true, _) => most / SCANNED_ROW_COST,
            (false, RowUse::Kept) => most / (ROW_COST + SEEK_COST),
            (false, RowUse::Tested) => most / (TESTED_ROW_COST + SEEK_COST),
        };
        match bet.kind {
            // Half of it tested in vain, and the other plan: no less than all of it.
            Kind::Filtered { source, tests, rows }
                if tested_max(&source, rows) < source.rows / 2 =>
            {
                let tested_max = tested_max(&source, rows);
                let keeps_rows = goal.rows && (source.carries_rows() || rows == RowUse::Kept);
                let other = match (keeps_rows, sure.carries_rows()) {
                    (true, false) => self.with_rows(sure),
                    (true, true) => sure,
                    (false, _) => sure.without_rows(),
                };
                let kind = Kind::Hedged { source, tests, rows, tested_max, other: Box::new(other) };
                self.new_step(kind, bet.rows, bet.fixed, bet.variable)
            }
            kind => Step { kind, ..bet },
        }
    }

    fn with_rows(&mut self, step: Step) -> Step {
        let (rows, fixed) = (step.rows, step.fixed);
        let variable = step.variable.saturating_add(rows.saturating_mul(ROW_COST));
        self.new_step(Kind::Rows(Box::new(step)), rows, fixed, variable)
    }

    /// The condition of the normal form, for rows that are at hand; `None` if something would be
    /// collected for it.
    pub(super) fn keep(
        &mut self,
        normal: &Normal,
        window: Window,
    ) -> Result<Option<Test>, ReadError> {
        self.sizes.counts = decides(self.view, &normal.term);
        let asked = Asked { likely: 0, most: 0, at_hand: true };
        let test = self.test(&normal.term, asked, window)?;
        let test = if normal.negative { Test::Not(Box::new(test)) } else { test };
        Ok(Some(test).filter(|test| !test.collects()))
    }

    /// The timestamps of `window` that `term` has.
    fn step(&mut self, term: &Term, window: Window) -> Result<Step, ReadError> {
        if window.is_empty() {
            return Ok(self.nothing());
        }
        match term {
            Term::Keys(Subject::Timestamp, set) => self.timestamps(&windows(set, window)),
            Term::Keys(Subject::Field(_), _) if self.compared_levels == 0 => {
                self.tested_objects(term, false, window)
            }
            Term::Keys(Subject::Field(_), _) => self.and(std::slice::from_ref(term), &[], window),
            Term::Keys(Subject::Index(ordinal), set) => {
                let size = self.sizes.size_of_step(*ordinal, set, window)?;
                if self.refuses(*ordinal, set, size)
                    && RowKey::of_index(self.view.schema, *ordinal).is_some()
                {
                    return self.tested_objects(term, false, window);
                }
                self.index(*ordinal, set, window, size)
            }
            Term::Or(terms) => {
                let mut parts = Vec::with_capacity(terms.len());
                for term in terms {
                    parts.push(self.step(term, window)?);
                }
                if parts.iter().any(|part| part.tests_all_of(window)) {
                    return self.tested_objects(term, false, window);
                }
                Ok(self.union(parts))
            }
            // Any number of levels: only what is needed lies on the stack.
            Term::And { kept, removed } if self.compared_levels == 0 => {
                let plain = Ways::plain(self.view.schema, kept);
                self.conjunction(&plain, removed, window, u64::MAX)
            }
            Term::And { kept, removed } => self.and(kept, removed, window),
        }
    }

    /// The objects of all of `kept` and none of `removed`.
    #[inline(never)]
    fn and(&mut self, kept: &[Term], removed: &[Term], window: Window) -> Result<Step, ReadError> {
        let goal = Goal { limit: u64::MAX, rows: false, frugal: self.frugal };
        Ok(self.best_conjunction(kept, removed, window, goal)?.0)
    }

    /// The same by these very terms; about `limit` are wanted.
    fn conjunction(
        &mut self,
        kept: &[Term],
        removed: &[Term],
        window: Window,
        limit: u64,
    ) -> Result<Step, ReadError> {
        if let ([term @ Term::Keys(Subject::Field(_), _)], []) = (kept, removed) {
            return self.tested_objects(term, false, window);
        }
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
            return Ok(self.nothing());
        }
        let schema = self.view.schema;
        let others: Vec<Option<Term>> = removed.iter().map(|term| term.others(schema)).collect();
        let is_field = |term: &&Term| matches!(term, Term::Keys(Subject::Field(_), _));
        let mut at_hand = terms.iter().any(is_field);
        let scans = terms.iter().all(|term| is_one_scan(self.view, term)) && !terms.is_empty();
        let zig_zag = scans && terms.len() <= 2 && removed.is_empty() && !self.sizes.counts;
        let mut sizes: Vec<Sized<'_>> = match zig_zag && !self.sizes.explains {
            // Either skips to where the other one is: the sparser one, which they know when they have
            // begun, bounds the work, and there is nothing to decide.
            true => terms.into_iter().map(|term| (self.view.object_count, false, term)).collect(),
            false => self.sizes.sorted(terms, window, others.iter().any(Option::is_some))?,
        };

        let mut left = match zig_zag {
            true => self.view.object_count,
            false => self.sizes.objects_in(window)?,
        };
        let all = left;
        // What is taken away of an index that every object is in leaves those with its other keys: if these are the
        // fewest of all, they are walked.
        let mut rest = Vec::with_capacity(removed.len());
        let mut not_removed = u128::from(all);
        for (term, others) in removed.iter().zip(&others) {
            // Fields are tested, and not walked.
            let walked = sizes.iter().filter(|(.., term)| !is_field(term));
            let least = walked.map(|(size, ..)| *size).min().unwrap_or(all);
            // Of so few it does not matter.
            let without = match least > SMALL {
                true => self.sizes.without(all, term, window)?,
                false => all,
            };
            match others {
                Some(others)
                    if without < least / 2
                        && self.are_less(term, others, without, least, window)? =>
                {
                    self.sizes.counts = true;
                    sizes.push((without, is_slow(others), others));
                    sizes.sort_by_key(|&(size, is_slow, _)| (size, is_slow));
                }
                _ => {
                    not_removed = not_removed * u128::from(without) / u128::from(all.max(1));
                    rest.push(term);
                }
            }
        }
        let removed = rest;
        // As if the conditions had nothing to do with each other.
        let share =
            |rows: u128, size: u64| rows * u128::from(size.min(all)) / u128::from(all.max(1));
        let both = sizes.iter().map(|(size, ..)| *size).fold(not_removed, share) as u64;
        let (mut sources, mut tested): (Vec<Step>, Vec<&Term>) = (Vec::new(), Vec::new());
        for &(size, _, term) in &sizes {
            let first = sources.is_empty();
            let tests = match term {
                Term::Keys(Subject::Field(_), _) => true,
                Term::Keys(Subject::Index(ordinal), set)
                    if !is_few_scans(self.view, *ordinal, set) =>
                {
                    let row_cost = if at_hand { 1 } else { TESTED_ROW_COST };
                    let all_rows = left.saturating_mul(row_cost);
                    // Of what is left, as far as the limit.
                    let rows = match limit < both {
                        true => {
                            (u128::from(all_rows) * u128::from(limit) / u128::from(both)) as u64
                        }
                        false => all_rows,
                    };
                    // So little that it need not be compared.
                    let few = !first && left <= SMALL;
                    let refused = self.refuses(*ordinal, set, size);
                    let is_key = RowKey::of_index(self.view.schema, *ordinal).is_some();
                    if !is_key || first || few || refused {
                        is_key && (few || refused)
                    } else {
                        let reading = self.sizes.reading(*ordinal, set, window)?;
                        self.bets |= rows < reading && reading <= all_rows;
                        rows < reading
                    }
                }
                Term::Keys(..) | Term::And { .. } => false,
                Term::Or(_) => !first,
            };
            if tests {
                at_hand |= matches!(term, Term::Keys(..));
                tested.push(term);
                continue;
            }
            let step = self.step(term, window)?;
            if step.tests_all_of(window) {
                tested.push(term);
            } else {
                left = left.min(size);
                sources.push(step);
            }
        }
        if sources.is_empty() {
            at_hand = true;
            sources.push(self.timestamps(&windows)?);
        } else if windows.len() > 1 {
            sources.push(self.bounds(windows));
        }
        let source = self.intersection(sources);
        let mut tests = Vec::with_capacity(tested.len() + 1);
        let likely = match limit < both {
            true => (u128::from(left) * u128::from(limit) / u128::from(both)) as u64,
            false => left,
        };
        let asked = Asked { likely, most: left, at_hand };
        for term in tested {
            tests.push(self.test(term, asked, window)?);
        }
        if !removed.is_empty() {
            tests.push(Test::Not(Box::new(self.any(removed, asked, window)?)));
        }
        let mut step = self.filtered(source, tests);
        if let Some(known) = sizes.iter().map(|(size, ..)| *size).min() {
            let rows = if known > 0 { both.max(1) } else { both };
            step.rows = step.rows.min(rows);
        }
        Ok(step)
    }

    /// Each object of `window`, and whether it meets `term`, or does not.
    fn tested_objects(
        &mut self,
        term: &Term,
        negative: bool,
        window: Window,
    ) -> Result<Step, ReadError> {
        // A conjunction keeps to its range of timestamps.
        let inner = match term {
            Term::And { kept, .. } if !negative => kept.iter().find_map(|term| match term {
                Term::Keys(Subject::Timestamp, set) => Some(hull(&windows(set, window))),
                _ => None,
            }),
            _ => None,
        };
        let window = inner.unwrap_or(window);
        if window.is_empty() {
            return Ok(self.nothing());
        }
        let source = self.objects(window)?;
        let asked = Asked { likely: source.rows, most: source.rows, at_hand: true };
        let test = self.test(term, asked, window)?;
        let rows = self.sizes.size(term, window, true, SIZED_DEPTH)?;
        let test = if negative { Test::Not(Box::new(test)) } else { test };
        let all = source.rows;
        let mut step = self.filtered(source, vec![test]);
        step.rows = if negative { all.saturating_sub(rows) } else { rows.min(all) };
        Ok(step)
    }

    /// Whether an object with a timestamp of `window` meets `term`.
    fn test(&mut self, term: &Term, asked: Asked, window: Window) -> Result<Test, ReadError> {
        Ok(match term {
            Term::Keys(Subject::Timestamp, set) => Test::Member(self.bounds(windows(set, window))),
            Term::Keys(subject @ Subject::Field(ordinal), set) => {
                let read = self.readers[ordinal];
                let key = RowKey::of_field(&self.view.schema.fields[*ordinal], read);
                Test::Row(RowTest { subject: *subject, key, set: set.clone() })
            }
            Term::Keys(subject @ Subject::Index(ordinal), set) => {
                let row_key = RowKey::of_index(self.view.schema, *ordinal);
                if let Some(key) = row_key.clone().filter(|_| asked.at_hand) {
                    let (subject, set) = (*subject, set.clone());
                    return Ok(Test::Row(RowTest { subject, key, set }));
                }
                let size = self.sizes.size_of_step(*ordinal, set, window)?;
                let mut rows_are_less = self.refuses(*ordinal, set, size);
                if row_key.is_some() && !rows_are_less && !is_few_scans(self.view, *ordinal, set) {
                    let reading = self.sizes.reading(*ordinal, set, window)?;
                    let is_less = |asked: u64| asked.saturating_mul(TESTED_ROW_COST) < reading;
                    rows_are_less = is_less(asked.likely);
                    self.bets |= rows_are_less && !is_less(asked.most);
                }
                match row_key.filter(|_| rows_are_less) {
                    Some(key) => Test::Row(RowTest { subject: *subject, key, set: set.clone() }),
                    None => Test::Member(self.index(*ordinal, set, window, size)?),
                }
            }
            Term::Or(terms) => self.any(terms, asked, window)?,
            Term::And { kept, removed } => {
                let kept = match asked.at_hand {
                    true => Cow::Borrowed(&kept[..]),
                    false => Ways::plain(self.view.schema, kept),
                };
                let mut all = self.tests(kept.iter(), asked, window)?;
                if !removed.is_empty() {
                    let any = self.any(removed, asked, window)?;
                    all.push(Test::Not(Box::new(any)));
                }
                Test::All(all)
            }
        })
    }

    /// A test for each term; those that can tell at once come first.
    fn tests<'t>(
        &mut self,
        terms: impl IntoIterator<Item = &'t Term>,
        asked: Asked,
        window: Window,
    ) -> Result<Vec<Test>, ReadError> {
        let mut tests = Vec::new();
        for term in terms {
            tests.push(self.test(term, asked, window)?);
        }
        tests.sort_by_key(|test| match test {
            Test::Member(step) => match step.kind {
                Kind::Timestamps(_) => 0,
                _ if step.collects() => 3,
                _ => 2,
            },
            Test::Row(_) => 1,
            Test::All(_) | Test::Any(_) | Test::Not(_) => 4,
        });
        Ok(tests)
    }

    fn any<'t>(
        &mut self,
        terms: impl IntoIterator<Item = &'t Term> + Clone,
        asked: Asked,
        window: Window,
    ) -> Result<Test, ReadError> {
        let mut tests = self.tests(terms.clone(), asked, window)?;
        // One looks at rows: these are at hand for the others.
        if !asked.at_hand && tests.len() > 1 && tests.iter().any(Test::reads_rows) {
            tests = self.tests(terms, Asked { at_hand: true, ..asked }, window)?;
        }
        Ok(if tests.len() == 1 { tests.remove(0) } else { Test::Any(tests) })
    }

    fn new_step(&mut self, kind: Kind, rows: u64, fixed: u64, variable: u64) -> Step {
        let id = self.next_id;
        self.next_id += 1;
        Step { id, kind, rows, fixed, variable }
    }

    fn nothing(&mut self) -> Step {
        self.new_step(Kind::Nothing, 0, 0, 0)
    }

    /// All objects of `window`.
    fn objects(&mut self, window: Window) -> Result<Step, ReadError> {
        let rows = self.sizes.objects_in(window)?;
        let cost = rows.saturating_mul(SCANNED_ROW_COST);
        Ok(self.new_step(Kind::Objects(window), rows, 0, cost))
    }

    fn bounds(&mut self, windows: Vec<Window>) -> Step {
        let rows = windows.iter().map(width).fold(0, u64::saturating_add);
        self.new_step(Kind::Timestamps(windows), rows.min(self.view.object_count), 0, 0)
    }

    /// All objects of `windows`.
    fn timestamps(&mut self, windows: &[Window]) -> Result<Step, ReadError> {
        match windows {
            [] => Ok(self.nothing()),
            [window] => self.objects(*window),
            _ => {
                let mut rows = 0;
                for window in windows.iter().take(COUNTED_RANGES_MAX) {
                    rows += self.sizes.objects_in(*window)?;
                }
                // Few of many: a test beside the scan keeps the rows.
                let objects = self.objects(hull(windows))?;
                let bounds = self.bounds(windows.to_vec());
                let mut step = self.intersection(vec![bounds, objects]);
                step.rows = rows.min(self.view.object_count);
                step.variable = step.rows.saturating_mul(SEEK_COST);
                Ok(step)
            }
        }
    }

    fn index(
        &mut self,
        ordinal: usize,
        set: &RangeSet,
        window: Window,
        size: u64,
    ) -> Result<Step, ReadError> {
        let unique = is_unique(self.view, ordinal);
        let points = set.ranges().iter().filter(|range| range.is_point()).count();
        let (scanned, collected): (Vec<KeyRange>, Vec<KeyRange>) =
            if unique || points > KEY_SCANS_MAX {
                (Vec::new(), set.ranges().to_vec())
            } else {
                set.ranges().iter().partition(|range| range.is_point())
            };
        let ranges = set.ranges().len() as u64;
        let share = |part: usize| size.saturating_mul(part as u64).div_ceil(ranges.max(1));
        let size_of_point = share(1);
        let mut parts = Vec::with_capacity(scanned.len() + 1);
        let begin = if scanned.len() > FEW_SCANS { BEGIN_COST } else { 0 };
        for range in scanned {
            let kind = Kind::Entries { index: ordinal, key: range.min, window };
            parts.push(self.new_step(kind, size_of_point, begin, size_of_point));
        }
        if !collected.is_empty() {
            let rows = share(collected.len());
            let cost = match window == Window::ALL || unique {
                true => self.sizes.collecting(ordinal, rows, &collected),
                false => self.sizes.reading(ordinal, set, window)?,
            };
            let kind = Kind::Collected { index: ordinal, ranges: collected, window };
            parts.push(self.new_step(kind, rows, cost, 0));
        }
        Ok(self.union(parts))
    }

    fn union(&mut self, mut parts: Vec<Step>) -> Step {
        match parts.len() {
            0 => self.nothing(),
            1 => parts.remove(0),
            _ => {
                let sum = |of: fn(&Step) -> u64| parts.iter().map(of).fold(0, u64::saturating_add);
                let rows = sum(|part| part.rows).min(self.view.object_count);
                let (fixed, variable) = (sum(|part| part.fixed), sum(|part| part.variable));
                self.new_step(Kind::Union(parts), rows, fixed, variable)
            }
        }
    }

    fn intersection(&mut self, mut parts: Vec<Step>) -> Step {
        if parts.len() == 1 {
            return parts.remove(0);
        }
        let rows = parts.iter().map(|part| part.rows).min().unwrap_or(0);
        let fixed = parts.iter().map(|part| part.fixed).fold(0, u64::saturating_add);
        let variable = rows.saturating_mul(SEEK_COST).saturating_mul(parts.len() as u64);
        self.new_step(Kind::Intersection(parts), rows, fixed, variable)
    }

    /// The timestamps of `source` that meet all of `tests`: first those that need no row.
    fn filtered(&mut self, source: Step, tests: Vec<Test>) -> Step {
        let (on_rows, others): (Vec<Test>, Vec<Test>) =
            tests.into_iter().partition(Test::reads_rows);
        let mut step = source;
        for tests in [others, on_rows] {
            if tests.is_empty() {
                continue;
            }
            let rows = step.rows;
            let fixed = tests.iter().map(Test::fixed).fold(step.fixed, u64::saturating_add);
            let parts: u64 = tests.iter().map(Test::parts).sum();
            let reads = tests.iter().any(Test::reads_rows);
            let each = match (reads, step.carries_rows()) {
                (true, true) => 0,
                (true, false) => TESTED_ROW_COST,
                (false, _) => SEEK_COST.saturating_mul(parts),
            };
            let variable = step.variable.saturating_add(rows.saturating_mul(each));
            let kind = Kind::Filtered { source: Box::new(step), tests, rows: RowUse::Tested };
            step = self.new_step(kind, rows, fixed, variable);
        }
        step
    }

    /// Whether to read `others`, which are the keys that `removed` does not have, of about so many objects, costs less
    /// than to walk the `least` that it is taken away of.
    fn are_less(
        &self,
        removed: &Term,
        others: &Term,
        objects: u64,
        least: u64,
        window: Window,
    ) -> Result<bool, ReadError> {
        let (Term::Keys(_, removed), Term::Keys(Subject::Index(ordinal), others)) =
            (removed, others)
        else {
            return Ok(false);
        };
        // Of more ranges than are counted nobody knows what they leave.
        let ranges = removed.ranges().len().max(others.ranges().len());
        if ranges > COUNTED_RANGES_MAX || self.refuses(*ordinal, others, objects) {
            return Ok(false);
        }
        Ok(self.sizes.reading(*ordinal, others, window)? < least.saturating_mul(SEEK_COST))
    }

    /// Whether entries of `set`, about so many, would be collected and may not be.
    fn refuses(&self, ordinal: usize, set: &RangeSet, entries: u64) -> bool {
        let memory = self.view.object_tree.query_memory();
        let is_estimate = !is_unique(self.view, ordinal) || !is_points(set);
        is_collected(self.view, ordinal, set)
            && (entries.saturating_mul(COLLECTED_BYTES) > memory || self.frugal && is_estimate)
    }
}
