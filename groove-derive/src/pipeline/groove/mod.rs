//! `#[derive(Groove)]`: one struct, its row and its trees.

mod check;
mod check_names;
mod expand;
mod model;
mod parse;
mod parse_options;

use proc_macro2::TokenStream;
use syn::DeriveInput;

use super::{errors, input, names, options, spelling, symbol, text, types};
use errors::Errors;

/// Parse, check, expand; the stand-in if there are mistakes.
pub(crate) fn run(input: &DeriveInput, errors: &mut Errors) -> TokenStream {
    let Some(parsed) = parse::object(input, errors) else {
        return expand::stand_in(input);
    };
    let model = check::groove(&parsed, errors);
    match errors.is_empty() {
        true => expand::groove(&model),
        false => expand::stand_in_of(&model, input),
    }
}
