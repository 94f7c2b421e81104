//! The associated constants of `impl Object`: the schema and the width of a row.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::{Groove, Index, Kind, Source, number, plain};

/// `SCHEMA` and `ROW_WIDTH`.
pub(super) fn expand(groove: &Groove<'_>) -> TokenStream {
    let Groove { krate, name, orphaned_ids, .. } = groove;
    let timestamp = plain(&groove.timestamp);
    let end = number(groove.fields.len());
    let fields = groove.fields.iter().enumerate().map(|(position, field)| {
        let (name, field_type) = (plain(field.ident), field.field_type);
        let position = number(position);
        quote! {
            #krate::FieldSchema {
                name: #name,
                field_type: <#field_type as #krate::Field>::TYPE,
                width: <#field_type as #krate::Field>::WIDTH,
                offset: __OFFSETS[#position],
            }
        }
    });
    let indexes =
        groove.indexes.iter().enumerate().map(|(ordinal, index)| of_index(groove, ordinal, index));
    quote! {
        const SCHEMA: &'static #krate::Schema = &#krate::Schema {
            name: #name,
            timestamp: #timestamp,
            fields: &[#(#fields),*],
            indexes: &[#(#indexes),*],
            orphaned_ids: #orphaned_ids,
        };
        const ROW_WIDTH: ::core::primitive::usize = __OFFSETS[#end];
    }
}

fn of_index(groove: &Groove<'_>, ordinal: usize, index: &Index<'_>) -> TokenStream {
    let krate = &groove.krate;
    let Index { name, optional, .. } = index;
    let ordinal = number(ordinal);
    let kind = match index.kind {
        Kind::Primary => quote!(Primary),
        Kind::Unique => quote!(Unique),
        Kind::NonUnique => quote!(NonUnique),
    };
    let source = match &index.source {
        Source::Field(field) => {
            let field = plain(field.ident);
            quote!(Fields(&[#field]))
        }
        Source::Compound(parts, _) => {
            let parts = parts.iter().map(|part| plain(part.ident));
            quote!(Fields(&[#(#parts),*]))
        }
        Source::Derived(derived) => {
            let key = &derived.key;
            let version = Literal::u32_unsuffixed(derived.version);
            quote! {
                Derived { field_type: <#key as #krate::Field>::TYPE, version: #version }
            }
        }
    };
    quote! {
        #krate::IndexSchema {
            name: #name,
            kind: #krate::IndexKind::#kind,
            optional: #optional,
            key_width: __KEY_WIDTHS[#ordinal],
            source: #krate::IndexSource::#source,
        }
    }
}
