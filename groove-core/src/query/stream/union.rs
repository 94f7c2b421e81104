//! The timestamps that any part has, by merging.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::error::QueryError;

use super::{BoxStream, Stream};

/// The timestamps that any of its parts has, each once. A step costs the logarithm of the number of
/// parts; without parts it is empty.
pub(crate) struct Union {
    parts: Vec<BoxStream>,
    /// The rank at which each part stands, with the number of the part; parts at their end are out.
    heads: BinaryHeap<Reverse<(u64, usize)>>,
    begun: bool,
}

impl Union {
    pub(crate) fn new(parts: Vec<BoxStream>) -> Union {
        let heads = BinaryHeap::with_capacity(parts.len());
        Union { parts, heads, begun: false }
    }
}

impl Stream for Union {
    fn seek(&mut self, target: u64) -> Result<Option<u64>, QueryError> {
        if !self.begun {
            self.begun = true;
            for (i, part) in self.parts.iter_mut().enumerate() {
                self.heads.extend(part.seek(target)?.map(|found| Reverse((found, i))));
            }
        }
        while let Some(mut head) = self.heads.peek_mut() {
            let Reverse((found, i)) = *head;
            if found >= target {
                return Ok(Some(found));
            }
            match self.parts[i].seek(target)? {
                Some(found) => *head = Reverse((found, i)),
                None => drop(PeekMut::pop(head)),
            }
        }
        Ok(None)
    }
}
