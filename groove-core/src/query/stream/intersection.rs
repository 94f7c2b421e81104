//! The timestamps that all parts have, by zig-zag.

use crate::error::QueryError;

use super::{BoxStream, Stream};

/// Candidates that are taken together at first, at the most.
const FIRST_CANDIDATES: usize = 16;
/// How many times more candidates are taken together than the last time, at the most.
const BATCH_GROWTH: usize = 4;
/// Candidates that are taken together at the most.
const CANDIDATES_MAX: usize = 256;
/// Batches of candidates for which parts are asked once how dense they are.
const DENSITIES_KEPT: usize = 8;

/// The timestamps that all of its parts have.
///
/// 1. The first part gives a candidate.
/// 2. The other parts seek to it, one after the other.
/// 3. One that has it not, but something beyond, gives the first part its next target.
///
/// So the work is bounded by the first part, which should be the smallest: no part is asked for more
/// timestamps than the first one has.
///
/// Who asks for many gets them by batches of candidates, more each time. The sparsest part, as far
/// as parts know, gives a batch; the others keep what they have, too. If the last candidate is lost on the
/// way, the others say where they go on, so that no part is read where another has nothing.
pub(crate) struct Intersection {
    parts: Vec<BoxStream>,
    ended: bool,
    /// What all parts have of the last batch, and how many of these were given.
    agreed: Vec<u64>,
    position: usize,
    /// Everything below is decided.
    next: u64,
    /// Candidates of the last batch.
    asked: usize,
    /// How dense the parts were when they were last asked.
    densities: Vec<Option<f64>>,
    /// Batches that were decided about.
    decisions: usize,
}

impl Intersection {
    /// `parts` are not empty, the smallest comes first.
    pub(crate) fn new(parts: Vec<BoxStream>) -> Intersection {
        assert!(!parts.is_empty(), "an intersection has parts");
        Intersection {
            parts,
            ended: false,
            agreed: Vec::new(),
            position: 0,
            next: 0,
            asked: 0,
            densities: Vec::new(),
            decisions: 0,
        }
    }

    /// The number of the part that gives candidates, by how dense each is.
    fn sparsest(densities: &[Option<f64>]) -> usize {
        let mut sparsest = 0;
        for (number, density) in densities.iter().enumerate() {
            if let Some(least) = densities[sparsest]
                && density.map_or(least.is_infinite(), |other| other < least)
            {
                sparsest = number;
            }
        }
        sparsest
    }

    /// Decides about the next candidates, of which there are `count`, if there are so many.
    fn decide(&mut self, count: usize) -> Result<(), QueryError> {
        self.agreed.clear();
        self.position = 0;
        // A union of many takes a while to tell, and what it tells changes slowly.
        if self.decisions.is_multiple_of(DENSITIES_KEPT) || self.densities.contains(&None) {
            self.densities = self.parts.iter().map(|part| part.density()).collect();
        }
        self.decisions += 1;
        let source = Intersection::sparsest(&self.densities);
        let mut target = self.next;
        for (part, density) in self.parts.iter_mut().zip(&self.densities) {
            // Ranges of numbers cost nothing.
            if *density == Some(f64::INFINITY) {
                match part.seek(target)? {
                    Some(found) => target = found,
                    None => {
                        self.ended = true;
                        return Ok(());
                    }
                }
            }
        }
        self.parts[source].fill(target, count, &mut self.agreed)?;
        self.ended = self.agreed.len() < count;
        let Some(&last) = self.agreed.last() else { return Ok(()) };
        self.next = last + 1 + u64::from(defect!(IntersectionSkips));
        for number in (0..self.parts.len()).filter(|number| *number != source) {
            if self.agreed.is_empty() {
                break;
            }
            self.parts[number].retain(&mut self.agreed)?;
        }
        if self.ended || self.agreed.last() == Some(&last) {
            return Ok(());
        }
        for number in (0..self.parts.len()).filter(|number| *number != source) {
            match self.parts[number].seek(self.next)? {
                Some(found) => self.next = found + u64::from(defect!(IntersectionSkips)),
                None => {
                    self.ended = true;
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl Stream for Intersection {
    fn seek(&mut self, target: u64) -> Result<Option<u64>, QueryError> {
        self.position += self.agreed[self.position..].partition_point(|&rank| rank < target);
        if let Some(&rank) = self.agreed.get(self.position) {
            return Ok(Some(rank));
        }
        let mut candidate = target.max(self.next);
        'candidates: while !self.ended {
            for (i, part) in self.parts.iter_mut().enumerate() {
                let Some(found) = part.seek(candidate)? else {
                    self.ended = true;
                    break 'candidates;
                };
                let agreed = found == candidate;
                candidate = found;
                if !agreed && i > 0 {
                    candidate += u64::from(defect!(IntersectionSkips));
                    continue 'candidates;
                }
            }
            return Ok(Some(candidate));
        }
        Ok(None)
    }

    fn fill(&mut self, target: u64, count: usize, out: &mut Vec<u64>) -> Result<(), QueryError> {
        let end = out.len() + count;
        self.next = self.next.max(target);
        loop {
            let ahead = &self.agreed[self.position..];
            let before = ahead.partition_point(|&rank| rank < target);
            let given = &ahead[before..ahead.len().min(before + (end - out.len()))];
            out.extend(given);
            // The last that was given stays at hand: a seek may ask for it again.
            self.position += before + given.len().saturating_sub(1);
            if out.len() == end || self.ended {
                return Ok(());
            }
            // As many candidates as are likely to give what is still wanted.
            let (asked, agreed) = (self.asked.max(1), self.agreed.len().max(1));
            let likely = (end - out.len()).saturating_mul(asked).div_ceil(agreed);
            let most = if self.asked == 0 { FIRST_CANDIDATES } else { BATCH_GROWTH * asked };
            self.asked = likely.min(most).clamp(1, CANDIDATES_MAX);
            self.decide(self.asked)?;
        }
    }
}
