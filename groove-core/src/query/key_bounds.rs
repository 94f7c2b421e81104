//! What a range of keys can be: [`KeyBounds`].

use std::ops::{
    Bound, Range, RangeBounds, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive,
};

use crate::field::IndexKey;

use super::operand::Operand;

/// A range of keys of type `F` between two values that keys can be compared with ([`Operand`]): `a..b`, `a..=b`,
/// `a..`, `..b`, `..=b`, `..`, or a pair of [`Bound`]s.
///
/// So ends are what `eq` takes: `Transfer::AMOUNT.range(10..20)`, `Flight::CARRIER.range("AA".."B")`,
/// `Flight::DESIGNATOR.range(("UA", 100)..=("UA", 199))`, and `5..` where keys are `Option<u32>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no range of keys of type `{F}`",
    note = "a range is `a..b`, `a..=b`, `a..`, `..b`, `..=b`, `..` or `(Bound, Bound)`"
)]
pub trait KeyBounds<F: IndexKey> {
    /// The type of its ends.
    #[doc(hidden)]
    type End: Operand<F>;

    /// The lower end and the upper one.
    #[doc(hidden)]
    fn into_bounds(self) -> (Bound<Self::End>, Bound<Self::End>);
}

impl<F: IndexKey> KeyBounds<F> for RangeFull {
    type End = F;

    fn into_bounds(self) -> (Bound<F>, Bound<F>) {
        (Bound::Unbounded, Bound::Unbounded)
    }
}

macro_rules! ranges {
    ($($range:ty: $self:ident => $lower:expr, $upper:expr;)*) => {$(
        impl<F: IndexKey, V: Operand<F>> KeyBounds<F> for $range {
            type End = V;

            fn into_bounds($self) -> (Bound<V>, Bound<V>) {
                ($lower, $upper)
            }
        }
    )*};
}

ranges! {
    Range<V>: self => Bound::Included(self.start), Bound::Excluded(self.end);
    RangeFrom<V>: self => Bound::Included(self.start), Bound::Unbounded;
    RangeTo<V>: self => Bound::Unbounded, Bound::Excluded(self.end);
    RangeToInclusive<V>: self => Bound::Unbounded, Bound::Included(self.end);
    (Bound<V>, Bound<V>): self => self.0, self.1;
}

impl<F: IndexKey, V: Operand<F>> KeyBounds<F> for RangeInclusive<V> {
    type End = V;

    fn into_bounds(self) -> (Bound<V>, Bound<V>) {
        // One that was walked to its end is empty: its last value is no longer in it.
        let is_last_in = matches!(self.end_bound(), Bound::Included(_));
        let (start, end) = self.into_inner();
        let upper = if is_last_in { Bound::Included(end) } else { Bound::Excluded(end) };
        (Bound::Included(start), upper)
    }
}
