//! For processors of other kinds, and for what interprets programs: values are searched one by one.

use std::ops::Range;

use super::{Frames, Place};

/// There is none.
#[derive(Clone, Copy)]
pub(super) enum Wide {}

impl Wide {
    pub(super) fn detect() -> Option<Wide> {
        None
    }

    pub(super) fn members(
        self,
        _bytes: &[u8],
        _frames: &Frames<'_>,
        _positions: Range<usize>,
        _values: &[u64],
        _found: impl FnMut(usize, usize, Place),
    ) {
        match self {}
    }
}
