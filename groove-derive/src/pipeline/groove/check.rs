//! The rules that more than one attribute or field takes part in, one function per rule. The result
//! is a legal groove; after a mistake it is the nearest one that can be named in a stand-in.

use proc_macro2::{Ident, Span};
use syn::Attribute;

use super::errors::Errors;
use super::model::{Field, Groove, Index, Kind, Source};
use super::names::plain;
use super::options;
use super::parse::{self, IndexMark, Object};
use super::parse_options::Rest;
use super::{check_names, spelling, types};

/// The fields that a compound index can have.
const COMPOUND_PARTS: std::ops::RangeInclusive<usize> = 2..=4;

/// Checks the rules and builds the model.
pub(crate) fn groove<'a>(object: &'a Object<'a>, errors: &mut Errors) -> Groove<'a> {
    let timestamp = timestamp(object, errors);
    let is_timestamp = |field: &&parse::Field<'_>| *field.ident == timestamp;
    // Of what an unreadable option means for the fields nothing can be said.
    let rest = object.options.rest.or(object.options.unreadable.then_some(None));

    let mut indexes = Vec::new();
    let mut fields = Vec::new();
    for parsed in object.fields.iter().filter(|field| !is_timestamp(field)) {
        let field = Field {
            visibility: &parsed.field.vis,
            ident: parsed.ident,
            field_type: &parsed.field.ty,
        };
        fields.push(field);
        let storable = types::check(field.field_type, errors);
        let index = field_index(parsed, field, rest, errors);
        indexes.extend(index.filter(|_| storable));
    }
    one_primary(object, errors);
    orphaned_ids_need_a_primary(object, errors);
    indexes.extend(compound_indexes(object, &timestamp, &fields, errors));
    indexes.extend(derived_indexes(object, errors));
    let indexes = check_names::distinct(object, &timestamp, indexes, errors);

    Groove {
        krate: options::crate_path(object.options.krate.as_ref()),
        visibility: &object.input.vis,
        ident: &object.input.ident,
        name: match &object.options.name {
            Some(name) => name.value(),
            None => plain(&object.input.ident),
        },
        timestamp,
        fields,
        indexes,
        orphaned_ids: object.options.orphaned_ids.is_some(),
        expansion: object.options.expansion.is_some(),
    }
}

/// The timestamp is a `u64` field, named `timestamp` or by `timestamp = field`. It is the key of
/// the object tree, so that it needs no mark.
fn timestamp(object: &Object<'_>, errors: &mut Errors) -> Ident {
    let named = object.options.timestamp.as_ref();
    let name = named.map_or_else(|| "timestamp".to_owned(), plain);
    let find = |name: &str| object.fields.iter().find(|field| plain(field.ident) == name);
    let Some(field) = find(&name) else {
        no_timestamp(object, named, errors);
        // The field that is likely meant: that it bears no mark is no second mistake.
        let meant =
            named.and_then(|named| find(&spelling::nearest(&plain(named), &names(object))?));
        return meant.map_or_else(
            || Ident::new("timestamp", Span::call_site()),
            |field| field.ident.clone(),
        );
    };
    let timestamp = field.ident;
    if !types::is_primitive(&field.field.ty, "u64") {
        let message = format!("`{timestamp}` is the timestamp and is not a `u64`; write `u64`");
        errors.push(&field.field.ty, message);
    }
    if let Some(mark) = &field.index {
        let message = format!(
            "`{timestamp}` is the timestamp, the key of every object, and takes no `index`; \
             remove it"
        );
        errors.push(&mark.at, message);
    }
    if let Some(ignore) = &field.ignore {
        let message = format!(
            "`{timestamp}` is the timestamp, the key of every object, and takes no `ignore`; \
             remove it"
        );
        errors.push(ignore, message);
    }
    timestamp.clone()
}

fn no_timestamp(object: &Object<'_>, named: Option<&Ident>, errors: &mut Errors) {
    let object_name = &object.input.ident;
    match named {
        Some(named) => {
            let message = format!("`{object_name}` has no field `{named}`");
            errors.push(named, with_nearest(message, named, object));
        }
        None => {
            let candidate = likely_timestamp(object).unwrap_or_else(|| "field".to_owned());
            let message = format!(
                "`{object_name}` has no timestamp; add a field `timestamp: u64`, or name the \
                 field that is one: `#[groove(timestamp = {candidate})]`"
            );
            errors.push(object_name, message);
        }
    }
}

