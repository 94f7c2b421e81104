//! Conditions on the fields of a compound index, as keys of that index.
//!
//! `carrier = UA & number = 12` says of an index over both fields which key objects have in it; `carrier = UA` alone,
//! or beside a range of numbers, says between which keys theirs are. The entries of these keys are those of the
//! objects that meet the conditions, all of them and no others. So the conditions can be left out where these are
//! walked, and the index need not be named by who asks.

use std::borrow::Cow;

use crate::constants::INDEX_KEY_WIDTH_MAX;
use crate::query::key_range::{EncodedKey, KeyRange, RangeSet};
use crate::query::row_key::RowKey;
use crate::schema::{FieldSchema, IndexSource, Schema};

use super::normal::{Subject, Term};
use super::size::{COUNTED_RANGES_MAX, FEW_SCANS, KEY_SCANS_MAX, is_points};

/// What terms of a conjunction say of a compound index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Compound {
    ordinal: usize,
    /// The keys of exactly those objects that meet the terms.
    pub(super) set: RangeSet,
    /// Where the terms stand in the conjunction.
    used: Vec<usize>,
}

impl Compound {
    /// What the terms `kept` of a conjunction say of the index of this ordinal, if it is compound and they say anything
    /// of its first field.
    pub(super) fn of(schema: &'static Schema, ordinal: usize, kept: &[Term]) -> Option<Compound> {
        let fields = parts(schema, ordinal)?;
        let mut used = Vec::new();
        // The beginnings of keys that have a single value in each field so far.
        let mut prefixes: Vec<Vec<u8>> = vec![Vec::new()];
        let mut ranges = Vec::new();
        for (number, field) in fields.iter().enumerate() {
            let Some((at, set)) = of_field(schema, field, kept) else { break };
            let is_whole = number + 1 == fields.len();
            let points = is_points(set);
            let most = if points && is_whole { KEY_SCANS_MAX } else { COUNTED_RANGES_MAX };
            if prefixes.len().saturating_mul(set.ranges().len()) > most {
                break;
            }
            used.push(at);
            let extended = |key: &EncodedKey| {
                let mut bytes = [0; INDEX_KEY_WIDTH_MAX];
                key.to_bytes(&mut bytes);
                let key = bytes[INDEX_KEY_WIDTH_MAX - field.width..].to_vec();
                prefixes.iter().map(move |prefix| [&prefix[..], &key].concat()).collect::<Vec<_>>()
            };
            if points {
                prefixes = set.ranges().iter().flat_map(|range| extended(&range.min)).collect();
                continue;
            }
            for range in set.ranges() {
                ranges.extend(extended(&range.min).into_iter().zip(extended(&range.max)));
            }
            break;
        }
        if used.is_empty() {
            return None;
        }
        if ranges.is_empty() {
            ranges = prefixes.into_iter().map(|prefix| (prefix.clone(), prefix)).collect();
        }
        let width = schema.indexes[ordinal].key_width;
        let filled = |mut bytes: Vec<u8>, rest: u8| {
            bytes.resize(width, rest);
            EncodedKey::from_bytes(&bytes)
        };
        let ranges = ranges
            .into_iter()
            .map(|(min, max)| KeyRange { min: filled(min, u8::MIN), max: filled(max, u8::MAX) });
        let mut set = RangeSet::from_ranges(ranges.collect());
        let own = |term: &Term| matches!(term, Term::Keys(Subject::Index(at), _) if *at == ordinal);
        if let Some(at) = kept.iter().position(own)
            && let Term::Keys(_, said) = &kept[at]
        {
            set = set.intersection(said);
            used.push(at);
        }
        Some(Compound { ordinal, set, used })
    }

    /// Whether these terms are all of the conjunction.
    pub(super) fn is_all_of(&self, kept: &[Term]) -> bool {
        self.used.len() == kept.len()
    }

