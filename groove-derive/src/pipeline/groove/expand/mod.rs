//! Writes the model out as code. No decisions are taken here and every path is absolute, or begins
//! with `__groove`, the one name that is imported: whatever the user has in scope, the output means
//! the same.

mod handles;
mod keys;
mod row;
mod schema;
mod stand_in;
mod trees;

use proc_macro2::{Literal, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};

use super::model::{Field, Groove, Index, Kind, Source};
use super::names::plain;
use super::{check::handle, options, text, types};

pub(crate) use stand_in::{stand_in, stand_in_of};

/// `position` without the suffix `usize`.
fn number(position: usize) -> Literal {
    Literal::usize_unsuffixed(position)
}

/// `code`, which the compiler underlines at the tokens `at` if it complains.
fn under(at: impl ToTokens, code: TokenStream) -> TokenStream {
    let spans: Vec<_> = at.into_token_stream().into_iter().map(|token| token.span()).collect();
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return code };
    let mut code: Vec<TokenTree> = code.into_iter().collect();
    code.iter_mut().for_each(|token| token.set_span(*first));
    if let Some(token) = code.last_mut() {
        token.set_span(*last);
    }
    code.into_iter().collect()
}

/// The inherent handles, the alias of the trees, and `impl Object`.
pub(crate) fn groove(groove: &Groove<'_>) -> TokenStream {
    let Groove { krate, visibility, ident, .. } = groove;
    let handles = handles::expand(groove);
    let fields = row::fields(groove);
    let aliases = keys::aliases(groove);
    let indexes = schema::indexes(groove);
    let limbs = keys::limbs(groove);
    let index_from_object =
        (0..groove.indexes.len()).map(|ordinal| keys::index_from_object(groove, ordinal));
    let schema = schema::expand(groove);
    let row_functions = row::functions(groove);
    let tree_items = trees::expand(groove);
    let alias = format_ident!("{}IndexTrees", plain(ident), span = ident.span());
    let mut alias_doc = format!(" The index trees of [`{ident}`] in declaration order");
    for (ordinal, index) in groove.indexes.iter().enumerate() {
        let separator = if ordinal == 0 { ": " } else { ", " };
        alias_doc += &format!("{separator}{ordinal} `{}`", index.name);
    }
    alias_doc += ".";
    let code = quote! {
        #handles

        #[doc = #alias_doc]
        #[allow(dead_code)]
        #visibility type #alias = <#ident as #krate::Object>::IndexTrees;

        #[allow(non_snake_case, unused_qualifications)]
        const _: () = {
            use #krate::__private as __groove;
            #aliases
            #fields
            #indexes
            #limbs

            #(#index_from_object)*

            #[automatically_derived]
            impl __groove::Object for #ident {
                #schema
                #row_functions
                #tree_items
            }
        };
    };
    let expansion = groove.expansion.then(|| expansion(groove, &code));
    quote!(#code #expansion)
}

/// The code as a constant, for who wants to read it or to notice when it changes.
fn expansion(groove: &Groove<'_>, code: &TokenStream) -> TokenStream {
    let Groove { visibility, ident, .. } = groove;
    let text = text::lines(code.clone());
    let doc = format!(" What `derive(Groove)` writes for [`{ident}`], as text.");
    quote! {
        #[automatically_derived]
        #[allow(dead_code)]
        impl #ident {
            #[doc = #doc]
            #visibility const EXPANSION: &'static ::core::primitive::str = #text;
        }
    }
}
