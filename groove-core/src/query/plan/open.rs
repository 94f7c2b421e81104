//! Streams of a plan.

use std::sync::Arc;

use crate::groove::GrooveView;
use crate::query::key_range::{EncodedKey, KeyRange};
use crate::query::stream::{
    Bounds, BoxStream, Collected, Entries, EntryScan, Filter, Filtered, Intersection, ObjectScan,
    RowReader, TimestampSet, Union, Window,
};
use crate::tree::{Direction, TreeRead};

use super::meter::Meters;
use super::size::is_unique;
use super::step::{Kind, RowUse, Step, Test};

/// Opens the streams of a plan. Nothing is read.
pub(super) struct Opener<'a> {
    pub(super) view: &'a GrooveView,
    pub(super) direction: Direction,
    /// What counts the rows and blocks of each step, if somebody wants to know.
    pub(super) meters: Option<&'a Meters>,
}

impl Opener<'_> {
    /// Each kind has a function of its own, which is called: their locals would otherwise all lie in the frame of
    /// this one, which is on the stack once per level of the plan.
    pub(super) fn stream(&self, step: &Step) -> BoxStream {
        let stream = match &step.kind {
            Kind::Nothing => self.union(&[]),
            Kind::Objects(window) => self.objects(step, *window),
            Kind::Timestamps(windows) => self.timestamps(windows),
            Kind::Entries { index, key, window } => self.entries(step, *index, key, *window),
            Kind::Collected { index, ranges, window } => {
                self.collected(step, *index, ranges, *window)
            }
            Kind::Union(parts) => self.union(parts),
            Kind::Intersection(parts) => self.intersection(parts),
            Kind::Filtered { source, tests, rows } => {
                self.filtered(step, source, (tests, *rows), None)
            }
            Kind::Rows(source) => self.rows(step, source),
            Kind::Hedged { source, tests, rows, tested_max, other } => {
                self.filtered(step, source, (tests, *rows), Some((*tested_max, other)))
            }
        };
        match self.meters {
            Some(meters) => meters.stream(step.id, stream),
            None => stream,
        }
    }

    #[inline(never)]
    fn objects(&self, step: &Step, window: Window) -> BoxStream {
        let tree = self.tree(step, &self.view.object_tree);
        Box::new(ObjectScan::new(tree, window, self.direction))
    }

    #[inline(never)]
    fn timestamps(&self, windows: &[Window]) -> BoxStream {
        Box::new(Bounds::new(windows, self.direction))
    }

    #[inline(never)]
    fn entries(&self, step: &Step, index: usize, key: &EncodedKey, window: Window) -> BoxStream {
        let tree = &self.view.index_trees[index];
        let prefix = key.limbs(tree.limbs() - 1);
        let tree = self.tree(step, tree);
        Box::new(EntryScan::new(tree, prefix, window, self.direction))
    }

    #[inline(never)]
    fn collected(
        &self,
        step: &Step,
        index: usize,
        ranges: &[KeyRange],
        window: Window,
    ) -> BoxStream {
        let tree = self.tree(step, &self.view.index_trees[index]);
        let entries = Entries::new(tree, is_unique(self.view, index), ranges.to_vec());
        let schema = self.view.schema;
        let collected = Collected {
            entries,
            groove: schema.name,
            index: schema.indexes[index].name,
            budget: self.view.object_tree.query_memory(),
        };
        Box::new(TimestampSet::new(collected, window, self.direction))
    }

    fn union(&self, parts: &[Step]) -> BoxStream {
        Box::new(Union::new(self.streams(parts)))
    }

    fn intersection(&self, parts: &[Step]) -> BoxStream {
        Box::new(Intersection::new(self.streams(parts)))
    }

    #[inline(never)]
    fn filtered(
        &self,
        step: &Step,
        source: &Step,
        (tests, rows): (&[Test], RowUse),
        hedge: Option<(u64, &Step)>,
    ) -> BoxStream {
        let filter = Filter::All(tests.iter().map(|test| self.filter(test)).collect());
        let looks_up = tests.iter().any(Test::reads_rows) && !source.carries_rows();
        let tree = looks_up.then(|| self.tree(step, &self.view.object_tree));
        let rows = tree.map(|tree| match rows {
            RowUse::Tested => RowReader::tested(tree, &filter),
            RowUse::Kept => RowReader::new(tree),
        });
        let objects = self.view.object_tree.clone();
        let source = self.stream(source);
        let mut filtered = Box::new(Filtered::new(source, filter, rows, self.direction, objects));
        if let Some((tested_max, other)) = hedge {
            filtered.hedge(tested_max, self.stream(other));
        }
        filtered
    }

    #[inline(never)]
    fn rows(&self, step: &Step, source: &Step) -> BoxStream {
        let rows = RowReader::new(self.tree(step, &self.view.object_tree));
        let (all, objects) = (Filter::All(Vec::new()), self.view.object_tree.clone());
        Box::new(Filtered::new(self.stream(source), all, Some(rows), self.direction, objects))
    }

    fn streams(&self, steps: &[Step]) -> Vec<BoxStream> {
        steps.iter().map(|step| self.stream(step)).collect()
    }

    pub(super) fn filter(&self, test: &Test) -> Filter {
        match test {
            Test::Member(step) => Filter::Member(self.stream(step)),
            Test::Row(test) => Filter::of_row(test.key.clone(), test.set.clone()),
            Test::All(tests) => Filter::All(tests.iter().map(|test| self.filter(test)).collect()),
            Test::Any(tests) => Filter::Any(tests.iter().map(|test| self.filter(test)).collect()),
            Test::Not(test) => Filter::Not(Box::new(self.filter(test))),
        }
    }

    fn tree(&self, step: &Step, tree: &Arc<dyn TreeRead>) -> Arc<dyn TreeRead> {
        match self.meters {
            Some(meters) => meters.tree(step.id, tree.clone()),
            None => tree.clone(),
        }
    }
}
