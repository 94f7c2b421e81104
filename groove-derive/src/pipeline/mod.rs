//! From the tokens of a struct to the tokens of its impls.
//!
//! 1. *parse* reads attributes and fields as they are written ([`groove::parse`]).
//! 2. *check* turns them into a model that only legal inputs have ([`groove::model`]).
//! 3. *expand* writes the model out as code and takes no decisions ([`groove::expand`]).
//!
//! Parse and check record every mistake in [`errors::Errors`] and go on, so that one pass of the
//! compiler reports them all. An input with mistakes gets its errors and, in place of the impls, a
//! stand-in: impls that satisfy the type checker, so that a typo in an attribute is not followed by
//! an error at each use of the struct.
//!
//! Modules refer to each other by `super`, never by `crate`: tests mount this folder by path.

mod errors;
mod field;
mod forest;
mod groove;
mod input;
mod names;
mod options;
mod spelling;
mod symbol;
mod text;
mod types;

use proc_macro2::TokenStream;
use syn::DeriveInput;

use errors::Errors;

/// What a derive gives back.
pub(crate) struct Expansion {
    /// The impls, or their stand-in if there are mistakes.
    pub(crate) code: TokenStream,
    /// All mistakes, combined into one error.
    pub(crate) mistakes: Option<syn::Error>,
}

impl Expansion {
    /// The mistakes as compiler errors, then the code.
    pub(crate) fn into_tokens(self) -> TokenStream {
        let mut tokens = self.mistakes.map_or_else(TokenStream::new, |all| all.to_compile_error());
        tokens.extend(self.code);
        tokens
    }
}

/// Expands `#[derive(Groove)]`.
pub(crate) fn groove(input: TokenStream) -> Expansion {
    run(input, groove::run)
}

/// Expands `#[derive(Forest)]`.
pub(crate) fn forest(input: TokenStream) -> Expansion {
    run(input, forest::run)
}

/// Expands `#[derive(Field)]`.
pub(crate) fn field(input: TokenStream) -> Expansion {
    run(input, field::run)
}

fn run(input: TokenStream, derive: fn(&DeriveInput, &mut Errors) -> TokenStream) -> Expansion {
    match syn::parse2(input) {
        Ok(input) => {
            let mut errors = Errors::default();
            let code = derive(&input, &mut errors);
            Expansion { code, mistakes: errors.finish() }
        }
        Err(error) => Expansion { code: TokenStream::new(), mistakes: Some(error) },
    }
}
