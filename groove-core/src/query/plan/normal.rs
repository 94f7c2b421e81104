//! The normal form of a predicate.
//!
//! A predicate becomes a [`Term`] and a sign. Terms are sets of keys of one index, disjunctions, and
//! conjunctions of terms to keep and terms to take away, of which the former are never empty. That
//! needs no more than De Morgan at the places where a negation would stand alone:
//!
//! * `!a & !b` is `!(a | b)`: a conjunction without a positive term is a negative disjunction;
//! * `a | !b` is `!(b & !a)`: a disjunction with a negative term is a negative conjunction.
//!
//! So a negation without company can only be outermost, where it costs one walk over all objects.
//! What is said of one index in one conjunction or disjunction is united, intersected or cut out as
//! sets of keys; this is sound because an object has at most one key in an index. The timestamps
//! are treated as an index that every object is in.

use std::collections::BTreeMap;

use crate::query::handle::all_timestamps;
use crate::query::key_range::{EncodedKey, KeyRange, RangeSet};
use crate::query::predicate::Node;
use crate::query::row_key::ReadKey;
use crate::schema::{FieldType, IndexKind, IndexSource, Schema, has_row_key};

use super::size::FEW_SCANS;

/// What a set of keys is about; in this order leaves stand in a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// The index of this ordinal.
    Index(usize),
    /// The field of this ordinal, which no index is on: rows tell its key.
    Field(usize),
    Timestamp,
}

/// A condition, brought into order. What a query may expect of each variant is in the module's
/// documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Term {
    /// Objects with a key of this set; neither empty, nor all objects.
    Keys(Subject, RangeSet),
    /// Objects of all of `kept`, which are not empty, and of none of `removed`. At most one term of
    /// each subject stands in either.
    And { kept: Vec<Term>, removed: Vec<Term> },
    /// Objects of any of the terms; none if there are no terms, never one term. At most one term of
    /// each subject.
    Or(Vec<Term>),
}

/// A term, or all objects but those of a term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Normal {
    pub(super) term: Term,
    pub(super) negative: bool,
}

impl Term {
    /// All objects but those of the term, if it is some keys of an index that every object is in: those with its other
    /// keys.
    pub(super) fn others(&self, schema: &Schema) -> Option<Term> {
        let Term::Keys(subject @ Subject::Index(_), set) = self else { return None };
        let others = RangeSet::from_ranges(vec![full(schema, *subject)?]).difference(set);
        let ranges = others.ranges().iter().map(|range| match first_some(schema, *subject) {
            // Of the keys before the first value there is one: that of `None`.
            Some(first) if range.max < first => KeyRange { max: range.min, ..*range },
            _ => *range,
        });
        Some(Term::Keys(*subject, RangeSet::from_ranges(ranges.collect())))
    }
}

impl Term {
    /// As [`Normal::spread`].
    fn spread(&mut self, schema: &Schema) {
        match self {
            Term::Keys(Subject::Index(ordinal), set) => {
                if schema.indexes[*ordinal].kind == IndexKind::NonUnique
                    && let Some(keys) = set.apart(FEW_SCANS)
                {
                    *set = keys;
                }
            }
            Term::Keys(..) => {}
            Term::And { kept, removed } => {
                kept.iter_mut().chain(removed).for_each(|term| term.spread(schema));
            }
            Term::Or(terms) => terms.iter_mut().for_each(|term| term.spread(schema)),
        }
    }
}

const NONE: Normal = Normal { term: Term::Or(Vec::new()), negative: false };
const ALL: Normal = Normal { term: Term::Or(Vec::new()), negative: true };

impl Normal {
    /// Works from the leaves up with a stack of its own, since users nest predicates as deep as they
    /// like.
    pub(super) fn new(schema: &Schema, node: &Node) -> Normal {
        enum Step<'a> {
            Visit(&'a Node),
            And(usize),
            Or(usize),
            Not,
        }
        let mut steps = vec![Step::Visit(node)];
        let mut done: Vec<Normal> = Vec::new();
        while let Some(step) = steps.pop() {
            let normal = match step {
                Step::Visit(Node::And(nodes)) => {
                    steps.push(Step::And(nodes.len()));
                    steps.extend(nodes.iter().map(Step::Visit));
                    continue;
                }
                Step::Visit(Node::Or(nodes)) => match keys_of_one_index(nodes) {
                    Some((index, ranges)) => keys(schema, Subject::Index(index), ranges),
                    None => {
                        steps.push(Step::Or(nodes.len()));
                        steps.extend(nodes.iter().map(Step::Visit));
                        continue;
                    }
                },
                Step::Visit(Node::Not(node)) => {
                    steps.extend([Step::Not, Step::Visit(node)]);
                    continue;
                }
                Step::Visit(leaf) => Normal::of_leaf(schema, leaf),
                Step::And(parts) => and(schema, done.split_off(done.len() - parts)),
                Step::Or(parts) => or(schema, done.split_off(done.len() - parts)),
                Step::Not => !done.pop().expect("what is negated was visited"),
            };
            done.push(normal);
        }
        done.pop().expect("the root was visited")
    }

