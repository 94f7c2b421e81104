//! Names: no two indexes share one, and no two associated constants do.

use proc_macro2::Ident;
use quote::ToTokens;

use super::check::handle;
use super::errors::Errors;
use super::model::{Index, Source};
use super::names::plain;
use super::parse::Object;

/// The associated constant that holds the schema.
const SCHEMA: &str = "SCHEMA";
/// The one that holds the expansion, if it is asked for.
const EXPANSION: &str = "EXPANSION";

/// Checks that the names are distinct; what clashes is left out of the result.
pub(crate) fn distinct<'a>(
    object: &'a Object<'a>,
    timestamp: &Ident,
    indexes: Vec<Index<'a>>,
    errors: &mut Errors,
) -> Vec<Index<'a>> {
    let timestamp_handle = handle(&plain(timestamp), timestamp.span());
    if timestamp_handle == SCHEMA {
        let message = format!(
            "the handle of `{timestamp}` would be `{}::{SCHEMA}`, which is the schema; rename the \
             field",
            object.input.ident
        );
        errors.push(timestamp, message);
    }
    let mut kept: Vec<Index<'a>> = Vec::new();
    for index in indexes {
        let taken_by = match &index.handle {
            handle if *handle == SCHEMA => Some("the schema".to_owned()),
            handle if *handle == EXPANSION && object.options.expansion.is_some() => {
                Some("the expansion".to_owned())
            }
            handle if *handle == timestamp_handle => Some("the handle of the timestamp".to_owned()),
            handle => kept
                .iter()
                .find(|other| other.handle == *handle)
                .map(|other| format!("the handle of index `{}`", other.name)),
        };
        let at = written(&index, object);
        if is_named_as_a_field(&index, object) {
            let what = match index.source {
                Source::Derived(_) => "a derived index",
                _ => "a compound index",
            };
            let name = &index.name;
            errors.push(at, format!("`{name}` is a field; give {what} a name of its own"));
        } else if kept.iter().any(|other| other.name == index.name) {
            let message = format!(
                "a second index is named `{}`; {}",
                index.name,
                way_out(&index, "another name")
            );
            errors.push(at, message);
        } else if let Some(taken_by) = taken_by {
            let message = format!(
                "the handle of index `{}` would be `{}::{}`, which is {taken_by}; {}",
                index.name,
                object.input.ident,
                index.handle,
                way_out(&index, "another name"),
            );
            errors.push(at, message);
        } else {
            kept.push(index);
        }
    }
    kept
}

/// A compound or derived index that has the name of a field would read as an index on that field.
fn is_named_as_a_field(index: &Index<'_>, object: &Object<'_>) -> bool {
    !matches!(index.source, Source::Field(_))
        && object.fields.iter().any(|field| plain(field.ident) == index.name)
}

fn way_out(index: &Index<'_>, what: &str) -> String {
    match index.source {
        Source::Field(_) => format!("give it {what}: `#[index(name = \"…\")]`"),
        Source::Compound(..) | Source::Derived(_) => format!("give it {what}"),
    }
}

/// The tokens that name the index: `name = "…"` where that is written, the field's name otherwise.
fn written(index: &Index<'_>, object: &Object<'_>) -> proc_macro2::TokenStream {
    let Source::Field(field) = index.source else {
        return index.handle.to_token_stream();
    };
    let parsed = object.fields.iter().find(|parsed| parsed.ident == field.ident);
    let name = parsed.and_then(|parsed| parsed.index.as_ref()?.name.as_ref());
    name.map_or_else(|| field.ident.to_token_stream(), ToTokens::to_token_stream)
}
