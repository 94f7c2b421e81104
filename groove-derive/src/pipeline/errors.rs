//! Mistakes found so far; all of them are reported at once.

use std::fmt::Display;

use proc_macro2::Span;
use quote::ToTokens;

/// Collects mistakes; each is recorded where it is found and none ends the run.
#[derive(Default)]
pub(crate) struct Errors {
    combined: Option<syn::Error>,
}

impl Errors {
    /// Records a mistake that underlines the tokens `at`.
    pub(crate) fn push(&mut self, at: impl ToTokens, message: impl Display) {
        self.add(syn::Error::new_spanned(at, message));
    }

    /// Records a mistake that underlines `span`.
    pub(crate) fn push_span(&mut self, span: Span, message: impl Display) {
        self.add(syn::Error::new(span, message));
    }

    /// Records a mistake that syn found.
    pub(crate) fn add(&mut self, error: syn::Error) {
        match &mut self.combined {
            Some(first) => first.combine(error),
            None => self.combined = Some(error),
        }
    }

    /// Whether nothing was recorded.
    pub(crate) fn is_empty(&self) -> bool {
        self.combined.is_none()
    }

    /// All mistakes, in the order in which they were recorded.
    pub(crate) fn finish(self) -> Option<syn::Error> {
        self.combined
    }
}
