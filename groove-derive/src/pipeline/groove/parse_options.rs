//! `#[groove(…)]` on the struct.

use proc_macro2::{Ident, TokenStream};
use syn::parse::ParseStream;
use syn::{
    DeriveInput, LitInt, LitStr, PathArguments, Token, Type, TypePath, bracketed, parenthesized,
    token,
};

use super::errors::Errors;
use super::model::Derived;
use super::options::{self, CRATE_FORM, CratePath, Entry, Meant};
use super::spelling;
use super::symbol::{self, Symbol};

/// The options of the struct, as written.
#[derive(Default)]
pub(crate) struct StructOptions {
    pub(crate) name: Option<LitStr>,
    pub(crate) krate: Option<CratePath>,
    pub(crate) timestamp: Option<Ident>,
    /// The word `orphaned_ids`, where it is written.
    pub(crate) orphaned_ids: Option<Ident>,
    /// The word `expansion`, where it is written.
    pub(crate) expansion: Option<Ident>,
    /// What unmarked fields are; nothing inside if that could not be read.
    pub(crate) rest: Option<Option<Rest>>,
    pub(crate) compound: Vec<Compound>,
    pub(crate) derived: Vec<Derived>,
    /// An option could not be read: what it meant to say of the fields is unknown.
    pub(crate) unreadable: bool,
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
pub(crate) const LEGAL: [Symbol; 8] = [
    symbol::NAME,
    symbol::TIMESTAMP,
    symbol::ORPHANED_IDS,
    symbol::INDEX,
    symbol::DERIVED,
    symbol::REST,
    symbol::EXPANSION,
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
        if *word == symbol::IGNORE {
            errors.push(
                word,
                "`ignore` is an option of a field; for all unmarked fields at once \
                write `rest(ignore)`",
            );
            self.unreadable = true;
            return;
        }
        match entry.meant("a groove", &LEGAL, errors) {
            Meant::Known(option) => self.take_as(option, entry, errors),
            // Says nothing of the fields; that it needs a primary key would be a second mistake.
            Meant::Guessed(symbol::ORPHANED_IDS) => {}
            Meant::Guessed(option) => self.take_as(option, entry, &mut Errors::default()),
            Meant::Unknown => self.unreadable = true,
        }
    }

