//! The associated constants that a user names: one per index, the timestamp, the schema.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Visibility;

use crate::pipeline::errors::Errors;

use super::{Field, Groove, Index, Kind, Source, handle, number, plain, types};

/// The inherent impl.
pub(crate) fn expand(groove: &Groove<'_>) -> TokenStream {
    let Groove { krate, visibility, ident, .. } = groove;
    let handles = of_indexes(groove);
    let fields = of_fields(groove);
    let timestamps = of_timestamp(groove);
    let schema_doc = format!(
        " What the file stores about [`{ident}`]: its fields with their types and widths, its \
         indexes with their kinds. Prints as a table, with the bytes of each tree."
    );
    quote! {
        #[automatically_derived]
        #[allow(dead_code)]
        impl #ident {
            #handles
            #fields
            #timestamps
            #[doc = #schema_doc]
            #visibility const SCHEMA: &'static #krate::Schema = <#ident as #krate::Object>::SCHEMA;
        }
    }
}

/// The handles of the indexes, numbered as their trees are.
pub(crate) fn of_indexes(groove: &Groove<'_>) -> TokenStream {
    let handles = groove.indexes.iter().enumerate().map(|(ordinal, index)| {
        let Groove { krate, visibility, ident, .. } = groove;
        let ordinal = number(ordinal);
        let handle = &index.handle;
        let key = index.key();
        let doc = doc(groove, index);
        let kind = match index.kind.is_unique() {
            true => quote!(UniqueIndex),
            false => quote!(Index),
        };
        let visibility = at(visibility, handle);
        quote_spanned! {at_field(handle)=>
            #[doc = #doc]
            #visibility const #handle: #krate::#kind<#ident, #key> = #krate::#kind::new(#ordinal);
        }
    });
    quote!(#(#handles)*)
}

/// The handles of the fields that no index is on, numbered as the columns of a row. A name that is
/// taken already stays with whom it belongs to.
pub(crate) fn of_fields(groove: &Groove<'_>) -> TokenStream {
    let Groove { krate, visibility, ident, timestamp, .. } = groove;
    let handles = groove.fields.iter().enumerate().filter_map(|(ordinal, field)| {
        let indexed = groove.indexes.iter().any(|index| match index.source {
            Source::Field(indexed) => indexed.ident == field.ident,
            Source::Compound(..) | Source::Derived(_) => false,
        });
        let name = handle(&plain(field.ident), field.ident.span());
        let taken = name == "SCHEMA"
            || name == handle(&plain(timestamp), timestamp.span())
            || groove.indexes.iter().any(|index| index.handle == name);
        // What cannot be stored is reported where it stands, and only there.
        let storable = types::check(field.field_type, &mut Errors::default());
        if indexed || taken || !storable {
            return None;
        }
        let field_type = field.field_type;
        let ordinal = number(ordinal);
        let doc = format!(
            " The field `{}`, which no index is on: a condition on it is tested on the rows of the \
             objects that the other conditions leave.",
            field.ident
        );
        Some(quote! {
            #[doc = #doc]
            #[allow(private_interfaces)]
            #visibility const #name: #krate::Unindexed<#ident, #field_type> =
                #krate::Unindexed::new(#ordinal);
        })
    });
    quote!(#(#handles)*)
}

/// The handle of the timestamp, named after its field.
pub(crate) fn of_timestamp(groove: &Groove<'_>) -> TokenStream {
    let Groove { krate, visibility, ident, timestamp, .. } = groove;
    let name = handle(&plain(timestamp), timestamp.span());
    let doc = format!(
        " The timestamp, `{timestamp}`: the key of the object tree. A query reads one row per \
         object that it gives, and no index."
    );
    let visibility = at(visibility, &name);
    quote_spanned! {at_field(&name)=>
        #[doc = #doc]
        #visibility const #name: #krate::Timestamps<#ident> = #krate::Timestamps::new();
    }
}

/// The place of the field and the meaning of generated code: where the compiler shows an item that
/// clashes with one of the user's.
fn at_field(handle: &Ident) -> Span {
    handle.span().resolved_at(Span::call_site())
}

/// `visibility`, shown at the field.
fn at(visibility: &Visibility, handle: &Ident) -> TokenStream {
    let tokens = visibility.to_token_stream().into_iter();
    tokens
        .map(|mut token| {
            token.set_span(token.span().located_at(handle.span()));
            token
        })
        .collect()
}

/// The name of a field, as a link to its documentation where it has one.
fn link(groove: &Groove<'_>, field: &Field<'_>) -> String {
    let name = field.ident;
    let is_public = |visibility: &Visibility| matches!(visibility, Visibility::Public(_));
    let is_shown = is_public(field.visibility) || !is_public(groove.visibility);
    match is_shown && *name == plain(name) {
        true => format!("[`{name}`](field@Self::{name})"),
        false => format!("`{name}`"),
    }
}

/// What the index is on, what it promises and what a question to it costs.
fn doc(groove: &Groove<'_>, index: &Index<'_>) -> String {
    let absent = match (&index.source, index.optional) {
        (Source::Field(_), true) => " Objects in which it is absent are not in the index.",
        _ => "",
    };
    let on = match &index.source {
        Source::Field(field) => link(groove, field),
        Source::Compound(parts, _) => {
            let parts: Vec<_> = parts.iter().map(|part| link(groove, part)).collect();
            parts.join(", then ")
        }
        Source::Derived(_) => {
            format!("`{}`, which is computed from the object.", index.name)
                + " Objects for which it is `None` are not in the index."
        }
    };
    let stop = if matches!(index.source, Source::Derived(_)) { "" } else { "." };
    match index.kind {
        Kind::Primary => format!(
            " The primary key, {on}{stop} One object per key: `get` reads one entry and one row."
        ),
        Kind::Unique => format!(
            " The unique index on {on}{stop}{absent} At most one object per key: a lookup reads \
             one entry and one row."
        ),
        Kind::NonUnique => format!(
            " The index on {on}{stop}{absent} Any number of objects per key, in the order of \
             their timestamps: a query reads one entry and one row per object that it gives, a \
             count reads entries only."
        ),
    }
}