/// A `u64` without an index, and with a name of a time.
fn likely_timestamp(object: &Object<'_>) -> Option<String> {
    let is_time =
        |name: &str| name == "ts" || name == "at" || name.ends_with("_at") || name.contains("time");
    let mut fields = object.fields.iter().filter(|field| field.index.is_none());
    let field = fields
        .find(|field| types::is_primitive(&field.field.ty, "u64") && is_time(&plain(field.ident)));
    field.map(|field| plain(field.ident))
}

fn names(object: &Object<'_>) -> Vec<String> {
    object.fields.iter().map(|field| plain(field.ident)).collect()
}

/// `message`, and the field that `written` most likely stands for.
fn with_nearest(message: String, written: &Ident, object: &Object<'_>) -> String {
    let names = names(object);
    match spelling::nearest(&plain(written), &names) {
        Some(nearest) => format!("{message}; did you mean `{nearest}`?"),
        None => format!("{message}; its fields are {}", spelling::list(&names)),
    }
}

/// A field is either indexed or ignored, and says which: an index costs a tree, and a field that is
/// left out by oversight is found only when it is asked for.
fn field_index<'a>(
    parsed: &'a parse::Field<'a>,
    field: Field<'a>,
    rest: Option<Option<Rest>>,
    errors: &mut Errors,
) -> Option<Index<'a>> {
    let ident = parsed.ident;
    match (&parsed.index, &parsed.ignore) {
        (Some(mark), None) => Some(marked_index(mark, field, errors)),
        (Some(mark), Some(ignore)) => {
            let message = format!("`{ident}` is both indexed and ignored; remove one of the two");
            errors.push(ignore, message);
            Some(marked_index(mark, field, errors))
        }
        (None, Some(_)) => None,
        (None, None) if rest == Some(Some(Rest::Index)) => Some(Index {
            name: plain(ident),
            handle: handle(&plain(ident), ident.span()),
            kind: Kind::NonUnique,
            optional: false,
            source: Source::Field(field),
        }),
        (None, None) => {
            if rest.is_none() && !parsed.unreadable {
                if let Some((attribute, meant)) = meant_as_mark(parsed) {
                    let message = format!(
                        "`#[{}]` is no attribute of a groove's field; write `#[{meant}]`",
                        attribute.path().require_ident().map(plain).unwrap_or_default()
                    );
                    errors.push(attribute.path(), message);
                    return None;
                }
                let message = format!(
                    "`{ident}` is neither indexed nor ignored; write `#[index]` or \
                     `#[groove(ignore)]` above it, or decide for all such fields with \
                     `#[groove(rest(ignore))]` on the struct"
                );
                errors.push(ident, message);
            }
            None
        }
    }
}

/// The attribute of an unmarked field that was likely meant as its mark: `#[unique]`, `#[indxe]`.
fn meant_as_mark<'a>(parsed: &'a parse::Field<'_>) -> Option<(&'a Attribute, String)> {
    const MARKS: [&str; 5] = ["index", "ignore", "primary", "unique", "optional"];
    parsed.field.attrs.iter().find_map(|attribute| {
        let written = attribute.path().get_ident()?;
        let mark = match spelling::nearest(&written.to_string(), &MARKS)?.as_str() {
            "index" => "index".to_owned(),
            "ignore" => "groove(ignore)".to_owned(),
            option => format!("index({option})"),
        };
        Some((attribute, mark))
    })
}

/// The primary key is unique and never absent: saying the first is redundant, denying the second is
/// impossible.
fn marked_index<'a>(mark: &IndexMark, field: Field<'a>, errors: &mut Errors) -> Index<'a> {
    if let (Some(_), Some(unique)) = (&mark.primary, &mark.unique) {
        errors.push(unique, "a primary key is unique already; remove `unique`");
    }
    if let (Some(_), Some(optional)) = (&mark.primary, &mark.optional) {
        errors.push(
            optional,
            "a primary key is never absent; remove `optional`, or write `#[index(unique, \
             optional)]`",
        );
    }
    let name = mark.name.as_ref().map_or_else(|| plain(field.ident), |name| name.value());
    Index {
        handle: handle(&name, field.ident.span()),
        name,
        kind: match (&mark.primary, &mark.unique) {
            (Some(_), _) => Kind::Primary,
            (None, Some(_)) => Kind::Unique,
            (None, None) => Kind::NonUnique,
        },
        optional: mark.optional.is_some(),
        source: Source::Field(field),
    }
}

