//! The timestamps that any part has, by merging.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::error::QueryError;
use crate::tree::seeks;

use super::{BoxStream, Stream, without};

/// Ranks that one part gives together at the most.
const TOGETHER_MAX: usize = 256;

/// So few parts are asked about many ranks together although nothing is known of them yet.
const FEW_PARTS: usize = 4;

/// The timestamps that any of its parts has, each once. A step costs the logarithm of the number of
/// parts; without parts it is empty.
pub(crate) struct Union {
    parts: Vec<Part>,
    /// The rank at which each part stands, with the number of the part; parts at their end are out.
    heads: BinaryHeap<Reverse<(u64, usize)>>,
    begun: bool,
    /// How many ranks a part that is asked for one gives.
    together: usize,
}

/// A part, and what it gave that is still to be asked for.
struct Part {
    stream: BoxStream,
    ahead: Vec<u64>,
    /// How many of these lie before the last target.
    passed: usize,
    /// Whether the stream has nothing behind them.
    is_last: bool,
}

impl Part {
    /// The lowest rank at or beyond `target`; if it is to be read, so many are.
    fn seek(&mut self, target: u64, together: usize) -> Result<Option<u64>, QueryError> {
        if let Some(next) = self.next_ahead(target) {
            return Ok(Some(next));
        }
        if self.is_last {
            return Ok(None);
        }
        if together < 2 {
            return self.stream.seek(target);
        }
        self.ahead.clear();
        self.passed = 0;
        self.stream.fill(target, together, &mut self.ahead)?;
        self.is_last = self.ahead.len() < together;
        Ok(self.ahead.first().copied())
    }

    fn next_ahead(&mut self, target: u64) -> Option<u64> {
        let ahead = &self.ahead[self.passed..];
        // Mostly it is the next one.
        self.passed += match ahead {
            [_, next, ..] if *next >= target => usize::from(ahead[0] < target),
            ahead => ahead.partition_point(|&rank| rank < target),
        };
        self.ahead.get(self.passed).copied()
    }

    /// Keeps, of `ranks`, which ascend, those that it has.
    fn retain(&mut self, ranks: &mut Vec<u64>) -> Result<(), QueryError> {
        match self.passed < self.ahead.len() || self.is_last {
            true => seeks::retain(|target| self.seek(target, 1), ranks),
            false => self.stream.retain(ranks),
        }
    }
}

impl Union {
    pub(crate) fn new(parts: Vec<BoxStream>) -> Union {
        let heads = BinaryHeap::with_capacity(parts.len());
        let part = |stream| Part { stream, ahead: Vec::new(), passed: 0, is_last: false };
        let parts = parts.into_iter().map(part).collect();
        Union { parts, heads, begun: false, together: 1 }
    }
}

impl Union {
    /// Whether it costs less to ask each part about all of `ranks` than to step from one to the next: each step to one
    /// of them passes ranks of most parts then.
    fn asks_each_part(&self, ranks: &[u64]) -> bool {
        let ([first, .., last], Some(density)) = (ranks, self.density()) else {
            return self.parts.len() <= FEW_PARTS;
        };
        let passed = density * (last - first) as f64;
        // A step costs about as much as two answers.
        2.0 * passed > self.parts.len() as f64 * ranks.len() as f64
    }
}

impl Stream for Union {
    fn seek(&mut self, target: u64) -> Result<Option<u64>, QueryError> {
        if !self.begun {
            self.begun = true;
            for (i, part) in self.parts.iter_mut().enumerate() {
                let found = part.seek(target, self.together)?;
                self.heads.extend(found.map(|found| Reverse((found, i))));
            }
        }
        while let Some(mut head) = self.heads.peek_mut() {
            let Reverse((found, i)) = *head;
            if found >= target {
                return Ok(Some(found));
            }
            match self.parts[i].seek(target, self.together)? {
                Some(found) => *head = Reverse((found, i)),
                None => drop(PeekMut::pop(head)),
            }
        }
        Ok(None)
    }

    fn fill(&mut self, target: u64, count: usize, out: &mut Vec<u64>) -> Result<(), QueryError> {
        // As if each had as many as the others.
        self.together = (count / self.parts.len().max(1)).min(TOGETHER_MAX);
        let filled = seeks::fill(|target| self.seek(target), target, count, out);
        self.together = 1;
        filled
    }

    fn retain(&mut self, ranks: &mut Vec<u64>) -> Result<(), QueryError> {
        if !self.asks_each_part(ranks) {
            return seeks::retain(|target| self.seek(target), ranks);
        }
        // Each part decides about what those before it do not have.
        let mut rest = ranks.clone();
        for part in &mut self.parts {
            if rest.is_empty() {
                break;
            }
            let mut met = rest.clone();
            part.retain(&mut met)?;
            without(&mut rest, &met);
        }
        without(ranks, &rest);
        Ok(())
    }

    /// The sum of the parts'; `None` if one does not know.
    fn density(&self) -> Option<f64> {
        self.parts.iter().map(|part| part.stream.density()).sum()
    }
}
