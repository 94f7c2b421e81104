//! The timestamps that all parts have, by zig-zag.

use crate::error::QueryError;

use super::{BoxStream, Stream};

/// The timestamps that all of its parts have.
///
/// 1. The first part gives a candidate.
/// 2. The other parts seek to it, one after the other.
/// 3. One that has it not, but something beyond, gives the first part its next target.
///
/// So the work is bounded by the first part, which should be the smallest: no part is asked for more
/// timestamps than the first one has.
pub(crate) struct Intersection {
    parts: Vec<BoxStream>,
    ended: bool,
}

impl Intersection {
    /// `parts` are not empty, the smallest comes first.
    pub(crate) fn new(parts: Vec<BoxStream>) -> Intersection {
        assert!(!parts.is_empty(), "an intersection has parts");
        Intersection { parts, ended: false }
    }
}

impl Stream for Intersection {
    fn seek(&mut self, target: u64) -> Result<Option<u64>, QueryError> {
        let mut candidate = target;
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
}