/// `get`, `modify` and `remove` take one key.
fn one_primary(object: &Object<'_>, errors: &mut Errors) {
    let mut primaries = object.fields.iter().filter_map(|field| {
        let word = field.index.as_ref()?.primary.as_ref()?;
        Some((field.ident, word))
    });
    let Some((first, _)) = primaries.next() else { return };
    for (second, word) in primaries {
        let message = format!(
            "`{second}` is a second primary key, `{first}` is the first; write `#[index(unique)]`"
        );
        errors.push(word, message);
    }
}

/// An orphaned id is a primary key without an object.
fn orphaned_ids_need_a_primary(object: &Object<'_>, errors: &mut Errors) {
    let has_primary = object
        .fields
        .iter()
        .any(|field| field.index.as_ref().is_some_and(|mark| mark.primary.is_some()));
    if let (Some(word), false) = (&object.options.orphaned_ids, has_primary) {
        let message = "`orphaned_ids` needs a primary key; mark a field `#[index(primary)]`";
        errors.push(word, message);
    }
}

/// A compound index has 2 to 4 different fields. Every index ends with the timestamp anyway.
fn compound_indexes<'a>(
    object: &'a Object<'a>,
    timestamp: &Ident,
    fields: &[Field<'a>],
    errors: &mut Errors,
) -> Vec<Index<'a>> {
    let mut indexes = Vec::new();
    for compound in &object.options.compound {
        let name = plain(&compound.ident);
        let mut parts: Vec<Field<'a>> = Vec::new();
        let mut legal = true;
        for part in &compound.parts {
            let found = fields.iter().find(|field| plain(field.ident) == plain(part));
            if plain(part) == plain(timestamp) {
                let message = format!(
                    "`{part}` is the timestamp, with which every index ends anyway; remove it \
                     from `{name}`"
                );
                errors.push(part, message);
            } else if found.is_some_and(|field| parts.iter().any(|part| part.ident == field.ident))
            {
                errors.push(part, format!("`{part}` is in `{name}` twice; remove one"));
            } else if let Some(field) = found {
                parts.push(*field);
                continue;
            } else {
                let message = format!("`{}` has no field `{part}`", object.input.ident);
                errors.push(part, with_nearest(message, part, object));
            }
            legal = false;
        }
        if !COMPOUND_PARTS.contains(&compound.parts.len()) {
            let message = match compound.parts.as_slice() {
                [part] => format!(
                    "a compound index has 2 to 4 fields, `{name}` has one; write `#[index]` above \
                     `{part}`, or add a field"
                ),
                parts => {
                    format!("a compound index has 2 to 4 fields, `{name}` has {}", parts.len())
                }
            };
            errors.push(&compound.parentheses, message);
            legal = false;
        }
        if legal {
            indexes.push(Index {
                handle: handle(&name, compound.ident.span()),
                name,
                kind: Kind::NonUnique,
                optional: false,
                source: Source::Compound(parts, compound.parentheses.span()),
            });
        }
    }
    indexes
}

/// A derived index is left out where its function returns `None`.
fn derived_indexes<'a>(object: &'a Object<'a>, errors: &mut Errors) -> Vec<Index<'a>> {
    let mut indexes = Vec::new();
    for derived in &object.options.derived {
        if let Some(inner) = types::inside_option(&derived.key) {
            let message = format!(
                "objects for which the function returns `None` are left out already; write the \
                 type inside, `{}`",
                types::text(inner)
            );
            errors.push(&derived.key, message);
        } else if types::check(&derived.key, errors) {
            let name = plain(&derived.ident);
            indexes.push(Index {
                handle: handle(&name, derived.ident.span()),
                name,
                kind: Kind::NonUnique,
                optional: true,
                source: Source::Derived(derived),
            });
        }
    }
    indexes
}

/// The associated constant of an index: its name in capitals.
pub(crate) fn handle(name: &str, span: Span) -> Ident {
    Ident::new(&name.to_uppercase(), span)
}
