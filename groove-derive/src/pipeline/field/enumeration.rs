//! An enum without data, stored as its discriminant.
//!
//! Discriminants are expressions that only the compiler can evaluate: the expansion lists them as a
//! constant, and functions of `groove` take the width and the sign from there.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens, quote};
use syn::{Attribute, DataEnum, DeriveInput, Fields, Path};

use super::errors::Errors;
use super::{options, plain, spelling, symbol};

/// An enum whose variants have no data; there is at least one.
pub(crate) struct Enumeration<'a> {
    ident: &'a Ident,
    variants: Vec<&'a Ident>,
    /// Bytes, if `repr` says how many.
    width: Option<usize>,
}

/// Integers that `repr` can name, with their width in bytes.
const REPRS: [(&str, usize); 8] =
    [("u8", 1), ("i8", 1), ("u16", 2), ("i16", 2), ("u32", 4), ("i32", 4), ("u64", 8), ("i64", 8)];

/// Checks that no variant has data.
pub(crate) fn parse<'a>(
    input: &'a DeriveInput,
    data: &'a DataEnum,
    errors: &mut Errors,
) -> Option<Enumeration<'a>> {
    let ident = &input.ident;
    if data.variants.is_empty() {
        errors.push(ident, format!("`{ident}` has no variants, so that no field can have a value"));
        return None;
    }
    for variant in &data.variants {
        let name = &variant.ident;
        let message = match &variant.fields {
            Fields::Unit => continue,
            fields if fields.is_empty() => {
                format!("write `{name}`: a variant of a field type has no data and no brackets")
            }
            _ => format!(
                "`{name}` has data, and variants of different widths do not fit into one column; \
                 store the data in fields of the object, each an `Option`"
            ),
        };
        errors.push(&variant.fields, message);
    }
    let variants = data.variants.iter().map(|variant| &variant.ident).collect();
    Some(Enumeration { ident, variants, width: repr_width(&input.attrs, errors) })
}

/// The width that `#[repr(u8)]` and the like ask for.
fn repr_width(attributes: &[Attribute], errors: &mut Errors) -> Option<usize> {
    let mut width = None;
    for attribute in attributes.iter().filter(|attribute| *attribute.path() == symbol::REPR) {
        for entry in options::of_attribute(attribute, errors) {
            let word = &entry.word;
            if let Some((_, bytes)) = REPRS.iter().find(|(name, _)| word == name) {
                width = Some(*bytes);
            } else if word == "usize" || word == "isize" || word == "u128" || word == "i128" {
                let names: Vec<_> = REPRS.iter().map(|(name, _)| *name).collect();
                let message = format!(
                    "`repr({word})` is no width that a file can have; write one of {}",
                    spelling::list(&names)
                );
                errors.push(word, message);
            }
        }
    }
    width
}

/// The impls of `Field` and `IndexKey`.
pub(crate) fn expand(krate: &Path, enumeration: &Enumeration<'_>) -> TokenStream {
    let Enumeration { ident, variants, width } = enumeration;
    let name = plain(ident);
    let names: Vec<_> = variants.iter().map(|variant| plain(variant)).collect();
    let positions = (0..variants.len()).map(Literal::usize_unsuffixed);
    let width = match width {
        Some(bytes) => Literal::usize_unsuffixed(*bytes).to_token_stream(),
        None => quote!(#krate::__private::discriminant_width(__VARIANTS)),
    };
    quote! {
        const _: () = {
            const __VARIANTS: #krate::__private::Variants =
                &[#((#names, #ident::#variants as ::core::primitive::i128)),*];

            fn __discriminant(value: &#ident) -> ::core::primitive::i128 {
                match value {
                    #(#ident::#variants => #ident::#variants as ::core::primitive::i128,)*
                }
            }

            #[automatically_derived]
            impl #krate::Field for #ident {
                const WIDTH: ::core::primitive::usize = #width;
                const TYPE: #krate::FieldType = #krate::FieldType::Enum(#name, __VARIANTS);
                fn write(&self, out: &mut [::core::primitive::u8]) {
                    #krate::__private::write_discriminant(
                        __discriminant(self),
                        <#ident as #krate::Field>::WIDTH,
                        out,
                    );
                }
                fn read(
                    bytes: &[::core::primitive::u8],
                ) -> ::core::result::Result<Self, #krate::InvalidValue> {
                    let width = <#ident as #krate::Field>::WIDTH;
                    match #krate::__private::variant_position(bytes, width, __VARIANTS) {
                        #(::core::option::Option::Some(#positions) => {
                            ::core::result::Result::Ok(#ident::#variants)
                        })*
                        _ => ::core::result::Result::Err(#krate::InvalidValue::of::<#ident>()),
                    }
                }
                fn describe(
                    &self,
                    formatter: &mut ::core::fmt::Formatter<'_>,
                ) -> ::core::fmt::Result {
                    ::core::fmt::Formatter::write_str(
                        formatter,
                        match self {
                            #(#ident::#variants => #names,)*
                        },
                    )
                }
            }

            #[automatically_derived]
            impl #krate::IndexKey for #ident {
                const KEY_WIDTH: ::core::primitive::usize = <#ident as #krate::Field>::WIDTH;
                fn write_key(&self, out: &mut [::core::primitive::u8]) {
                    #krate::__private::write_discriminant_key(
                        __discriminant(self),
                        <#ident as #krate::Field>::WIDTH,
                        __VARIANTS,
                        out,
                    );
                }
            }
        };
    }
}
