//! The schema: a table of the fields and a table of the indexes.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::{Groove, Index, Kind, Source, keys, number, plain};

/// `SCHEMA` and `ROW_WIDTH`.
pub(super) fn expand(groove: &Groove<'_>) -> TokenStream {
    let Groove { krate, name, orphaned_ids, .. } = groove;
    let timestamp = plain(&groove.timestamp);
    let end = number(groove.fields.len());
    let fields = groove.fields.iter().enumerate().map(|(position, field)| {
        let (name, field_type) = (plain(field.ident), field.field_type);
        let position = number(position);
        quote! {
            #krate::FieldSchema::at(
                #name,
                <#field_type as #krate::Field>::TYPE,
                &__OFFSETS,
                #position,
            )
        }
    });
    let indexes = match groove.indexes.is_empty() {
        true => quote!(&[]),
        false => quote!(&__INDEXES),
    };
    quote! {
        const SCHEMA: &'static #krate::Schema = &#krate::Schema {
            name: #name,
            timestamp: #timestamp,
            fields: &[#(#fields),*],
            indexes: #indexes,
            orphaned_ids: #orphaned_ids,
        };
        const ROW_WIDTH: ::core::primitive::usize = __OFFSETS[#end];
    }
}

/// The table of the indexes, in the order of their trees.
pub(super) fn indexes(groove: &Groove<'_>) -> TokenStream {
    let krate = &groove.krate;
    if groove.indexes.is_empty() {
        return TokenStream::new();
    }
    let count = number(groove.indexes.len());
    let indexes =
        groove.indexes.iter().enumerate().map(|(ordinal, index)| of_index(groove, ordinal, index));
    quote! {
        const __INDEXES: [#krate::IndexSchema; #count] = [#(#indexes),*];
    }
}

fn of_index(groove: &Groove<'_>, ordinal: usize, index: &Index<'_>) -> TokenStream {
    let krate = &groove.krate;
    let name = &index.name;
    let width = keys::width(groove, ordinal);
    let fields = match &index.source {
        Source::Field(field) => vec![plain(field.ident)],
        Source::Compound(parts, _) => parts.iter().map(|part| plain(part.ident)).collect(),
        Source::Derived(derived) => {
            let (key, version) = (&derived.key, Literal::u32_unsuffixed(derived.version));
            return quote! {
                #krate::IndexSchema::derived(
                    #name,
                    #width,
                    <#key as #krate::Field>::TYPE,
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
    quote!(#krate::IndexSchema::#kind(#name, #width, &[#(#fields),*]) #optional)
}
