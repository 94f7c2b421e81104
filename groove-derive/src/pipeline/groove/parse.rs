//! What the attributes of a struct and its fields say, one by one; what they mean together is for
//! [`super::check`].

use proc_macro2::Ident;
use syn::{Attribute, DeriveInput, LitStr, Meta};

use super::errors::Errors;
use super::input::{self, Noun};
use super::names::plain;
use super::options::{self, Entry, Meant, Value};
use super::parse_options::{self, StructOptions};
use super::symbol;

/// A struct with its attributes read.
pub(crate) struct Object<'a> {
    pub(crate) input: &'a DeriveInput,
    pub(crate) options: StructOptions,
    pub(crate) fields: Vec<Field<'a>>,
}

/// A field with its attributes read.
pub(crate) struct Field<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) field: &'a syn::Field,
    pub(crate) index: Option<IndexMark>,
    /// The word `ignore`, where it is written.
    pub(crate) ignore: Option<Ident>,
    /// An attribute could not be read: what it meant to say is unknown.
    pub(crate) unreadable: bool,
}

/// `#[index(…)]`, each option with the word that names it.
pub(crate) struct IndexMark {
    pub(crate) at: Ident,
    pub(crate) primary: Option<Ident>,
    pub(crate) unique: Option<Ident>,
    pub(crate) optional: Option<Ident>,
    pub(crate) name: Option<LitStr>,
}

const NOUN: Noun = Noun { derive: "Groove", noun: "an object", fields: "a `timestamp: u64`" };

/// Reads a struct with named fields; nothing if it is something else.
pub(crate) fn object<'a>(input: &'a DeriveInput, errors: &mut Errors) -> Option<Object<'a>> {
    input::no_generics(input, NOUN.noun, errors);
    let fields = input::named_fields(input, &NOUN, errors)?;
    let options = parse_options::of_struct(input, errors);
    let fields = fields
        .iter()
        .filter_map(|syntax| Some(field(syntax, syntax.ident.as_ref()?, errors)))
        .collect();
    Some(Object { input, options, fields })
}

fn field<'a>(syntax: &'a syn::Field, ident: &'a Ident, errors: &mut Errors) -> Field<'a> {
    let mut field = Field { ident, field: syntax, index: None, ignore: None, unreadable: false };
    input::no_cfg(&syntax.attrs, ident, errors);
    for attribute in &syntax.attrs {
        let path = attribute.path();
        if *path == symbol::INDEX {
            let at = path.get_ident().expect("`index` is an identifier").clone();
            let entries = options::of_attribute(attribute, errors);
            field.mark_index(at, entries, errors);
        } else if *path == symbol::IGNORE {
            field.bare_ignore(attribute, errors);
        } else if *path == symbol::GROOVE {
            field.groove(attribute, errors);
        }
    }
    field
}

impl Field<'_> {
    /// `#[groove(index(…))]` and `#[groove(ignore)]`.
    fn groove(&mut self, attribute: &Attribute, errors: &mut Errors) {
        let entries = options::of_attribute(attribute, errors);
        if matches!(attribute.meta, Meta::Path(_)) {
            errors.push(attribute.path(), "write `#[groove(ignore)]` or `#[index]`");
        }
        // Without an option it is not known what the field was meant to be.
        self.unreadable |= entries.is_empty();
        for entry in entries {
            if entry.word == symbol::INDEX {
                let inner = match &entry.value {
                    Value::List(group) => options::of_tokens(group.stream(), errors),
                    Value::Flag => Vec::new(),
                    Value::Assigned(equals, _) => {
                        let message = "options go in parentheses: `index(name = \"…\")`";
                        errors.push_span(*equals, message);
                        Vec::new()
                    }
                };
                self.mark_index(entry.word, inner, errors);
            } else if entry.word == symbol::IGNORE {
                entry.flag(errors);
                self.mark_ignore(entry.word, errors);
            } else {
                self.unknown_in_groove(&entry, errors);
            }
        }
    }

    /// The bare `#[ignore]`: the compiler warns of it, since it is not registered as a helper.
    fn bare_ignore(&mut self, attribute: &Attribute, errors: &mut Errors) {
        let word = attribute.path().get_ident().expect("`ignore` is an identifier").clone();
        if !matches!(attribute.meta, Meta::Path(_)) {
            errors.push(attribute, "`ignore` takes no value; write `#[groove(ignore)]`");
        }
        self.mark_ignore(word, errors);
    }

    fn mark_ignore(&mut self, word: Ident, errors: &mut Errors) {
        options::set(&mut self.ignore, &word.clone(), Some(word), errors);
    }

    fn mark_index(&mut self, at: Ident, entries: Vec<Entry>, errors: &mut Errors) {
        let (mut primary, mut unique, mut optional, mut name) = (None, None, None, None);
        for entry in entries {
            let guess = &mut Errors::default();
            let (option, errors) = match self.option_of_index(&entry, errors) {
                Meant::Known(option) => (option, &mut *errors),
                Meant::Guessed(option) => (option, guess),
                Meant::Unknown => continue,
            };
            let slot = match option {
                symbol::NAME => {
                    let value = entry.name(errors);
                    options::set(&mut name, &entry.word, value, errors);
                    continue;
                }
                symbol::PRIMARY => &mut primary,
                symbol::UNIQUE => &mut unique,
                _ => &mut optional,
            };
            entry.flag(errors);
            options::set(slot, &entry.word, Some(entry.word.clone()), errors);
        }
        if self.index.is_some() {
            let field = plain(self.ident);
            let message = format!(
                "`{field}` has two index attributes and a field has one index; put all options in \
                 one, such as `#[index(unique, optional)]`"
            );
            errors.push(at, message);
            return;
        }
        self.index = Some(IndexMark { at, primary, unique, optional, name });
    }

    fn option_of_index(&mut self, entry: &Entry, errors: &mut Errors) -> Meant {
        if entry.word == symbol::IGNORE {
            let message = "`ignore` is no option of an index; write `#[groove(ignore)]` in place \
                of `#[index(ignore)]`";
            errors.push(&entry.word, message);
            return Meant::Unknown;
        }
        let legal = [symbol::PRIMARY, symbol::UNIQUE, symbol::OPTIONAL, symbol::NAME];
        entry.meant("an index", &legal, errors)
    }

    fn unknown_in_groove(&mut self, entry: &Entry, errors: &mut Errors) {
        self.unreadable = true;
        let of_index = [symbol::PRIMARY, symbol::UNIQUE, symbol::OPTIONAL, symbol::NAME];
        let of_struct = parse_options::LEGAL;
        let word = &entry.word;
        if of_index.iter().any(|symbol| word == symbol) {
            let value = if *word == symbol::NAME { " = \"…\"" } else { "" };
            let message =
                format!("`{word}` is an option of an index; write `#[index({word}{value})]`");
            errors.push(word, message);
        } else if of_struct.iter().any(|symbol| word == symbol) {
            errors.push(word, format!("`{word}` is an option of the struct; move it there"));
        } else {
            entry.meant("a field", &[symbol::INDEX, symbol::IGNORE], errors);
        }
    }
}
