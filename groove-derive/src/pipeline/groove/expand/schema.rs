//! The schema, and the table of the indexes that it is made from.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::{Groove, Index, Kind, Source, keys, number, plain};

/// `SCHEMA` and `ROW_WIDTH`.
pub(super) fn expand(groove: &Groove<'_>) -> TokenStream {
    let Groove { name, orphaned_ids, .. } = groove;
    let timestamp = plain(&groove.timestamp);
    let end = number(groove.fields.len());
    let indexes = match groove.indexes.is_empty() {
        true => quote!(&[]),
        false => quote!(&__INDEXES),
    };
    quote! {
        const SCHEMA: &'static __groove::Schema = &__groove::Schema {
            name: #name,
            timestamp: #timestamp,
            fields: &__FIELDS,
            indexes: #indexes,
            orphaned_ids: #orphaned_ids,
        };
        const ROW_WIDTH: __groove::usize = __OFFSETS[#end];
    }
}

/// The table of the indexes, in the order of their trees.
pub(super) fn indexes(groove: &Groove<'_>) -> TokenStream {
    if groove.indexes.is_empty() {
        return TokenStream::new();
    }
    let count = number(groove.indexes.len());
    let indexes =
        groove.indexes.iter().enumerate().map(|(ordinal, index)| of_index(groove, ordinal, index));
    quote! {
        const __INDEXES: [__groove::IndexSchema; #count] = [#(#indexes),*];
    }
}

fn of_index(groove: &Groove<'_>, ordinal: usize, index: &Index<'_>) -> TokenStream {
    let name = &index.name;
    let width = keys::width(groove, ordinal);
    let fields = match &index.source {
        Source::Field(field) => vec![plain(field.ident)],
        Source::Compound(parts, _) => parts.iter().map(|part| plain(part.ident)).collect(),
        Source::Derived(derived) => {
            let (key, version) = (&derived.key, Literal::u32_unsuffixed(derived.version));
            return quote! {
                __groove::IndexSchema::derived(
                    #name,
                    #width,
                    <#key as __groove::Field>::TYPE,
                    #version,
                )
            };
        }
    };
    let kind = match index.kind {
        Kind::Primary => quote!(primary),
        Kind::Unique => quote!(unique),
        Kind::NonUnique => quote!(non_unique),
    };
    let optional = index.optional.then(|| quote!(.optional()));
    quote!(__groove::IndexSchema::#kind(#name, #width, &[#(#fields),*]) #optional)
}
