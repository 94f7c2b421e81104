//! `#[groove(…)]` on the struct.

use proc_macro2::{Ident, TokenStream};
use syn::parse::ParseStream;
use syn::{DeriveInput, LitInt, LitStr, Path, Token, Type, parenthesized};

use super::errors::Errors;
use super::model::Derived;
use super::options::{self, CRATE_FORM, CratePath, Entry};
use super::symbol::{self, Symbol};

/// The options of the struct, as written.
#[derive(Default)]
pub(crate) struct StructOptions {
    pub(crate) name: Option<LitStr>,
    pub(crate) krate: Option<CratePath>,
    pub(crate) timestamp: Option<Ident>,
    /// The word `orphaned_ids`, where it is written.
    pub(crate) orphaned_ids: Option<Ident>,
    /// What unmarked fields are; nothing inside if that could not be read.
    pub(crate) rest: Option<Option<Rest>>,
    pub(crate) compound: Vec<Compound>,
    pub(crate) derived: Vec<Derived>,
}

/// What fields without a mark are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    Index,
    Ignore,
}

/// `name = (part, part)`.
pub(crate) struct Compound {
    pub(crate) ident: Ident,
    pub(crate) parts: Vec<Ident>,
    pub(crate) parentheses: proc_macro2::Group,
}

/// The options of a struct.
pub(crate) const LEGAL: [Symbol; 7] = [
    symbol::NAME,
    symbol::TIMESTAMP,
    symbol::ORPHANED_IDS,
    symbol::INDEX,
    symbol::DERIVED,
    symbol::REST,
    symbol::CRATE,
];

const COMPOUND_FORM: &str = "index(by_ledger_code = (ledger, code))";
const DERIVED_FORM: &str = "derived(expires_at: u64 = Transfer::expires_at)";
const REST_FORM: &str = "rest(index)` or `rest(ignore)";

/// Reads the struct's own attributes.
pub(crate) fn of_struct(input: &DeriveInput, errors: &mut Errors) -> StructOptions {
    let mut options = StructOptions::default();
    for attribute in &input.attrs {
        let path = attribute.path();
        if *path == symbol::GROOVE {
            for entry in options::of_attribute(attribute, errors) {
                options.take(&entry, errors);
            }
        } else if *path == symbol::INDEX {
            let message = format!(
                "`#[index]` goes on a field; an index over several fields is \
                 `#[groove({COMPOUND_FORM})]` on the struct"
            );
            errors.push(attribute, message);
        }
    }
    options
}

impl StructOptions {
    fn take(&mut self, entry: &Entry, errors: &mut Errors) {
        let word = &entry.word;
        if *word == symbol::NAME {
            let value = entry.name(errors);
            options::set(&mut self.name, word, value, errors);
        } else if *word == symbol::CRATE {
            let value = entry.assigned(CRATE_FORM, errors);
            options::set(&mut self.krate, word, value, errors);
        } else if *word == symbol::TIMESTAMP {
            let value =
                entry.assigned("timestamp = field", errors).and_then(|field| named(field, errors));
            options::set(&mut self.timestamp, word, value, errors);
        } else if *word == symbol::ORPHANED_IDS {
            entry.flag(errors);
            options::set(&mut self.orphaned_ids, word, Some(word.clone()), errors);
        } else if *word == symbol::REST {
            let value = rest(entry, errors);
            options::set(&mut self.rest, word, Some(value), errors);
        } else if *word == symbol::INDEX {
            self.compound
                .extend(entry.parsed_list(COMPOUND_FORM, compounds, errors).unwrap_or_default());
        } else if *word == symbol::DERIVED {
            self.derived
                .extend(entry.parsed_list(DERIVED_FORM, deriveds, errors).unwrap_or_default());
        } else if *word == symbol::IGNORE {
            errors.push(
                word,
                "`ignore` is an option of a field; for all unmarked fields at once \
                write `rest(ignore)`",
            );
        } else {
            entry.unknown("a groove", &LEGAL, errors);
        }
    }
}

/// A field in `timestamp = field`. One in quotes is a mistake and is understood.
fn named(field: TokenStream, errors: &mut Errors) -> Option<Ident> {
    let quoted = syn::parse2::<LitStr>(field.clone()).and_then(|text| text.parse::<Ident>());
    if let Ok(ident) = quoted {
        errors.push(field, format!("a field is named without quotes; write `timestamp = {ident}`"));
        return Some(ident);
    }
    syn::parse2(field.clone()).map_err(|_| errors.push(field, "expected `timestamp = field`")).ok()
}