    /// The terms of the conjunction that say nothing of the index.
    pub(super) fn others<'t>(&self, kept: &'t [Term]) -> impl Iterator<Item = &'t Term> {
        let is_used = |at: &usize| self.used.contains(at);
        let used: Vec<bool> = (0..kept.len()).map(|at| is_used(&at)).collect();
        kept.iter().zip(used).filter(|(_, used)| !used).map(|(term, _)| term)
    }

    /// The conjunction with the keys of the index in the place of the terms that say the same.
    fn in_place(&self, kept: &[Term]) -> Vec<Term> {
        let keys = Term::Keys(Subject::Index(self.ordinal), self.set.clone());
        std::iter::once(keys).chain(self.others(kept).cloned()).collect()
    }

    /// Whether the keys are a few scans, whose entries are in the order of timestamps: nothing that says the same is
    /// less.
    fn is_least(&self) -> bool {
        self.used.len() > 1 && is_points(&self.set) && self.set.ranges().len() <= FEW_SCANS
    }

    /// Whether an index on one field alone has the same entries, or fewer to sort.
    fn is_needless(&self, kept: &[Term]) -> bool {
        matches!(self.used[..], [at] if matches!(kept[at], Term::Keys(Subject::Index(_), _)))
    }
}

/// The conjunction with keys of compound indexes where these are a few scans, in the place of what says the same.
pub(super) fn narrowed<'t>(schema: &'static Schema, kept: &'t [Term]) -> Cow<'t, [Term]> {
    let mut kept = Cow::Borrowed(kept);
    if kept.len() > 1 {
        // Each time there are fewer terms, or as many and of more fields.
        for _ in 0..schema.indexes.len() {
            let least = compounds(schema, &kept).filter(Compound::is_least);
            let Some(compound) = least.max_by_key(|compound| compound.used.len()) else { break };
            kept = Cow::Owned(compound.in_place(&kept));
        }
    }
    kept
}

/// Other conjunctions that say the same, by the keys of a compound index, where it is not plain which is less.
pub(super) fn alternatives(schema: &'static Schema, kept: &[Term]) -> Vec<Vec<Term>> {
    let in_question = compounds(schema, kept)
        .filter(|compound| !compound.is_least() && !compound.is_needless(kept));
    in_question.map(|compound| compound.in_place(kept)).collect()
}

/// The term with the keys of one compound index in the place of all that it says of other indexes and of fields, if one
/// says the same.
pub(super) fn in_one_index<'t>(schema: &'static Schema, term: &'t Term) -> Cow<'t, Term> {
    let (kept, removed) = match term {
        Term::And { kept, removed } => (&kept[..], &removed[..]),
        Term::Keys(Subject::Field(_), _) => (std::slice::from_ref(term), &[][..]),
        _ => return Cow::Borrowed(term),
    };
    let Some(compound) = compounds(schema, kept).find(|compound| compound.is_all_of(kept)) else {
        return Cow::Borrowed(term);
    };
    let keys = Term::Keys(Subject::Index(compound.ordinal), compound.set);
    Cow::Owned(match removed.is_empty() {
        true => keys,
        false => Term::And { kept: vec![keys], removed: removed.to_vec() },
    })
}

fn compounds(schema: &'static Schema, kept: &[Term]) -> impl Iterator<Item = Compound> {
    (0..schema.indexes.len()).filter_map(move |ordinal| Compound::of(schema, ordinal, kept))
}

/// The fields of a compound index that has a key of each object, which the row tells.
fn parts(schema: &'static Schema, ordinal: usize) -> Option<Vec<&'static FieldSchema>> {
    let index = &schema.indexes[ordinal];
    let IndexSource::Fields(names @ [_, _, ..]) = index.source else { return None };
    // What an optional index leaves out conditions on its fields may have.
    if index.optional || RowKey::of_index(schema, ordinal).is_none() {
        return None;
    }
    let find = |name: &&str| schema.fields.iter().find(|field| field.name == *name);
    names.iter().map(find).collect()
}

/// What is said of the key of one field, by its own index or by its row.
fn of_field<'t>(
    schema: &Schema,
    field: &FieldSchema,
    kept: &'t [Term],
) -> Option<(usize, &'t RangeSet)> {
    let is_of = |subject: &Subject| match *subject {
        Subject::Field(ordinal) => schema.fields[ordinal].name == field.name,
        Subject::Index(ordinal) => {
            let index = &schema.indexes[ordinal];
            !index.optional
                && matches!(index.source, IndexSource::Fields([name]) if *name == field.name)
        }
        Subject::Timestamp => false,
    };
    kept.iter().enumerate().find_map(|(at, term)| match term {
        Term::Keys(subject, set) if is_of(subject) => Some((at, set)),
        _ => None,
    })
}
