//! What to compact: a pure function of the levels of one tree.

use std::ops::Range;
use std::sync::Arc;

use crate::memory::Key;
use crate::table::{Table, TableRecord};
use crate::tree::{LEVELS_MAX, Levels};

/// Where the newer input of a compaction comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JobSource {
    Immutable,
    Level { level: usize, tables: Range<usize> },
}

/// One compaction: the newer input goes into the target level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobPlan {
    pub(crate) source: JobSource,
    pub(crate) target_level: usize,
    /// The tables of the target level that are merged, by position.
    pub(crate) older: Vec<usize>,
    /// The tables of the target level that another plan takes further down, by position.
    pub(crate) leaving: Vec<usize>,
    /// Values in all inputs: the merge writes at most as many.
    pub(crate) rows: usize,
}

impl JobPlan {
    /// Whether tables are moved as they are: nothing in the target level overlaps them.
    pub(crate) fn is_move(&self) -> bool {
        self.older.is_empty() && matches!(self.source, JobSource::Level { .. })
    }

    /// What the merge is reckoned to cost beside others, of trees with fewer lanes per value or more: a lane
    /// of a value is unpacked, looked at and packed, and takes about as long in any tree.
    pub(crate) fn work(&self, lanes: usize) -> u64 {
        (self.rows as u64).saturating_mul(lanes as u64)
    }

    /// The tables that go down, among the records of all tables of the tree, which are in the order
    /// of the levels.
    pub(crate) fn source_tables<'a>(&self, records: &'a [TableRecord]) -> &'a [TableRecord] {
        match &self.source {
            JobSource::Immutable => &[],
            JobSource::Level { level, tables } => {
                let start = records.partition_point(|record| (record.level as usize) < *level);
                &records[start + tables.start..start + tables.end]
            }
        }
    }
}

/// What `choose` looks at of a table.
struct Span<const K: usize> {
    min: Key<K>,
    max: Key<K>,
    sectors: u64,
    rows: usize,
}

/// What a full table has if nothing packs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FullTable {
    pub(crate) rows: u64,
    pub(crate) sectors: u64,
}

impl FullTable {
    fn weight(self) -> u64 {
        self.rows.saturating_mul(self.sectors)
    }
}

impl<const K: usize> Span<K> {
    /// The table's share of a full one, by its values or by its sectors, whichever is more.
    fn weight(&self, full: FullTable) -> u64 {
        let by_rows = (self.rows as u64).saturating_mul(full.sectors);
        by_rows.max(self.sectors.saturating_mul(full.rows))
    }
}

/// Decides which tables of one tree go down a level, deepest level first.
///
/// A level `n` is to have at most `growth^(n+1)` full tables' worth of values, and of sectors if these are
/// more: how well values pack does not change the shape of a tree, and with it what is merged how
/// often, but many small tables do not stay either. What it has over that goes down as one group of
/// neighbours: the group whose key range overlaps the fewest sectors of the next level, the lowest keys on a tie.
pub(crate) fn choose_levels<const K: usize>(
    levels: &Levels<K>,
    growth: u64,
    full: FullTable,
) -> Vec<JobPlan> {
    let spans: Vec<Vec<Span<K>>> = levels.iter().map(spans).collect();
    plan_levels(&spans, growth, full)
}

/// Decides what of level 0 an immutable table is merged with: its lowest and its highest key, and its values.
/// What leaves level 0 by `level_plans`, which are chosen from the same levels, leave before that.
pub(crate) fn choose_flush<const K: usize>(
    levels: &Levels<K>,
    immutable: (Key<K>, Key<K>, usize),
    level_plans: &[JobPlan],
) -> JobPlan {
    plan_flush(&spans(levels.level(0)), immutable, level_plans)
}

fn spans<const K: usize>(tables: &[Arc<Table<K>>]) -> Vec<Span<K>> {
    let span = |table: &Arc<Table<K>>| Span {
        min: table.key_min,
        max: table.key_max,
        sectors: u64::from(table.record.sectors),
        rows: usize::try_from(table.record.count).unwrap_or(usize::MAX),
    };
    tables.iter().map(span).collect()
}

fn plan_levels<const K: usize>(
    spans: &[Vec<Span<K>>],
    growth: u64,
    full: FullTable,
) -> Vec<JobPlan> {
    let mut plans = Vec::new();
    // Tables of the level at hand that go down in this bar; the merge into it leaves them out.
    let mut leaving: Range<usize> = 0..0;
    for level in (0..spans.len()).rev() {
        let exponent = u32::try_from(level + 1).expect("few levels");
        let limit = growth.saturating_pow(exponent).saturating_mul(full.weight());
        let total: u64 =
            spans[level].iter().map(|span| span.weight(full)).fold(0, u64::saturating_add);
        let below = spans.get(level + 1).map_or(&[][..], Vec::as_slice);
        let mut chosen = 0..0;
        // The last level takes whatever comes.
        if total > limit && level + 1 < LEVELS_MAX {
            chosen = least_overlap(&spans[level], below, &leaving, total - limit, full);
            let group = &spans[level][chosen.clone()];
            let (min, max) = (group[0].min, group[group.len() - 1].max);
            let older = overlapping(below, &min, &max, &leaving);
            let rows = group.iter().map(|span| span.rows).sum::<usize>()
                + older.iter().map(|at| below[*at].rows).sum::<usize>();
            plans.push(JobPlan {
                source: JobSource::Level { level, tables: chosen.clone() },
                target_level: level + 1,
                older,
                leaving: leaving.clone().collect(),
                rows,
            });
        }
        leaving = chosen;
    }
    plans
}

