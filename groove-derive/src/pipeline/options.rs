//! The grammar that all attributes share: `word`, `word = value` and `word(list)`, with commas
//! between them. A mistake in one option leaves the others readable.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Attribute, LitStr, Meta, Path, Token};

use super::errors::Errors;
use super::spelling;
use super::symbol::Symbol;

/// One option as written.
pub(crate) struct Entry {
    /// The word that names the option.
    pub(crate) word: Ident,
    /// What follows it.
    pub(crate) value: Value,
}

/// What follows the word of an option.
pub(crate) enum Value {
    /// Nothing: `word`.
    Flag,
    /// `word = tokens`; the span is that of the `=`.
    Assigned(Span, TokenStream),
    /// `word(list)`.
    List(Group),
}

/// The options in the parentheses of `attribute`; none if it has no parentheses.
pub(crate) fn of_attribute(attribute: &Attribute, errors: &mut Errors) -> Vec<Entry> {
    match &attribute.meta {
        Meta::Path(_) => Vec::new(),
        Meta::List(list) => of_tokens(list.tokens.clone(), errors),
        Meta::NameValue(meta) => {
            let name = meta.path.to_token_stream();
            errors.push(meta.eq_token, format!("options go in parentheses: `#[{name}(…)]`"));
            Vec::new()
        }
    }
}

/// The options in `tokens`.
pub(crate) fn of_tokens(tokens: TokenStream, errors: &mut Errors) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut part = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Punct(comma) if comma.as_char() == ',' => {
                if part.is_empty() {
                    errors.push(&comma, "expected an option before this comma");
                }
                entries.extend(of_part(std::mem::take(&mut part), errors));
            }
            token => part.push(token),
        }
    }
    entries.extend(of_part(part, errors));
    entries
}

/// The option between two commas.
fn of_part(part: Vec<TokenTree>, errors: &mut Errors) -> Option<Entry> {
    let mut tokens = part.into_iter();
    let word = match tokens.next()? {
        TokenTree::Ident(word) => word,
        other => {
            errors.push(&other, format!("expected the name of an option, found `{other}`"));
            return None;
        }
    };
    let value = match tokens.next() {
        None => Value::Flag,
        Some(TokenTree::Punct(equals)) if equals.as_char() == '=' => {
            let tokens: TokenStream = tokens.by_ref().collect();
            if tokens.is_empty() {
                errors.push(&equals, format!("`{word} =` lacks its value"));
                return None;
            }
            Value::Assigned(equals.span(), tokens)
        }
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => {
            Value::List(group)
        }
        Some(TokenTree::Ident(other)) => {
            errors.push(&other, format!("expected `,` between `{word}` and `{other}`"));
            return None;
        }
        Some(other) => {
            errors.push(&other, format!("expected `,`, `=` or `(` after `{word}`"));
            return None;
        }
    };
    if let Some(extra) = tokens.next() {
        errors.push(&extra, format!("expected `,` between `{word}(…)` and this"));
    }
    Some(Entry { word, value })
}

impl Entry {
    /// Checks that nothing follows the word.
    pub(crate) fn flag(&self, errors: &mut Errors) {
        match &self.value {
            Value::Flag => {}
            Value::Assigned(equals, _) => {
                errors.push_span(*equals, format!("`{0}` takes no value; write `{0}`", self.word));
            }
            Value::List(group) => {
                let message = format!("`{0}` takes no options; write `{0}`", self.word);
                errors.push_span(group.span(), message);
            }
        }
    }

    /// The value after `=`, which `form` shows an example of.
    pub(crate) fn assigned<T: Parse>(&self, form: &str, errors: &mut Errors) -> Option<T> {
        match &self.value {
            Value::Assigned(_, tokens) => match syn::parse2(tokens.clone()) {
                Ok(value) => return Some(value),
                Err(_) => errors.push(tokens, format!("expected `{form}`")),
            },
            Value::Flag => errors.push(&self.word, format!("write `{form}`")),
            Value::List(group) => errors.push_span(group.span(), format!("write `{form}`")),
        }
        None
    }

    /// The list in parentheses, which `form` shows an example of.
    pub(crate) fn list(&self, form: &str, errors: &mut Errors) -> Option<TokenStream> {
        match &self.value {
            Value::List(group) if group.stream().is_empty() => {
                errors
                    .push_span(group.span(), format!("`{}()` is empty; write `{form}`", self.word));
            }
            Value::List(group) => return Some(group.stream()),
            Value::Flag => errors.push(&self.word, format!("write `{form}`")),
            Value::Assigned(equals, _) => errors.push_span(*equals, format!("write `{form}`")),
        }
        None
    }

