//! What takes the place of the impls when there are mistakes: the same names with empty bodies, so
//! that the mistakes are the only errors. It is never run, as the build fails anyway.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Path};

use super::{Groove, handle, handles, options, plain};

/// The stand-in for an input that is no struct with named fields.
pub(crate) fn stand_in(input: &DeriveInput) -> TokenStream {
    if !input.generics.params.is_empty() {
        return TokenStream::new();
    }
    object(&options::crate_path(None), &input.ident, quote!(::core::primitive::u64))
}

/// The stand-in for a struct: its handles, as far as they are known, and `impl Object`.
pub(crate) fn stand_in_of(groove: &Groove<'_>, input: &DeriveInput) -> TokenStream {
    if !input.generics.params.is_empty() {
        return TokenStream::new();
    }
    let Groove { krate, visibility, ident, .. } = groove;
    let handles = handles::of_indexes(groove);
    let fields = handles::of_fields(groove);
    let is_free = handle(&plain(&groove.timestamp), groove.timestamp.span()) != "SCHEMA";
    let timestamps = is_free.then(|| handles::of_timestamp(groove));
    let primary = match groove.primary() {
        Some(field) => {
            let field_type = field.field_type;
            quote!(#field_type)
        }
        None => quote!(::core::primitive::u64),
    };
    let object = object(krate, ident, primary);
    quote! {
        #[automatically_derived]
        #[allow(dead_code)]
        impl #ident {
            #handles
            #fields
            #timestamps
            #[doc(hidden)]
            #visibility const SCHEMA: &'static #krate::Schema = <#ident as #krate::Object>::SCHEMA;
        }
        #object
    }
}

fn object(krate: &Path, ident: &proc_macro2::Ident, primary: TokenStream) -> TokenStream {
    let never = quote!(::core::unreachable!());
    quote! {
        #[automatically_derived]
        #[allow(unused_qualifications)]
        impl #krate::Object for #ident {
            const SCHEMA: &'static #krate::Schema = &#krate::Schema {
                name: "",
                timestamp: "",
                fields: &[],
                indexes: &[],
                orphaned_ids: false,
            };
            const ROW_WIDTH: ::core::primitive::usize = 0;
            type Primary = #primary;
            type IndexTrees = ();
            fn timestamp(&self) -> ::core::primitive::u64 { #never }
            fn set_timestamp(&mut self, _: ::core::primitive::u64) { #never }
            fn write_row(&self, _: &mut [::core::primitive::u8]) { #never }
            fn read_row(
                _: ::core::primitive::u64,
                _: &[::core::primitive::u8],
            ) -> ::core::result::Result<Self, #krate::InvalidValue> { #never }
            fn open_trees(_: &mut #krate::__private::TreeOpener<'_>) -> Self::IndexTrees { #never }
            fn visit_trees(
                _: &mut Self::IndexTrees,
                _: &mut #krate::__private::TreeVisitor<'_>,
            ) { #never }
            fn unique_tree(
                _: &mut Self::IndexTrees,
                _: ::core::primitive::usize,
            ) -> ::core::option::Option<&mut dyn #krate::__private::AnyUniqueTree> { #never }
            fn check_insert(
                &self,
                _: &Self::IndexTrees,
            ) -> ::core::result::Result<(), #krate::InsertError> { #never }
            fn insert_entries(&self, _: &mut Self::IndexTrees, _: ::core::primitive::u64) { #never }
            fn remove_entries(&self, _: &mut Self::IndexTrees, _: ::core::primitive::u64) { #never }
            fn check_update(
                _: &Self,
                _: &Self,
                _: &Self::IndexTrees,
            ) -> ::core::result::Result<(), #krate::UpdateError> { #never }
            fn update_entries(
                _: &Self,
                _: &Self,
                _: &mut Self::IndexTrees,
                _: ::core::primitive::u64,
            ) { #never }
        }
    }
}
