//! The index whose entries are walked for the order of another one.
//!
//! For an order by an index the entries of that index are walked. But under `customer = 7` the entries that an index
//! over customer and price has of this customer are in the order of an index over the price, and they are all that the
//! answer can have.

use crate::query::key_range::{EncodedKey, KeyRange, RangeSet};
use crate::schema::{IndexSource, Schema};

use super::compound::{Compound, of_field, parts};
use super::normal::{Subject, Term};

/// Entries in the order of an index: its own, or those of a compound index that begin in the same way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WalkedIndex {
    /// Of the index that has the entries.
    pub(crate) ordinal: usize,
    /// What its keys have before those of the order.
    prefix: EncodedKey,
    /// The highest key of the order.
    key_max: EncodedKey,
}

impl WalkedIndex {
    /// The order's own index.
    pub(crate) fn itself(schema: &Schema, ordinal: usize) -> WalkedIndex {
        let key_max = EncodedKey::max_of_width(schema.indexes[ordinal].key_width);
        WalkedIndex { ordinal, prefix: EncodedKey::ZERO, key_max }
    }

    /// The keys of the entries that have a key of `range` in the order.
    pub(crate) fn range(&self, range: &KeyRange) -> KeyRange {
        KeyRange { min: self.prefix | range.min, max: self.prefix | range.max }
    }

    /// The key that an entry has in the order.
    pub(crate) fn key_in_order(&self, key: EncodedKey) -> EncodedKey {
        key & self.key_max
    }
}

/// What the terms of a conjunction say of the entries that are walked for an order.
pub(super) struct Walked {
    pub(super) index: WalkedIndex,
    /// The keys that all objects of the answer have in the order; `None` if that is not said.
    pub(super) keys: Option<RangeSet>,
    /// Where the terms stand that say so: entries of these keys meet them.
    pub(super) used: Vec<usize>,
}

impl Walked {
    pub(super) fn new(schema: &'static Schema, ordinal: usize, kept: &[Term]) -> Walked {
        let own = |term: &Term| matches!(term, Term::Keys(Subject::Index(at), _) if *at == ordinal);
        let (keys, mut used) = match Compound::of(schema, ordinal, kept) {
            Some(Compound { set, used, .. }) => (Some(set), used),
            None => match kept.iter().enumerate().find(|(_, term)| own(term)) {
                Some((at, Term::Keys(_, set))) => (Some(set.clone()), vec![at]),
                _ => (None, Vec::new()),
            },
        };
        let mut index = WalkedIndex::itself(schema, ordinal);
        let beginnings = (0..schema.indexes.len())
            .filter_map(|other| Some((other, beginning(schema, other, ordinal, kept)?)));
        // The longer it is, the fewer entries there are.
        if let Some((other, beginning)) =
            beginnings.max_by_key(|(_, beginning)| beginning.used.len())
        {
            let mut bytes = beginning.bytes;
            bytes.resize(schema.indexes[other].key_width, 0);
            (index.ordinal, index.prefix) = (other, EncodedKey::from_bytes(&bytes));
            let more = beginning.used.into_iter().filter(|at| !used.contains(at));
            used.extend(more.collect::<Vec<_>>());
        }
        Walked { index, keys, used }
    }
}

/// How the keys of a compound index begin, and the terms that say so.
struct Beginning {
    bytes: Vec<u8>,
    used: Vec<usize>,
}

/// The single beginning that terms give the keys of the index `other`, if these go on with those of `ordinal`, and each
/// object has a key in both.
fn beginning(
    schema: &'static Schema,
    other: usize,
    ordinal: usize,
    kept: &[Term],
) -> Option<Beginning> {
    let (fields, order) = (parts(schema, other)?, &schema.indexes[ordinal]);
    let IndexSource::Fields(names) = order.source else { return None };
    let first = fields.len().checked_sub(names.len()).filter(|&first| first > 0)?;
    let (before, rest) = fields.split_at(first);
    if order.optional || !rest.iter().map(|field| field.name).eq(names.iter().copied()) {
        return None;
    }
    let mut beginning = Beginning { bytes: Vec::new(), used: Vec::new() };
    for field in before {
        let (at, set) = of_field(schema, field, kept)?;
        let [range] = set.ranges() else { return None };
        if !range.is_point() {
            return None;
        }
        beginning.bytes.extend(range.min.to_vec(field.width));
        beginning.used.push(at);
    }
    Some(beginning)
}
