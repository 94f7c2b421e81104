//! Sets of numbers of at most 8 bytes: what a condition says of most fields.

use std::sync::Arc;

use super::key_range::{EncodedKey, RangeSet};

/// Ranges of numbers in ascending order, both ends included, without a number in common.
#[derive(Debug)]
pub(crate) struct NumberSet(Arc<[(u64, u64)]>);

impl NumberSet {
    /// The keys of `set` that are numbers, without `absent`, which is none.
    pub(crate) fn new(set: &RangeSet, absent: Option<u64>) -> NumberSet {
        let number = |key: EncodedKey| (key == EncodedKey::from_u64(key.low())).then(|| key.low());
        let mut ranges = Vec::with_capacity(set.ranges().len() + 1);
        for range in set.ranges() {
            let Some(min) = number(range.min) else { break };
            let max = number(range.max).unwrap_or(u64::MAX);
            match absent.filter(|absent| min <= *absent && *absent <= max) {
                Some(absent) => {
                    ranges.extend(absent.checked_sub(1).map(|before| (min, before)));
                    ranges.extend(absent.checked_add(1).map(|behind| (behind, max)));
                }
                None => ranges.push((min, max)),
            }
        }
        ranges.retain(|(min, max)| min <= max);
        NumberSet(ranges.into())
    }

    pub(crate) fn ranges(&self) -> &Arc<[(u64, u64)]> {
        &self.0
    }

    /// Keeps, of `places` in `numbers`, those of numbers that are in the set.
    pub(crate) fn retain(&self, places: &mut Vec<u32>, numbers: &[u64]) {
        // A loop of its own for the one range that most sets are.
        match self.0[..] {
            [(min, max)] => retain(places, numbers, |number| min <= number && number <= max),
            _ => retain(places, numbers, |number| self.contains(number)),
        }
    }

    #[inline]
    pub(crate) fn contains(&self, number: u64) -> bool {
        match &self.0[..] {
            [(min, max)] => *min <= number && number <= *max,
            ranges => {
                let at = ranges.partition_point(|(_, max)| *max < number);
                ranges.get(at).is_some_and(|(min, _)| *min <= number)
            }
        }
    }
}

#[inline]
fn retain(places: &mut Vec<u32>, numbers: &[u64], is_met: impl Fn(u64) -> bool) {
    let mut kept = 0;
    for at in 0..places.len() {
        // Without a branch: which numbers are in the set cannot be predicted.
        let place = places[at];
        places[kept] = place;
        kept += usize::from(is_met(numbers[place as usize]));
    }
    places.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::super::key_range::KeyRange;
    use super::*;

    #[test]
    fn a_set_of_numbers_has_the_keys_of_the_set_that_it_was_made_of() {
        let ends = [0, 1, 2, 3, 6, 7, 9, 255, u64::MAX - 1, u64::MAX];
        let beyond = EncodedKey::from_u64(u64::MAX).successor().unwrap();
        let keys: Vec<EncodedKey> =
            ends.into_iter().map(EncodedKey::from_u64).chain([beyond]).collect();
        let pairs = |from: usize| (from..keys.len()).map(move |to| (from, to));
        let ranges: Vec<KeyRange> = (0..keys.len())
            .flat_map(pairs)
            .filter_map(|(from, to)| KeyRange::new(keys[from], keys[to]))
            .collect();
        for first in &ranges {
            for second in &ranges {
                let set = RangeSet::from_ranges(vec![*first, *second]);
                for absent in [None, Some(0), Some(3), Some(u64::MAX)] {
                    let numbers = NumberSet::new(&set, absent);
                    for end in ends {
                        for number in [end.wrapping_sub(1), end, end.wrapping_add(1)] {
                            let key = EncodedKey::from_u64(number);
                            let expected = set.contains(&key) && absent != Some(number);
                            assert_eq!(numbers.contains(number), expected, "{set:?} {number}");
                        }
                    }
                }
            }
        }
        assert!(!NumberSet::new(&RangeSet::default(), None).contains(0));
    }
}