    fn of_leaf(schema: &Schema, node: &Node) -> Normal {
        match node {
            Node::All => ALL,
            Node::Keys { index, range } => keys(schema, Subject::Index(*index), vec![*range]),
            Node::Present { index } => {
                keys(schema, Subject::Index(*index), vec![present(schema, *index)])
            }
            Node::Field { field, range, .. } => keys(schema, Subject::Field(*field), vec![*range]),
            Node::Timestamps(range) => keys(schema, Subject::Timestamp, vec![*range]),
            Node::None | Node::And(_) | Node::Or(_) | Node::Not(_) => NONE,
        }
    }

    /// The same objects without a negation, if they are those without some keys of an index that every
    /// object is in: those with its other keys.
    pub(super) fn complemented(&self, schema: &Schema) -> Normal {
        match self.term.others(schema).filter(|_| self.negative) {
            Some(others) => Normal::positive(others),
            None => self.clone(),
        }
    }

    /// The same with each key of a narrow range of an index on its own: a few scans in the order of timestamps, where
    /// a range has to be collected.
    pub(super) fn spread(mut self, schema: &Schema) -> Normal {
        self.term.spread(schema);
        self
    }

    fn positive(term: Term) -> Normal {
        Normal { term, negative: false }
    }

    fn is_none(&self) -> bool {
        *self == NONE
    }
}

impl std::ops::Not for Normal {
    type Output = Normal;

    fn not(self) -> Normal {
        Normal { term: self.term, negative: !self.negative }
    }
}

/// The index and its keys, if `nodes` are all of one: thousands of keys are one set at once.
fn keys_of_one_index(nodes: &[Node]) -> Option<(usize, Vec<KeyRange>)> {
    let Some(Node::Keys { index: first, .. }) = nodes.first() else { return None };
    let range = |node: &Node| match node {
        Node::Keys { index, range } if index == first => Some(*range),
        _ => None,
    };
    Some((*first, nodes.iter().map(range).collect::<Option<_>>()?))
}

/// Objects with a key in any of `ranges`, which are not none.
fn keys(schema: &Schema, subject: Subject, ranges: Vec<KeyRange>) -> Normal {
    let set = RangeSet::from_ranges(ranges);
    if full(schema, subject).is_some_and(|full| set.covers(&full)) {
        ALL
    } else {
        Normal::positive(Term::Keys(subject, set))
    }
}

/// The keys of `subject` of which every object has one; `None` if some may have none.
fn full(schema: &Schema, subject: Subject) -> Option<KeyRange> {
    match subject {
        Subject::Timestamp => Some(all_timestamps()),
        Subject::Field(ordinal) => {
            let field = &schema.fields[ordinal];
            // Types of other crates may have keys of another width than their values.
            has_row_key(&field.field_type).then(|| KeyRange::full(field.width))
        }
        Subject::Index(ordinal) => {
            let index = &schema.indexes[ordinal];
            let everywhere = !index.optional && matches!(index.source, IndexSource::Fields(_));
            everywhere.then(|| KeyRange::full(index.key_width))
        }
    }
}

/// The keys of an index that stand for a value: all but `None` in an index on an `Option` that is
/// not optional itself.
fn present(schema: &Schema, ordinal: usize) -> KeyRange {
    let full = KeyRange::full(schema.indexes[ordinal].key_width);
    let first = first_some(schema, Subject::Index(ordinal));
    first.map_or(full, |first| KeyRange { min: first, ..full })
}

/// The first key that is not `None` in an index on an `Option` that is not optional itself.
fn first_some(schema: &Schema, subject: Subject) -> Option<EncodedKey> {
    let Subject::Index(ordinal) = subject else { return None };
    let index = &schema.indexes[ordinal];
    let IndexSource::Fields(&[name]) = index.source else { return None };
    let field = schema.fields.iter().find(|field| field.name == name);
    let mut field_type = field.map(|field| field.field_type);
    while let Some(FieldType::Newtype(_, inner)) = field_type {
        field_type = Some(*inner);
    }
    if index.optional || !matches!(field_type, Some(FieldType::Option(_))) {
        return None;
    }
    // `None` is all zeros, `Some` begins with a byte of 1.
    let mut first = vec![0; index.key_width];
    first[0] = 1;
    Some(EncodedKey::from_bytes(&first))
}

