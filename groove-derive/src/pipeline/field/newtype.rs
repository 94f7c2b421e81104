//! A struct around one value, stored and ordered as that value.
//!
//! A newtype is an index key if its inner type is, which the derive cannot know. The impl says so
//! in a `where` clause; it is quantified over an unused lifetime, as the compiler would otherwise
//! refuse a clause without parameters that does not hold.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{DeriveInput, Fields, Member, Path, Type};

use super::errors::Errors;
use super::{input, plain, types};

/// A struct of one field.
pub(crate) struct Newtype<'a> {
    ident: &'a Ident,
    member: Member,
    inner: &'a Type,
}

/// Checks that there is one field, and that its type can be stored.
pub(crate) fn parse<'a>(
    input: &'a DeriveInput,
    fields: &'a Fields,
    errors: &mut Errors,
) -> Option<Newtype<'a>> {
    let ident = &input.ident;
    let way_out =
        format!("write `struct {ident}(u64);`, or store the parts as fields of the object");
    let mut members = fields.members();
    let (Some(member), None) = (members.next(), members.next()) else {
        match fields.len() {
            0 => errors.push(
                ident,
                format!("a field type holds one value, `{ident}` has none; {way_out}"),
            ),
            many => {
                let message =
                    format!("a field type holds one value, `{ident}` has {many}; {way_out}");
                errors.push(fields, message);
            }
        }
        return None;
    };
    let field = fields.iter().next()?;
    input::no_cfg(&field.attrs, field.ident.as_ref().unwrap_or(ident), errors);
    types::check(&field.ty, errors).then_some(Newtype { ident, member, inner: &field.ty })
}

/// The impls of `Field`, and of `IndexKey` and `OptionalKey` where the inner type has them.
pub(crate) fn expand(krate: &Path, newtype: &Newtype<'_>) -> TokenStream {
    let Newtype { ident, member, inner } = newtype;
    let name = plain(ident);
    quote! {
        #[automatically_derived]
        impl #krate::Field for #ident {
            const WIDTH: ::core::primitive::usize = <#inner as #krate::Field>::WIDTH;
            const TYPE: #krate::FieldType =
                #krate::FieldType::Newtype(#name, &<#inner as #krate::Field>::TYPE);
            fn write(&self, out: &mut [::core::primitive::u8]) {
                <#inner as #krate::Field>::write(&self.#member, out);
            }
            fn read(
                bytes: &[::core::primitive::u8],
            ) -> ::core::result::Result<Self, #krate::InvalidValue> {
                ::core::result::Result::Ok(#ident {
                    #member: <#inner as #krate::Field>::read(bytes)?,
                })
            }
            fn describe(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                <#inner as #krate::Field>::describe(&self.#member, formatter)
            }
        }

        #[automatically_derived]
        impl #krate::IndexKey for #ident
        where
            for<'any> #inner: #krate::IndexKey,
        {
            const KEY_WIDTH: ::core::primitive::usize = <#inner as #krate::IndexKey>::KEY_WIDTH;
            fn write_key(&self, out: &mut [::core::primitive::u8]) {
                <#inner as #krate::IndexKey>::write_key(&self.#member, out);
            }
        }

        #[automatically_derived]
        impl #krate::OptionalKey for #ident
        where
            for<'any> #inner: #krate::OptionalKey,
        {
            fn is_absent(&self) -> ::core::primitive::bool {
                <#inner as #krate::OptionalKey>::is_absent(&self.#member)
            }
        }
    }
}