fn plan_flush<const K: usize>(
    target: &[Span<K>],
    (min, max, rows): (Key<K>, Key<K>, usize),
    level_plans: &[JobPlan],
) -> JobPlan {
    let leaving = level_plans.iter().find_map(|plan| match &plan.source {
        JobSource::Level { level: 0, tables } => Some(tables.clone()),
        _ => None,
    });
    let leaving = leaving.unwrap_or(0..0);
    let older = overlapping(target, &min, &max, &leaving);
    let rows = rows + older.iter().map(|at| target[*at].rows).sum::<usize>();
    let leaving = leaving.collect();
    JobPlan { source: JobSource::Immutable, target_level: 0, older, leaving, rows }
}

/// The tables of a level that overlap a key range, without those that leave the level.
fn overlapping<const K: usize>(
    tables: &[Span<K>],
    min: &Key<K>,
    max: &Key<K>,
    leaving: &Range<usize>,
) -> Vec<usize> {
    let first = tables.partition_point(|span| span.max < *min);
    let tables = tables.iter().enumerate().skip(first);
    let within = tables.take_while(|(_, span)| span.min <= *max);
    within.map(|(at, _)| at).filter(|at| !leaving.contains(at)).collect()
}

fn least_overlap<const K: usize>(
    tables: &[Span<K>],
    below: &[Span<K>],
    leaving: &Range<usize>,
    excess: u64,
    full: FullTable,
) -> Range<usize> {
    let mut best: Option<(u64, Range<usize>)> = None;
    let mut end = 0;
    let mut weight = 0_u64;
    for start in 0..tables.len() {
        while weight < excess && end < tables.len() {
            weight = weight.saturating_add(tables[end].weight(full));
            end += 1;
        }
        if weight < excess {
            break;
        }
        let (min, max) = (&tables[start].min, &tables[end - 1].max);
        let overlap: u64 =
            overlapping(below, min, max, leaving).iter().map(|at| below[*at].sectors).sum();
        if best.as_ref().is_none_or(|(least, _)| overlap < *least) {
            best = Some((overlap, start..end));
        }
        weight -= tables[start].weight(full).min(weight);
    }
    best.expect("a level over its size has tables").1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(spans: &[(u64, u64)]) -> Vec<Span<1>> {
        let span =
            |(min, max): &(u64, u64)| Span { min: [*min], max: [*max], sectors: 10, rows: 100 };
        spans.iter().map(span).collect()
    }

    const FULL: FullTable = FullTable { rows: 100, sectors: 10 };

    #[test]
    fn an_immutable_table_is_merged_with_what_it_overlaps_in_level_0() {
        let levels = [level(&[(0, 9), (10, 19), (20, 29)])];
        let flush = plan_flush(&levels[0], ([15], [25], 50), &plan_levels(&levels, 8, FULL));
        assert_eq!((flush.older, flush.rows), (vec![1, 2], 250));
    }

    #[test]
    fn a_level_over_its_size_gives_the_group_that_overlaps_least() {
        let levels = [level(&[(0, 9), (10, 19), (20, 29)]), level(&[(0, 14), (25, 40)])];
        let plans = plan_levels(&levels, 2, FULL);
        assert_eq!(plans.len(), 1);
        assert_eq!(plans[0].source, JobSource::Level { level: 0, tables: 0..1 });
        assert_eq!(plans[0].older, vec![0]);
    }

    #[test]
    fn a_group_that_overlaps_nothing_is_moved() {
        let levels = [level(&[(0, 9), (10, 19), (50, 59)]), level(&[(0, 14), (15, 40)])];
        let plans = plan_levels(&levels, 2, FULL);
        assert!(plans[0].is_move());
        assert_eq!(plans[0].source, JobSource::Level { level: 0, tables: 2..3 });
    }

    #[test]
    fn tables_that_leave_a_level_are_not_merged_into() {
        let levels = [level(&[(0, 9), (10, 19), (20, 29)])];
        let plans = plan_levels(&levels, 2, FULL);
        assert_eq!(plans.len(), 1);
        assert!(plans[0].is_move());
        let flush = plan_flush(&levels[0], ([0], [29], 50), &plans);
        assert_eq!(flush.older, vec![1, 2]);
        assert_eq!(flush.leaving, vec![0]);
    }

    #[test]
    fn a_level_within_its_size_rests() {
        assert!(plan_levels(&[level(&[(0, 9), (10, 19)])], 2, FULL).is_empty());
    }
}
