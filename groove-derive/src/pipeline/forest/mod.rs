//! `#[derive(Forest)]`: several grooves in one file and under one commit.

mod expand;
mod parse;

use proc_macro2::TokenStream;
use syn::DeriveInput;

use super::{errors, input, names, options, symbol, types};
use errors::Errors;

/// Parse, check, expand; the stand-in if there are mistakes.
pub(crate) fn run(input: &DeriveInput, errors: &mut Errors) -> TokenStream {
    match parse::forest(input, errors) {
        Some(forest) if errors.is_empty() => expand::forest(&forest),
        Some(forest) => expand::stand_in(&forest),
        None => TokenStream::new(),
    }
}
