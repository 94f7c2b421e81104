//! A forest as its expansion needs it.

use proc_macro2::Ident;
use quote::format_ident;
use syn::{DeriveInput, GenericArgument, Path, PathArguments, Type, Visibility};

use super::errors::Errors;
use super::input::{self, Noun};
use super::names::plain;
use super::options::Meant;
use super::{options, symbol, types};

/// A struct of grooves.
pub(crate) struct Forest<'a> {
    pub(crate) krate: Path,
    pub(crate) visibility: &'a Visibility,
    pub(crate) ident: &'a Ident,
    /// The name of the struct of snapshots.
    pub(crate) snapshot: Ident,
    pub(crate) grooves: Vec<Groove<'a>>,
}

/// One groove of a forest.
pub(crate) struct Groove<'a> {
    pub(crate) visibility: &'a Visibility,
    pub(crate) ident: &'a Ident,
    /// The `O` of `Groove<O>`.
    pub(crate) object: &'a Type,
    /// The name under which the file stores it.
    pub(crate) name: String,
}

const NOUN: Noun =
    Noun { derive: "Forest", noun: "a forest", fields: "a field `name: Groove<Object>`" };

/// Reads a struct of grooves; nothing if it is something else.
pub(crate) fn forest<'a>(input: &'a DeriveInput, errors: &mut Errors) -> Option<Forest<'a>> {
    input::no_generics(input, NOUN.noun, errors);
    let fields = input::named_fields(input, &NOUN, errors)?;
    let (krate, snapshot) = struct_options(input, errors);
    let mut grooves: Vec<Groove<'a>> = Vec::new();
    for field in fields {
        let Some(ident) = &field.ident else { continue };
        input::no_cfg(&field.attrs, ident, errors);
        let Some(groove) = groove(field, ident, errors) else { continue };
        if let Some(other) = grooves.iter().find(|other| other.name == groove.name) {
            let message = format!(
                "the file has `{}` for the groove `{}` already; give this one another name: \
                 `#[groove(name = \"…\")]`",
                other.name, other.ident
            );
            errors.push(ident, message);
        }
        grooves.push(groove);
    }
    if !input.generics.params.is_empty() {
        return None;
    }
    Some(Forest { krate, visibility: &input.vis, ident: &input.ident, snapshot, grooves })
}

/// The path of the crate, and the name of the struct of snapshots.
fn struct_options(input: &DeriveInput, errors: &mut Errors) -> (Path, Ident) {
    let (mut krate, mut snapshot) = (None, None);
    for attribute in &input.attrs {
        if *attribute.path() != symbol::GROOVE {
            continue;
        }
        for entry in options::of_attribute(attribute, errors) {
            match entry.meant("a forest", &[symbol::SNAPSHOT, symbol::CRATE], errors) {
                Meant::Known(symbol::CRATE) => {
                    let value = entry.assigned(options::CRATE_FORM, errors);
                    options::set(&mut krate, &entry.word, value, errors);
                }
                Meant::Known(_) => {
                    let value = entry.assigned("snapshot = LedgerSnapshot", errors);
                    options::set(&mut snapshot, &entry.word, value, errors);
                }
                // The name of the snapshots matters: they are mentioned elsewhere.
                Meant::Guessed(symbol::SNAPSHOT) => {
                    snapshot = entry.assigned("", &mut Errors::default());
                }
                Meant::Guessed(_) | Meant::Unknown => {}
            }
        }
    }
    let ident = &input.ident;
    let named = || format_ident!("{}Snapshot", plain(ident), span = ident.span());
    (options::crate_path(krate.as_ref()), snapshot.unwrap_or_else(named))
}

fn groove<'a>(field: &'a syn::Field, ident: &'a Ident, errors: &mut Errors) -> Option<Groove<'a>> {
    let mut name = None;
    for attribute in &field.attrs {
        if *attribute.path() == symbol::INDEX {
            errors.push(attribute, "an index goes on a field of the object, not of the forest");
        }
        if *attribute.path() != symbol::GROOVE {
            continue;
        }
        for entry in options::of_attribute(attribute, errors) {
            if let Meant::Known(_) = entry.meant("a groove of a forest", &[symbol::NAME], errors) {
                let value = entry.name(errors);
                options::set(&mut name, &entry.word, value, errors);
            }
        }
    }
    Some(Groove {
        visibility: &field.vis,
        ident,
        object: object_type(ident, &field.ty, errors)?,
        name: name.map_or_else(|| plain(ident), |name| name.value()),
    })
}

/// The `O` of `Groove<O>`, under whatever name `Groove` was imported.
fn object_type<'a>(ident: &Ident, field_type: &'a Type, errors: &mut Errors) -> Option<&'a Type> {
    if let Type::Group(group) = field_type {
        return object_type(ident, &group.elem, errors);
    }
    let argument = only_argument(field_type);
    if let (Some(object), false) = (argument, types::is_container(field_type)) {
        return Some(object);
    }
    let written = types::text(argument.unwrap_or(field_type));
    let message = match field_type {
        _ if types::is_scalar(argument.unwrap_or(field_type)) => format!(
            "a field of a forest is a groove of objects, `Groove<Object>`; keep `{ident}` elsewhere"
        ),
        Type::Path(_) => {
            format!("a field of a forest is a groove of objects; write `Groove<{written}>`")
        }
        _ => {
            format!("a field of a forest is a groove of objects, `Groove<Object>`, not `{written}`")
        }
    };
    errors.push(field_type, message);
    None
}

/// The `T` of `Name<T>`.
fn only_argument(written: &Type) -> Option<&Type> {
    let Type::Path(path) = written else { return None };
    let PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else {
        return None;
    };
    match (arguments.args.len(), arguments.args.first()) {
        (1, Some(GenericArgument::Type(argument))) => Some(argument),
        _ => None,
    }
}
