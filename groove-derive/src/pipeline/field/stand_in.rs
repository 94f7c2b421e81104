//! What takes the place of the impls when there are mistakes, so that objects with such a field get
//! no errors of their own. It is never run, as the build fails anyway.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Path};

/// `Field`, `IndexKey` and `OptionalKey` with empty bodies.
pub(crate) fn expand(krate: &Path, input: &DeriveInput) -> TokenStream {
    if !input.generics.params.is_empty() {
        return TokenStream::new();
    }
    let ident = &input.ident;
    let never = quote!(::core::unreachable!());
    quote! {
        #[automatically_derived]
        impl #krate::Field for #ident {
            const WIDTH: ::core::primitive::usize = 0;
            const TYPE: #krate::FieldType = #krate::FieldType::Bool;
            fn write(&self, _: &mut [::core::primitive::u8]) { #never }
            fn read(
                _: &[::core::primitive::u8],
            ) -> ::core::result::Result<Self, #krate::InvalidValue> { #never }
            fn describe(&self, _: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result { #never }
        }
        #[automatically_derived]
        impl #krate::IndexKey for #ident {
            const KEY_WIDTH: ::core::primitive::usize = 0;
            fn write_key(&self, _: &mut [::core::primitive::u8]) { #never }
        }
        #[automatically_derived]
        impl #krate::OptionalKey for #ident {
            fn is_absent(&self) -> ::core::primitive::bool { #never }
        }
    }
}
