//! The payloads of a run, one behind the other, in segments that runs share.
//!
//! Runs that do not interleave are merged by copying their keys only: the payloads, by far the larger part of
//! an object tree, stay where the commit put them. Small segments are copied together, so that a payload
//! is found among few.

use std::sync::Arc;

/// Neighbours of no more than so many bytes become one segment.
const JOINED_BYTES: usize = 64 << 10;

/// Payloads of one width.
#[derive(Debug, Default)]
pub(super) struct Payloads {
    width: usize,
    /// In order; none if the width is 0.
    segments: Vec<Segment>,
}

#[derive(Debug, Clone)]
struct Segment {
    /// The position of the first payload.
    begin: usize,
    bytes: Arc<Vec<u8>>,
}

impl Payloads {
    pub(super) fn new(bytes: Vec<u8>, width: usize) -> Self {
        let segments = match width {
            0 => Vec::new(),
            _ => vec![Segment { begin: 0, bytes: Arc::new(bytes) }],
        };
        Payloads { width, segments }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// The payloads of several runs, with their number in each.
    pub(super) fn concatenated<'a>(runs: impl Iterator<Item = (&'a Payloads, usize)>) -> Payloads {
        let mut all = Payloads::default();
        let mut begin = 0;
        for (payloads, count) in runs {
            all.width = payloads.width;
            for segment in &payloads.segments {
                match all.segments.last_mut() {
                    Some(last) if last.bytes.len() + segment.bytes.len() <= JOINED_BYTES => {
                        last.bytes = Arc::new([&last.bytes[..], &segment.bytes].concat());
                    }
                    _ => all.segments.push(Segment {
                        begin: begin + segment.begin,
                        bytes: segment.bytes.clone(),
                    }),
                }
            }
            begin += count;
        }
        all
    }

    fn segment(&self, at: usize) -> &Segment {
        match &self.segments[..] {
            [only] => only,
            many => &many[many.partition_point(|segment| segment.begin <= at) - 1],
        }
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> &[u8] {
        self.range(at, 1)
    }

    /// Payloads of neighbouring values, all of them before [`Payloads::segment_end`].
    pub(super) fn range(&self, at: usize, count: usize) -> &[u8] {
        if self.width == 0 {
            return &[];
        }
        let segment = self.segment(at);
        let begin = (at - segment.begin) * self.width;
        &segment.bytes[begin..begin + count * self.width]
    }

    /// The end of the payloads that lie next to each other from `at` on; `None` if all do.
    pub(super) fn segment_end(&self, at: usize) -> Option<usize> {
        if self.width == 0 {
            return None;
        }
        let segment = self.segment(at);
        Some(segment.begin + segment.bytes.len() / self.width)
    }

    pub(super) fn memory(&self) -> usize {
        self.segments.iter().map(|segment| segment.bytes.capacity()).sum()
    }
}
