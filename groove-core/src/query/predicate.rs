//! Conditions on objects, built from the handles that the derive generates and combined with `&`,
//! `|` and `!`.
//!
//! [`Predicate`] is a typed shell; everything below works on [`Node`], the tree of conditions as the
//! user wrote it, except that `a & b & c` is one term of three and double negations are gone. What a
//! node means for the trees is decided in [`super::plan`].

use std::fmt;
use std::marker::PhantomData;
use std::mem::take;
use std::ops::{BitAnd, BitOr, Not};

use super::key_range::KeyRange;
use super::row_key::ReadKey;
use super::text::Named;
use crate::object::Object;

/// A condition on objects of type `O`.
///
/// Made by the field handles of `O` (`Transfer::CODE.eq(3)`), combined with `&`, `|` and `!`, or at
/// run time with [`Predicate::all_of`] and [`Predicate::any_of`]. It holds no data of the forest and
/// can be kept, cloned and sent to other threads.
///
/// Chains such as `a & b & c` are one level, however long. Levels that alternate (`a & (b | (c &
/// …))`) are walked recursively: in a release build a thousand of them fit the smallest usual thread stack
/// (2 MiB), without optimisations about 400; many more may not, and a stack that overflows ends the process. So
/// limit the depth of what comes from outside.
pub struct Predicate<O> {
    pub(crate) node: Node,
    object: PhantomData<fn() -> O>,
}

/// A condition without the type of the objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// Every object.
    All,
    /// No object.
    None,
    /// Objects with a key in the range in the index of this ordinal.
    Keys {
        index: usize,
        range: KeyRange,
    },
    /// Objects with a value in the index of this ordinal.
    Present {
        index: usize,
    },
    /// Objects whose field of this ordinal, which no index is on, has a key in the range.
    Field {
        field: usize,
        range: KeyRange,
        read: ReadKey,
    },
    /// Objects with a timestamp in the range.
    Timestamps(KeyRange),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
}

impl Node {
    /// All of `nodes`; the terms of those that are conjunctions themselves are taken over.
    fn all_of(nodes: impl IntoIterator<Item = Node>) -> Node {
        let mut terms = Vec::new();
        for node in nodes {
            match node {
                Node::All => {}
                Node::And(mut inner) if terms.is_empty() => terms = take(&mut inner),
                Node::And(inner) => terms.extend(inner),
                node => terms.push(node),
            }
        }
        match terms.len() {
            0 => Node::All,
            1 => terms.remove(0),
            _ => Node::And(terms),
        }
    }

    /// Any of `nodes`; the terms of those that are disjunctions themselves are taken over.
    fn any_of(nodes: impl IntoIterator<Item = Node>) -> Node {
        let mut terms = Vec::new();
        for node in nodes {
            match node {
                Node::None => {}
                Node::Or(mut inner) if terms.is_empty() => terms = take(&mut inner),
                Node::Or(inner) => terms.extend(inner),
                node => terms.push(node),
            }
        }
        match terms.len() {
            0 => Node::None,
            1 => terms.remove(0),
            _ => Node::Or(terms),
        }
    }

    fn negated(self) -> Node {
        match self {
            Node::All => Node::None,
            Node::None => Node::All,
            Node::Not(inner) => *inner,
            node => Node::Not(Box::new(node)),
        }
    }
}

impl<O> Predicate<O> {
    pub(crate) fn new(node: Node) -> Predicate<O> {
        Predicate { node, object: PhantomData }
    }

    /// The condition that every object meets. A query of it reads the object tree alone.
    pub fn all() -> Predicate<O> {
        Predicate::new(Node::All)
    }

    /// The condition that no object meets. A query of it reads nothing.
    pub fn none() -> Predicate<O> {
        Predicate::new(Node::None)
    }

    /// The objects that meet all of `predicates`; every object, if there are none.
    ///
    /// The same as `&` between them. Such a query walks the term with the fewest entries and skips
    /// through the others; terms on one index become one range of keys first.
    pub fn all_of(predicates: impl IntoIterator<Item = Predicate<O>>) -> Predicate<O> {
        Predicate::new(Node::all_of(predicates.into_iter().map(|predicate| predicate.node)))
    }

    /// The objects that meet any of `predicates`; no object, if there are none.
    ///
    /// The same as `|` between them. Such a query merges its terms; terms on one index become one
    /// set of keys first.
    pub fn any_of(predicates: impl IntoIterator<Item = Predicate<O>>) -> Predicate<O> {
        Predicate::new(Node::any_of(predicates.into_iter().map(|predicate| predicate.node)))
    }
}

impl<O> Clone for Predicate<O> {
    fn clone(&self) -> Predicate<O> {
        Predicate::new(self.node.clone())
    }
}

/// With the names and values of the schema: `(carrier = UA & !(delay > 30))`.
impl<O: Object> fmt::Debug for Predicate<O> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Named { schema: O::SCHEMA, node: &self.node }.fmt(formatter)
    }
}

/// The objects that meet both.
impl<O> BitAnd for Predicate<O> {
    type Output = Predicate<O>;

    fn bitand(self, other: Predicate<O>) -> Predicate<O> {
        Predicate::all_of([self, other])
    }
}

/// The objects that meet either or both.
impl<O> BitOr for Predicate<O> {
    type Output = Predicate<O>;

    fn bitor(self, other: Predicate<O>) -> Predicate<O> {
        Predicate::any_of([self, other])
    }
}

/// The objects that do not meet it.
///
/// Cheap beside a positive condition (`a & !b`); alone it walks all objects, or the other keys of an index
/// that every object is in.
impl<O> Not for Predicate<O> {
    type Output = Predicate<O>;

    fn not(self) -> Predicate<O> {
        Predicate::new(self.node.negated())
    }
}