    /// The list in parentheses, read by `parser`.
    pub(crate) fn parsed_list<F: Parser>(
        &self,
        form: &str,
        parser: F,
        errors: &mut Errors,
    ) -> Option<F::Output> {
        let tokens = self.list(form, errors)?;
        parser.parse2(tokens).map_err(|error| errors.add(error)).ok()
    }

    /// The name after `=`: a string that is an identifier.
    pub(crate) fn name(&self, errors: &mut Errors) -> Option<LitStr> {
        let word = &self.word;
        let form = match &self.value {
            Value::Assigned(_, tokens) if syn::parse2::<Ident>(tokens.clone()).is_ok() => {
                format!("{word} = \"{tokens}\"")
            }
            _ => format!("{word} = \"…\""),
        };
        let name: LitStr = self.assigned(&form, errors)?;
        let written = name.value();
        if written.is_empty() {
            errors.push(&name, "a name cannot be empty");
        } else if written.trim_matches('_').is_empty() {
            errors.push(&name, "a name needs a letter");
        } else if !is_identifier(&written) {
            let message = "a name begins with a letter and has letters, digits and `_` only";
            errors.push(&name, format!("`{written}` is no name: {message}"));
        } else {
            return Some(name);
        }
        None
    }

    /// The option of `legal` that this is. If it is none, that is recorded, and the option that is
    /// most likely meant is given back: what it would have said is no second mistake.
    pub(crate) fn meant(&self, of: &str, legal: &[Symbol], errors: &mut Errors) -> Meant {
        if let Some(known) = legal.iter().find(|symbol| self.word == **symbol) {
            return Meant::Known(*known);
        }
        let words: Vec<_> = legal.iter().map(|symbol| symbol.0).collect();
        let there_are = match words.as_slice() {
            [word] => format!("the only option of {of} is `{word}`"),
            words => format!("the options of {of} are {}", spelling::list(words)),
        };
        let nearest = spelling::nearest(&self.word.to_string(), &words);
        let message = match &nearest {
            Some(nearest) => {
                format!("unknown option `{}`; did you mean `{nearest}`? {there_are}", self.word)
            }
            None => format!("unknown option `{}`; {there_are}", self.word),
        };
        errors.push(&self.word, message);
        let guess = legal.iter().find(|symbol| nearest.as_deref() == Some(symbol.0));
        guess.map_or(Meant::Unknown, |symbol| Meant::Guessed(*symbol))
    }
}

/// Which option an entry is.
pub(crate) enum Meant {
    /// The one that it says.
    Known(Symbol),
    /// A misspelt one. Mistakes in what follows it are not to be reported.
    Guessed(Symbol),
    /// None.
    Unknown,
}

/// Whether `text` can stand in the place of an identifier, keywords included.
fn is_identifier(text: &str) -> bool {
    use syn::ext::IdentExt;
    Ident::parse_any.parse_str(text).is_ok_and(|ident| ident == text && !text.starts_with("r#"))
}

/// Puts an option that may be given once into its place.
pub(crate) fn set<T>(slot: &mut Option<T>, word: &Ident, value: Option<T>, errors: &mut Errors) {
    match (slot.is_some(), value) {
        (true, _) => errors.push(word, format!("`{word}` is given twice; remove one")),
        (false, value) => *slot = value,
    }
}

/// The path after `crate =`: a path, or a string that holds one.
pub(crate) struct CratePath(pub(crate) Path);

impl Parse for CratePath {
    fn parse(input: ParseStream<'_>) -> syn::Result<CratePath> {
        if input.peek(LitStr) {
            let text: LitStr = input.parse()?;
            return text.parse_with(Path::parse_mod_style).map(CratePath);
        }
        Path::parse_mod_style(input).map(CratePath)
    }
}

/// The path that generated code begins with.
pub(crate) fn crate_path(given: Option<&CratePath>) -> Path {
    match given {
        Some(CratePath(path)) => path.clone(),
        None => syn::parse2(quote!(::groove)).expect("`::groove` is a path"),
    }
}

/// How the option is written.
pub(crate) const CRATE_FORM: &str = "crate = \"path::to::groove\"";

/// Reads `a, b, c` up to the end.
pub(crate) fn idents(input: ParseStream<'_>) -> syn::Result<Vec<Ident>> {
    use syn::ext::IdentExt;
    let parts = input.parse_terminated(Ident::parse_any, Token![,])?;
    Ok(parts.into_iter().collect())
}
