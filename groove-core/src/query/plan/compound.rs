//! Conditions on the fields of a compound index, as keys of that index.
//!
//! `carrier = UA & number = 12` says of an index over both fields which key objects have in it; `carrier = UA` alone,
//! or beside a range of numbers, says between which keys theirs are. The entries of these keys are those of the
//! objects that meet the conditions, all of them and no others. So the conditions can be left out where these are
//! walked, and the index need not be named by who asks.

use std::borrow::Cow;
use std::cmp::Reverse;

use crate::query::key_range::{EncodedKey, KeyRange, RangeSet};
use crate::query::row_key::RowKey;
use crate::query::stream::Window;
use crate::schema::{FieldSchema, IndexSource, Schema};

use super::normal::{Subject, Term};
use super::size::{FEW_SCANS, KEY_SCANS_MAX, is_points};

/// Ranges of one compound index that conditions on its fields are turned into, at the most.
const RANGES_MAX: usize = KEY_SCANS_MAX;
/// Compound indexes that are compared with conditions that are asked otherwise, at the most: each is planned.
const RANGES_COMPARED_MAX: usize = 3;

/// What terms of a conjunction say of a compound index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Compound {
    ordinal: usize,
    /// The keys of exactly those objects that meet the terms.
    pub(super) set: RangeSet,
    /// Where the terms stand in the conjunction.
    pub(super) used: Vec<usize>,
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
        for field in fields {
            let Some((at, set)) = of_field(schema, field, kept) else { break };
            if prefixes.len().saturating_mul(set.ranges().len()) > RANGES_MAX {
                break;
            }
            used.push(at);
            let extended = |key: &EncodedKey| {
                let key = key.to_vec(field.width);
                prefixes.iter().map(move |prefix| [&prefix[..], &key].concat()).collect::<Vec<_>>()
            };
            if is_points(set) {
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

    fn keys(&self) -> Term {
        Term::Keys(Subject::Index(self.ordinal), self.set.clone())
    }

    /// Whether the keys are a few scans, whose entries are in the order of timestamps.
    fn is_few_scans(&self) -> bool {
        is_points(&self.set) && self.set.ranges().len() <= FEW_SCANS
    }

    /// Whether an index on one field alone has the same entries in a better order.
    fn is_needless(&self, kept: &[Term]) -> bool {
        matches!(self.used[..], [at] if matches!(kept[at], Term::Keys(Subject::Index(_), _)))
    }

    /// Whether another one, of these or of more terms, has the same entries or some of them.
    fn is_needless_beside(&self, other: &Compound) -> bool {
        let is_part =
            |one: &Compound, of: &Compound| one.used.iter().all(|at| of.used.contains(at));
        let same = is_part(other, self);
        is_part(self, other)
            && (!same
                || (other.set.ranges().len(), other.ordinal)
                    < (self.set.ranges().len(), self.ordinal))
    }
}

/// The ways to say a conjunction by keys of compound indexes.
pub(super) struct Ways<'t> {
    /// With the keys that are a few scans in the place of what says the same: a scan skips to where the others are, so
    /// that is no more than anything else that is scanned.
    pub(super) plain: Cow<'t, [Term]>,
    /// With other keys, too, which take the place of something: it is not plain which is less. These are the first of
    /// the terms.
    pub(super) others: Vec<Vec<Term>>,
    /// Whether no object meets all terms.
    pub(super) is_none: bool,
}

impl<'t> Ways<'t> {
    /// The plain way alone; of keys that no object can have, it has none.
    #[inline(never)] // its locals would lie in a frame that is on the stack once per level of the predicate
    pub(super) fn plain(schema: &'static Schema, kept: &'t [Term]) -> Cow<'t, [Term]> {
        Ways::new(schema, kept).plain
    }

    #[inline(never)]
    pub(super) fn new(schema: &'static Schema, kept: &'t [Term]) -> Ways<'t> {
        let compounds = compounds(schema, kept);
        if compounds.is_empty() {
            return Ways { plain: Cow::Borrowed(kept), others: Vec::new(), is_none: false };
        }
        let is_none = compounds.iter().any(|compound| compound.set.is_empty());
        let (scans, ranges): (Vec<Compound>, Vec<Compound>) =
            compounds.into_iter().partition(Compound::is_few_scans);
        let by_keys = |compounds: &[Compound]| -> Vec<Term> {
            let keys = compounds.iter().map(Compound::keys);
            keys.chain(others(compounds, kept).cloned()).collect()
        };
        let plain = match scans.is_empty() {
            true => Cow::Borrowed(kept),
            false => Cow::Owned(by_keys(&scans)),
        };
        let with = |range: Compound| by_keys(&[&[range][..], &scans].concat());
        let others = ranges.into_iter().take(RANGES_COMPARED_MAX).map(with).collect();
        Ways { plain, others, is_none }
    }
}

/// The term with the keys of one compound index in the place of all that it says of other indexes and of fields, if one
/// says the same. Where only a part of its timestamps is wanted, ranges of keys have the others, too.
pub(super) fn in_one_index<'t>(
    schema: &'static Schema,
    term: &'t Term,
    window: Window,
) -> Cow<'t, Term> {
    let (kept, removed) = match term {
        Term::And { kept, removed } => (&kept[..], &removed[..]),
        Term::Keys(Subject::Field(_), _) => (std::slice::from_ref(term), &[][..]),
        _ => return Cow::Borrowed(term),
    };
    let says_the_same = |compound: &Compound| {
        compound.is_all_of(kept) && (window == Window::ALL || is_points(&compound.set))
    };
    let Some(compound) = compounds(schema, kept).into_iter().find(says_the_same) else {
        return Cow::Borrowed(term);
    };
    Cow::Owned(match (compound.set.is_empty(), removed.is_empty()) {
        (true, _) => Term::Or(Vec::new()),
        (false, true) => compound.keys(),
        (false, false) => Term::And { kept: vec![compound.keys()], removed: removed.to_vec() },
    })
}

/// The compound indexes that may be asked in the place of terms, those of most terms first.
fn compounds(schema: &'static Schema, kept: &[Term]) -> Vec<Compound> {
    let of = |ordinal| Compound::of(schema, ordinal, kept);
    let mut compounds: Vec<Compound> = (0..schema.indexes.len())
        .filter_map(of)
        .filter(|compound| !compound.is_needless(kept))
        .collect();
    if compounds.len() > 1 {
        let all = compounds.clone();
        compounds.retain(|one| !all.iter().any(|other| one.is_needless_beside(other)));
        compounds.sort_by_key(|compound| Reverse(compound.used.len()));
    }
    compounds
}

/// The terms of a conjunction that none of `compounds` says.
fn others<'t>(compounds: &[Compound], kept: &'t [Term]) -> impl Iterator<Item = &'t Term> {
    let is_used = |at: usize| compounds.iter().any(|compound| compound.used.contains(&at));
    let used: Vec<bool> = (0..kept.len()).map(is_used).collect();
    kept.iter().zip(used).filter(|(_, used)| !used).map(|(term, _)| term)
}

/// The fields of a compound index that has a key of each object, which the row tells.
pub(super) fn parts(schema: &'static Schema, ordinal: usize) -> Option<Vec<&'static FieldSchema>> {
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
pub(super) fn of_field<'t>(
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
