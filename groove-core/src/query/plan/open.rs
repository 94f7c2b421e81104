//! Streams of a plan.

use std::sync::Arc;

use crate::groove::GrooveView;
use crate::query::stream::{
    Bounds, BoxStream, Collected, Entries, EntryScan, Filter, Filtered, Intersection, ObjectScan,
    RowReader, TimestampSet, Union,
};
use crate::tree::{Direction, TreeRead};

use super::choose::is_unique;
use super::meter::Meters;
use super::step::{Kind, Step, Test};

/// Opens the streams of a plan. Nothing is read.
pub(super) struct Opener<'a> {
    pub(super) view: &'a GrooveView,
    pub(super) direction: Direction,
    /// What counts the rows and blocks of each step, if somebody wants to know.
    pub(super) meters: Option<&'a Meters>,
}

impl Opener<'_> {
    pub(super) fn stream(&self, step: &Step) -> BoxStream {
        let stream: BoxStream = match &step.kind {
            Kind::Nothing => Box::new(Union::new(Vec::new())),
            Kind::Objects(window) => {
                let tree = self.tree(step, &self.view.object_tree);
                Box::new(ObjectScan::new(tree, *window, self.direction))
            }
            Kind::Timestamps(windows) => Box::new(Bounds::new(windows, self.direction)),
            Kind::Entries { index, key, window } => {
                let tree = &self.view.index_trees[*index];
                let prefix = key.limbs(tree.limbs() - 1);
                let tree = self.tree(step, tree);
                Box::new(EntryScan::new(tree, prefix, *window, self.direction))
            }
            Kind::Collected { index, ranges, window } => {
                let tree = self.tree(step, &self.view.index_trees[*index]);
                let unique = is_unique(self.view, *index);
                let entries = Entries::new(tree, unique, ranges.clone());
                let schema = self.view.schema;
                let collected = Collected {
                    entries,
                    groove: schema.name,
                    index: schema.indexes[*index].name,
                    budget: self.view.object_tree.query_memory(),
                };
                Box::new(TimestampSet::new(collected, *window, self.direction))
            }
            Kind::Union(parts) => Box::new(Union::new(self.streams(parts))),
            Kind::Intersection(parts) => Box::new(Intersection::new(self.streams(parts))),
            Kind::Filtered { source, tests } => {
                let reads = tests.iter().any(Test::reads_rows);
                let rows = (reads && !source.carries_rows())
                    .then(|| RowReader::new(self.tree(step, &self.view.object_tree)));
                let filter = Filter::All(tests.iter().map(|test| self.filter(test)).collect());
                let stream = self.stream(source);
                Box::new(Filtered::new(
                    stream,
                    filter,
                    rows,
                    self.direction,
                    self.view.object_tree.clone(),
                ))
            }
        };
        match self.meters {
            Some(meters) => meters.stream(step.id, stream),
            None => stream,
        }
    }

    fn streams(&self, steps: &[Step]) -> Vec<BoxStream> {
        steps.iter().map(|step| self.stream(step)).collect()
    }

    pub(super) fn filter(&self, test: &Test) -> Filter {
        match test {
            Test::Member(step) => Filter::Member(self.stream(step)),
            Test::Row(test) => Filter::Row(test.key.clone(), test.set.clone()),
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
