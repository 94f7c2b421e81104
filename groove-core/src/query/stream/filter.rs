//! What decides about single timestamps of a stream: the timestamps that one stream has and others
//! have too, or have not.

use crate::error::ReadError;

use super::{BoxStream, Stream};

/// A condition on a timestamp that is known to be one of an object.
///
/// Asked for ranks that never go back. Each part is asked for the rank itself and never looks for
/// the next one beyond it.
pub(crate) enum Filter {
    /// Met by the timestamps of the stream. It may be [`Bounds`](super::Bounds).
    Member(BoxStream),
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
}

impl Filter {
    /// Whether the timestamp with this rank meets the condition.
    pub(crate) fn contains(&mut self, rank: u64) -> Result<bool, ReadError> {
        match self {
            Filter::Member(stream) => Ok(stream.seek(rank)? == Some(rank)),
            Filter::All(parts) => {
                for part in parts {
                    if !part.contains(rank)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Filter::Any(parts) => {
                for part in parts {
                    if part.contains(rank)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Filter::Not(part) => Ok(!part.contains(rank)? || defect!(NegationIgnored)),
        }
    }
}

/// The timestamps of a stream that meet a condition. With [`Filter::Not`] it is the difference of
/// two streams.
pub(crate) struct Filtered {
    stream: BoxStream,
    filter: Filter,
}

impl Filtered {
    pub(crate) fn new(stream: BoxStream, filter: Filter) -> Filtered {
        Filtered { stream, filter }
    }
}

impl Stream for Filtered {
    fn seek(&mut self, target: u64) -> Result<Option<u64>, ReadError> {
        let mut target = target;
        while let Some(found) = self.stream.seek(target)? {
            if self.filter.contains(found)? {
                return Ok(Some(found));
            }
            target = found + 1;
        }
        Ok(None)
    }
}
