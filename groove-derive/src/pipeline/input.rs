//! The shapes that a derive accepts.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{Attribute, Data, DeriveInput, Field, Fields, GenericParam, Token};

use super::errors::Errors;
use super::symbol;

/// What a derive calls the struct that it takes.
pub(crate) struct Noun {
    /// The derive's name.
    pub(crate) derive: &'static str,
    /// What the struct is, with its article.
    pub(crate) noun: &'static str,
    /// What its fields are.
    pub(crate) fields: &'static str,
}

/// The fields of a struct with named fields, of which there is at least one.
pub(crate) fn named_fields<'a>(
    input: &'a DeriveInput,
    noun: &Noun,
    errors: &mut Errors,
) -> Option<&'a Punctuated<Field, Token![,]>> {
    let ident = &input.ident;
    let Noun { derive, noun, fields: what } = noun;
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) if fields.named.is_empty() => {
                errors.push(fields, format!("`{ident}` has no fields; {noun} needs {what}"));
                None
            }
            Fields::Named(fields) => Some(&fields.named),
            Fields::Unnamed(fields) => {
                let message = format!(
                    "the fields of {noun} need names: write `struct {ident} {{ name: Type, … }}`"
                );
                errors.push(fields, message);
                None
            }
            Fields::Unit => {
                let message = format!(
                    "`{ident}` has no fields; {noun} needs {what}: write `struct {ident} {{ … }}`"
                );
                errors.push(ident, message);
                None
            }
        },
        Data::Enum(data) => {
            let way_out = match *derive {
                "Groove" => "; an enum without data can be a field of one by `#[derive(Field)]`",
                _ => "",
            };
            let message = format!("`{ident}` is an enum and {noun} is a struct{way_out}");
            errors.push(data.enum_token, message);
            None
        }
        Data::Union(data) => {
            errors.push(data.union_token, format!("`{ident}` is a union and {noun} is a struct"));
            None
        }
    }
}

/// Checks that the input has no parameters and no `where` clause.
pub(crate) fn no_generics(input: &DeriveInput, noun: &str, errors: &mut Errors) {
    for parameter in &input.generics.params {
        let message = match parameter {
            GenericParam::Lifetime(lifetime) => {
                let lifetime = &lifetime.lifetime;
                format!("{noun} owns its values: remove the lifetime `{lifetime}`")
            }
            GenericParam::Type(generic) => {
                let generic = &generic.ident;
                format!(
                    "{noun} has no type parameters, as the file's schema is fixed: write a type \
                     in place of `{generic}`"
                )
            }
            GenericParam::Const(generic) => {
                let generic = &generic.ident;
                format!(
                    "{noun} has no const parameters, as the file's schema is fixed: write a \
                     number in place of `{generic}`"
                )
            }
        };
        errors.push(parameter, message);
    }
    if let (true, Some(clause)) = (input.generics.params.is_empty(), &input.generics.where_clause) {
        errors.push(clause, format!("{noun} has no `where` clause; remove it"));
    }
}

/// Checks that no attribute makes a field depend on the build.
pub(crate) fn no_cfg(attributes: &[Attribute], ident: &Ident, errors: &mut Errors) {
    for attribute in attributes.iter().filter(|attribute| *attribute.path() == symbol::CFG) {
        let message = format!(
            "`{ident}` depends on the build, the file's schema does not: write two structs, each \
             under its own `#[cfg]`"
        );
        errors.push(attribute.to_token_stream(), message);
    }
}