/// How the fields that `node` names are read from rows.
pub(super) fn readers(node: &Node) -> BTreeMap<usize, ReadKey> {
    let mut readers = BTreeMap::new();
    let mut nodes = vec![node];
    while let Some(node) = nodes.pop() {
        match node {
            Node::Field { field, read, .. } => {
                readers.insert(*field, *read);
            }
            Node::And(inner) | Node::Or(inner) => nodes.extend(inner),
            Node::Not(inner) => nodes.push(inner),
            Node::All | Node::None => {}
            Node::Keys { .. } | Node::Present { .. } | Node::Timestamps(_) => {}
        }
    }
    readers
}

/// Terms of one conjunction or disjunction: the sets of keys by subject, and the others.
#[derive(Default)]
struct Terms {
    keys: BTreeMap<Subject, RangeSet>,
    others: Vec<Term>,
}

impl Terms {
    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.others.is_empty()
    }

    fn intersect(&mut self, term: Term) {
        match term {
            Term::Keys(subject, set) => {
                let both = match self.keys.get(&subject) {
                    Some(present) => present.intersection(&set),
                    None => set,
                };
                self.keys.insert(subject, both);
            }
            term => self.others.push(term),
        }
    }

    fn into_terms(self) -> Vec<Term> {
        let keys = self.keys.into_iter().map(|(subject, set)| Term::Keys(subject, set));
        keys.chain(self.others).collect()
    }
}

/// Unites sets of keys of the same subject, all at once: a thousand of them are sorted, not folded.
fn unite(terms: Vec<Term>) -> Terms {
    let mut ranges: BTreeMap<Subject, Vec<KeyRange>> = BTreeMap::new();
    let mut others = Vec::new();
    for term in terms {
        match term {
            Term::Keys(subject, set) => {
                ranges.entry(subject).or_default().extend_from_slice(set.ranges());
            }
            term => others.push(term),
        }
    }
    let united = |(subject, ranges)| (subject, RangeSet::from_ranges(ranges));
    Terms { keys: ranges.into_iter().map(united).collect(), others }
}

/// The objects of all `parts`.
fn and(schema: &Schema, parts: Vec<Normal>) -> Normal {
    let (mut kept, mut removed) = (Terms::default(), Vec::new());
    for Normal { term, negative } in parts {
        match (negative, term) {
            (true, Term::Or(terms)) => removed.extend(terms),
            (true, term) => removed.push(term),
            (false, Term::And { kept: inner_kept, removed: inner_removed }) => {
                inner_kept.into_iter().for_each(|term| kept.intersect(term));
                removed.extend(inner_removed);
            }
            (false, term) => kept.intersect(term),
        }
    }
    let mut removed = unite(removed);
    // A timestamp to take away is one to keep of the others: every object has one.
    if let Some(set) = removed.keys.remove(&Subject::Timestamp) {
        let all = RangeSet::from_ranges(vec![all_timestamps()]);
        kept.intersect(Term::Keys(Subject::Timestamp, all.difference(&set)));
    }
    for (subject, set) in &mut kept.keys {
        if let Some(cut) = removed.keys.remove(subject) {
            *set = set.difference(&cut);
        }
    }
    let impossible = kept.keys.values().any(RangeSet::is_empty) || kept.others.contains(&NONE.term);
    if impossible {
        return NONE;
    }
    if kept.is_empty() {
        return !or(schema, removed.into_terms().into_iter().map(Normal::positive).collect());
    }
    let (mut kept, removed) = (kept.into_terms(), removed.into_terms());
    if kept.len() == 1 && removed.is_empty() {
        return Normal::positive(kept.remove(0));
    }
    Normal::positive(Term::And { kept, removed })
}

/// The objects of any of `parts`.
fn or(schema: &Schema, parts: Vec<Normal>) -> Normal {
    if parts.iter().any(|part| part.negative) {
        return !and(schema, parts.into_iter().map(|part| !part).collect());
    }
    let mut terms = Vec::new();
    for part in parts.into_iter().filter(|part| !part.is_none()) {
        match part.term {
            Term::Or(inner) => terms.extend(inner),
            term => terms.push(term),
        }
    }
    let terms = unite(terms);
    let everything = |(subject, set): (&Subject, &RangeSet)| {
        full(schema, *subject).is_some_and(|full| set.covers(&full))
    };
    if terms.keys.iter().any(everything) {
        return ALL;
    }
    let mut terms = terms.into_terms();
    if terms.len() == 1 {
        return Normal::positive(terms.remove(0));
    }
    Normal::positive(Term::Or(terms))
}