    fn take_as(&mut self, option: Symbol, entry: &Entry, errors: &mut Errors) {
        let word = &entry.word;
        match option {
            symbol::NAME => {
                let value = entry.name(errors);
                options::set(&mut self.name, word, value, errors);
            }
            symbol::CRATE => {
                let value = entry.assigned(CRATE_FORM, errors);
                options::set(&mut self.krate, word, value, errors);
            }
            symbol::TIMESTAMP => {
                let value = entry
                    .assigned("timestamp = field", errors)
                    .and_then(|field| named(field, errors));
                options::set(&mut self.timestamp, word, value, errors);
            }
            symbol::ORPHANED_IDS => {
                entry.flag(errors);
                options::set(&mut self.orphaned_ids, word, Some(word.clone()), errors);
            }
            symbol::EXPANSION => {
                entry.flag(errors);
                options::set(&mut self.expansion, word, Some(word.clone()), errors);
            }
            symbol::REST => {
                let value = rest(entry, errors);
                options::set(&mut self.rest, word, Some(value), errors);
            }
            symbol::INDEX => {
                let indexes = entry.parsed_list(COMPOUND_FORM, compounds, errors);
                self.compound.extend(indexes.unwrap_or_default());
            }
            _ => {
                let indexes = entry.parsed_list(DERIVED_FORM, deriveds, errors);
                self.derived.extend(indexes.unwrap_or_default());
            }
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
    if let Ok(parts @ [first, ..]) = options::idents(&input.fork()).as_deref() {
        let form = compound_form(&names_of(parts));
        let message = format!("a compound index has a name; write `index({form})`");
        return Err(syn::Error::new(first.span(), message));
    }
    let form = format!("a compound index is written `{COMPOUND_FORM}`");
    let entry = |input: ParseStream<'_>| -> syn::Result<Compound> {
        let ident = input.call(any_ident).map_err(|error| retell(error, &form))?;
        if input.is_empty() || input.peek(Token![,]) {
            return Err(syn::Error::new(ident.span(), &form));
        }
        input.parse::<Token![=]>().map_err(|error| retell(error, &form))?;
        if !input.peek(token::Paren) {
            let message = "the fields of a compound index go in parentheses";
            return Err(match input.call(bracketed_idents) {
                Ok(parts) => {
                    let parts = names_of(&parts).join(", ");
                    input.error(format!("{message}; write `{ident} = ({parts})`"))
                }
                Err(_) => input.error(format!("{message}: {form}")),
            });
        }
        let parentheses = input.fork().parse()?;
        let content;
        parenthesized!(content in input);
        let parts = parts(&content)?;
        Ok(Compound { ident, parts, parentheses })
    };
    separated(input, entry)
}

/// The names of fields.
fn parts(input: ParseStream<'_>) -> syn::Result<Vec<Ident>> {
    if let Ok(quoted) = input.fork().parse::<LitStr>() {
        let message = format!("a field is named without quotes; write `{}`", quoted.value());
        return Err(syn::Error::new(quoted.span(), message));
    }
    options::idents(input)
        .map_err(|error| retell(error, "a part of a compound index is the name of a field"))
}

/// `[a, b]`, ahead and not taken.
fn bracketed_idents(input: ParseStream<'_>) -> syn::Result<Vec<Ident>> {
    let content;
    let ahead = input.fork();
    bracketed!(content in ahead);
    options::idents(&content)
}

fn names_of(idents: &[Ident]) -> Vec<String> {
    idents.iter().map(ToString::to_string).collect()
}

/// `by_a_b = (a, b)`.
fn compound_form(names: &[String]) -> String {
    match names {
        [name] => format!("by_{name} = ({name}, …)"),
        names => format!("by_{} = ({})", names.join("_"), names.join(", ")),
    }
}

/// `name: Type = path, version = 2, name: Type = path`.
fn deriveds(input: ParseStream<'_>) -> syn::Result<Vec<Derived>> {
    let form = format!("a derived index is written `{DERIVED_FORM}`");
    let entry = |input: ParseStream<'_>| -> syn::Result<Derived> {
        let ident = input.call(any_ident).map_err(|error| retell(error, &form))?;
        if input.peek(Token![=]) {
            let message = match spelling::nearest(&ident.to_string(), &[symbol::VERSION.0]) {
                Some(version) => format!(
                    "unknown option `{ident}`; did you mean `{version}`? the only option of a \
                     derived index is `{version}`"
                ),
                None => format!("`{ident}` lacks the type of its key: {form}"),
            };
            return Err(syn::Error::new(ident.span(), message));
        }
        input.parse::<Token![:]>().map_err(|error| retell(error, &form))?;
        let key: Type = input.parse()?;
        input.parse::<Token![=]>().map_err(|error| retell(error, &form))?;
        let function = function(input)?;
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

/// The path of a function.
fn function(input: ParseStream<'_>) -> syn::Result<TypePath> {
    let takes = "a derived index takes the path of a function, such as `Transfer::expires_at`";
    if let Ok(quoted) = input.fork().parse::<LitStr>() {
        let message = format!("a function is named without quotes; write `{}`", quoted.value());
        return Err(syn::Error::new(quoted.span(), message));
    }
    if input.peek(Token![|]) || input.peek(Token![move]) {
        return Err(input.error(format!("{takes}, and no closure")));
    }
    let path: TypePath = input.parse().map_err(|error| retell(error, takes))?;
    let last = path.path.segments.last();
    if let Some(PathArguments::Parenthesized(call)) = last.map(|last| &last.arguments) {
        let message = "a derived index takes the path of a function: name it, without arguments";
        return Err(syn::Error::new(call.paren_token.span.join(), message));
    }
    Ok(path)
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
