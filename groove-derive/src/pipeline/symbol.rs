//! The words of the attributes, each written once.

use std::fmt;

use proc_macro2::Ident;
use syn::Path;

/// A word that an attribute or an option can be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Symbol(pub(crate) &'static str);

pub(crate) const CFG: Symbol = Symbol("cfg");
pub(crate) const CRATE: Symbol = Symbol("crate");
pub(crate) const DERIVED: Symbol = Symbol("derived");
pub(crate) const EXPANSION: Symbol = Symbol("expansion");
pub(crate) const GROOVE: Symbol = Symbol("groove");
pub(crate) const IGNORE: Symbol = Symbol("ignore");
pub(crate) const INDEX: Symbol = Symbol("index");
pub(crate) const NAME: Symbol = Symbol("name");
pub(crate) const OPTIONAL: Symbol = Symbol("optional");
pub(crate) const ORPHANED_IDS: Symbol = Symbol("orphaned_ids");
pub(crate) const PRIMARY: Symbol = Symbol("primary");
pub(crate) const REPR: Symbol = Symbol("repr");
pub(crate) const REST: Symbol = Symbol("rest");
pub(crate) const SNAPSHOT: Symbol = Symbol("snapshot");
pub(crate) const TIMESTAMP: Symbol = Symbol("timestamp");
pub(crate) const UNIQUE: Symbol = Symbol("unique");
pub(crate) const VERSION: Symbol = Symbol("version");

impl fmt::Display for Symbol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl PartialEq<Symbol> for Ident {
    fn eq(&self, symbol: &Symbol) -> bool {
        self == symbol.0
    }
}

impl PartialEq<Symbol> for Path {
    fn eq(&self, symbol: &Symbol) -> bool {
        self.is_ident(symbol.0)
    }
}
