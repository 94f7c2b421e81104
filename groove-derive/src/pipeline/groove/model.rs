//! A groove as the expansion needs it. Without recorded mistakes it is a legal one.

use proc_macro2::{Ident, Span};
use syn::{Path, Type, TypePath, Visibility};

/// A struct and its trees.
pub(crate) struct Groove<'a> {
    /// The path of the crate `groove` in generated code.
    pub(crate) krate: Path,
    /// The struct's visibility, which its handles share.
    pub(crate) visibility: &'a Visibility,
    /// The struct's name.
    pub(crate) ident: &'a Ident,
    /// The name under which the file stores it.
    pub(crate) name: String,
    /// The field that holds the timestamp.
    pub(crate) timestamp: Ident,
    /// All other fields, in declaration order: the columns of a row.
    pub(crate) fields: Vec<Field<'a>>,
    /// The indexes in the order of their trees: on fields, compound, derived.
    pub(crate) indexes: Vec<Index<'a>>,
    /// Whether ids can be orphaned.
    pub(crate) orphaned_ids: bool,
    /// Whether the code is to be had as a constant.
    pub(crate) expansion: bool,
}

/// A field that a row stores.
#[derive(Clone, Copy)]
pub(crate) struct Field<'a> {
    pub(crate) visibility: &'a Visibility,
    pub(crate) ident: &'a Ident,
    pub(crate) field_type: &'a Type,
}

/// An index: one tree.
pub(crate) struct Index<'a> {
    /// The name under which the file stores it, and which error messages show.
    pub(crate) name: String,
    /// The associated constant, with the span of what the user wrote.
    pub(crate) handle: Ident,
    pub(crate) kind: Kind,
    /// Whether absent values are left out.
    pub(crate) optional: bool,
    pub(crate) source: Source<'a>,
}

/// What an index promises about its keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Primary,
    Unique,
    NonUnique,
}

impl Kind {
    /// Whether at most one object has a key.
    pub(crate) fn is_unique(self) -> bool {
        self != Kind::NonUnique
    }
}

/// Where the key of an index comes from.
pub(crate) enum Source<'a> {
    Field(Field<'a>),
    /// The fields, and the span of the parentheses that list them.
    Compound(Vec<Field<'a>>, Span),
    Derived(&'a Derived),
}

/// A function of the object: `name: Type = path`.
pub(crate) struct Derived {
    pub(crate) ident: Ident,
    pub(crate) key: Type,
    pub(crate) function: TypePath,
    pub(crate) version: u32,
}

impl Groove<'_> {
    /// The field that is the primary key; the timestamp is, if there is none.
    pub(crate) fn primary(&self) -> Option<Field<'_>> {
        self.indexes.iter().find_map(|index| match index.source {
            Source::Field(field) if index.kind == Kind::Primary => Some(field),
            _ => None,
        })
    }
}
