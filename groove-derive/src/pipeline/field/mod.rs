//! `#[derive(Field)]`: an enum without data, or a struct around one value, as the type of a field.

mod enumeration;
mod newtype;
mod stand_in;

use proc_macro2::TokenStream;
use syn::{Data, DeriveInput, Path};

use super::{errors, input, names, options, spelling, symbol, types};
use errors::Errors;
use names::plain;
use options::Meant;

/// Parse, check, expand; the stand-in if there are mistakes.
pub(crate) fn run(input: &DeriveInput, errors: &mut Errors) -> TokenStream {
    let krate = crate_path(input, errors);
    input::no_generics(input, "a field type", errors);
    let code = match &input.data {
        Data::Enum(data) => enumeration::parse(input, data, errors)
            .map(|enumeration| enumeration::expand(&krate, &enumeration)),
        Data::Struct(data) => newtype::parse(input, &data.fields, errors)
            .map(|newtype| newtype::expand(&krate, &newtype)),
        Data::Union(data) => {
            let ident = &input.ident;
            let message = format!(
                "`{ident}` is a union and a field type is an enum without data or a struct around \
                 one value"
            );
            errors.push(data.union_token, message);
            None
        }
    };
    match code {
        Some(code) if errors.is_empty() => code,
        _ => stand_in::expand(&krate, input),
    }
}

/// The one option there is.
fn crate_path(input: &DeriveInput, errors: &mut Errors) -> Path {
    let mut krate = None;
    for attribute in &input.attrs {
        if *attribute.path() != symbol::GROOVE {
            continue;
        }
        for entry in options::of_attribute(attribute, errors) {
            if let Meant::Known(_) = entry.meant("a field type", &[symbol::CRATE], errors) {
                let value = entry.assigned(options::CRATE_FORM, errors);
                options::set(&mut krate, &entry.word, value, errors);
            }
        }
    }
    options::crate_path(krate.as_ref())
}
