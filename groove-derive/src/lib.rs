//! The derive macros of groove. Each is a pipeline: parse, check, expand; see `pipeline/mod.rs`.
//!
//! Their documentation is at their re-export in `groove`, where its links resolve.

#![forbid(unsafe_code)]

use proc_macro::TokenStream;

mod pipeline;

#[allow(missing_docs, reason = "documented at the re-export")]
#[proc_macro_derive(Groove, attributes(groove, index))]
pub fn groove(input: TokenStream) -> TokenStream {
    pipeline::groove(input.into()).into_tokens().into()
}

#[allow(missing_docs, reason = "documented at the re-export")]
#[proc_macro_derive(Forest, attributes(groove))]
pub fn forest(input: TokenStream) -> TokenStream {
    pipeline::forest(input.into()).into_tokens().into()
}

#[allow(missing_docs, reason = "documented at the re-export")]
#[proc_macro_derive(Field, attributes(groove))]
pub fn field(input: TokenStream) -> TokenStream {
    pipeline::field(input.into()).into_tokens().into()
}