/// `rest(index)` or `rest(ignore)`.
fn rest(entry: &Entry, errors: &mut Errors) -> Option<Rest> {
    let list = entry.list(REST_FORM, errors)?;
    match syn::parse2::<Ident>(list.clone()) {
        Ok(word) if word == symbol::INDEX => Some(Rest::Index),
        Ok(word) if word == symbol::IGNORE => Some(Rest::Ignore),
        _ => {
            errors.push(
                list,
                format!("fields without a mark are either indexed or ignored; write `{REST_FORM}`"),
            );
            None
        }
    }
}

/// `name = (part, part), name = (part, part)`.
fn compounds(input: ParseStream<'_>) -> syn::Result<Vec<Compound>> {
    let form = format!("a compound index is written `{COMPOUND_FORM}`");
    let entry = |input: ParseStream<'_>| -> syn::Result<Compound> {
        let ident = input.call(any_ident).map_err(|error| retell(error, &form))?;
        if input.is_empty() || input.peek(Token![,]) {
            return Err(syn::Error::new(ident.span(), &form));
        }
        input.parse::<Token![=]>().map_err(|error| retell(error, &form))?;
        let parentheses = input.fork().parse().map_err(|error| retell(error, &form))?;
        let content;
        parenthesized!(content in input);
        let parts = options::idents(&content)
            .map_err(|error| retell(error, "a part of a compound index is the name of a field"))?;
        Ok(Compound { ident, parts, parentheses })
    };
    separated(input, entry)
}

/// `name: Type = path, version = 2, name: Type = path`.
fn deriveds(input: ParseStream<'_>) -> syn::Result<Vec<Derived>> {
    let form = format!("a derived index is written `{DERIVED_FORM}`");
    let entry = |input: ParseStream<'_>| -> syn::Result<Derived> {
        let ident = input.call(any_ident).map_err(|error| retell(error, &form))?;
        if input.peek(Token![=]) {
            let message = format!("`{ident}` lacks the type of its key: {form}");
            return Err(syn::Error::new(ident.span(), message));
        }
        input.parse::<Token![:]>().map_err(|error| retell(error, &form))?;
        let key: Type = input.parse()?;
        input.parse::<Token![=]>().map_err(|error| retell(error, &form))?;
        let function = Path::parse_mod_style(input).map_err(|error| {
            retell(
                error,
                "a derived index takes the path of a function, such as `Transfer::expires_at`",
            )
        })?;
        if !input.is_empty() && !input.peek(Token![,]) {
            let message =
                "a derived index takes the path of a function: name it, without arguments";
            return Err(input.error(message));
        }
        let version = version(input)?.unwrap_or(1);
        Ok(Derived { ident, key, function, version })
    };
    separated(input, entry)
}

/// `, version = 2` after a derived index.
fn version(input: ParseStream<'_>) -> syn::Result<Option<u32>> {
    let ahead = input.fork();
    let is_version = ahead.parse::<Token![,]>().is_ok()
        && ahead.parse::<Ident>().is_ok_and(|word| word == symbol::VERSION)
        && !ahead.peek(Token![:]);
    if !is_version {
        return Ok(None);
    }
    input.parse::<Token![,]>()?;
    input.parse::<Ident>()?;
    let form = "a version is written `version = 2`: a whole number from 1 to 4294967295";
    input.parse::<Token![=]>().map_err(|error| retell(error, form))?;
    let literal: LitInt = input.parse().map_err(|error| retell(error, form))?;
    match literal.base10_parse() {
        Ok(0) | Err(_) => Err(syn::Error::new(literal.span(), form)),
        Ok(version) => Ok(Some(version)),
    }
}

fn any_ident(input: ParseStream<'_>) -> syn::Result<Ident> {
    input.parse()
}

/// Reads entries with commas between them up to the end.
fn separated<T>(
    input: ParseStream<'_>,
    mut entry: impl FnMut(ParseStream<'_>) -> syn::Result<T>,
) -> syn::Result<Vec<T>> {
    let mut entries = Vec::new();
    while !input.is_empty() {
        entries.push(entry(input)?);
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(entries)
}

/// The place that syn found, with a message that says what to write.
fn retell(error: syn::Error, message: &str) -> syn::Error {
    syn::Error::new(error.span(), message)
}
