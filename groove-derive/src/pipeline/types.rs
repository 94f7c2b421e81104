//! Types that no field can have, refused by name with what to write instead.
//!
//! Everything else is left to the compiler: whether a type implements `Field` is its to say.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{GenericArgument, PathArguments, Type, TypePath};

use super::errors::Errors;

/// The reason why a type is refused, and the way out.
type Refusal = (&'static str, &'static str);

const POINTER: &str = "points outside the row";
const GROWS: &str = "has no fixed width";
const PLATFORM: &str = "has another width on another machine";
const CLOCK: &str = "has no fixed form in a file";
const ADDRESS: &str = "is no field type";
const CELL: &str = "is for values that change in place";

const TEXT: &str =
    "write `Text<N>` for up to `N` bytes of text, or keep the text elsewhere under an id";
const MANY: &str = "write an array `[T; N]`, or make each element an object of its own groove";
const INSIDE: &str = "write the type inside";
const NANOS: &str = "write `u64` and store nanoseconds";
const DATES: &str = "write `u64` and store nanoseconds, or use the types of `jiff` or `time`, each \
    behind the feature of its name";

/// Paths by their last segment.
const PATHS: [(&str, Refusal); 36] = [
    ("usize", (PLATFORM, "write `u64`")),
    ("isize", (PLATFORM, "write `i64`")),
    ("NonZeroUsize", (PLATFORM, "write `NonZeroU64`")),
    ("NonZeroIsize", (PLATFORM, "write `NonZeroI64`")),
    ("String", (GROWS, TEXT)),
    ("str", (GROWS, TEXT)),
    ("Cow", (GROWS, TEXT)),
    ("OsString", (GROWS, TEXT)),
    ("CString", (GROWS, TEXT)),
    ("Path", (GROWS, TEXT)),
    ("PathBuf", (GROWS, TEXT)),
    ("Vec", (GROWS, MANY)),
    ("VecDeque", (GROWS, MANY)),
    ("LinkedList", (GROWS, MANY)),
    ("BinaryHeap", (GROWS, MANY)),
    ("HashMap", (GROWS, MANY)),
    ("HashSet", (GROWS, MANY)),
    ("BTreeMap", (GROWS, MANY)),
    ("BTreeSet", (GROWS, MANY)),
    ("Box", (POINTER, INSIDE)),
    ("Rc", (POINTER, INSIDE)),
    ("Arc", (POINTER, INSIDE)),
    ("Cell", (CELL, INSIDE)),
    ("RefCell", (CELL, INSIDE)),
    ("OnceCell", (CELL, INSIDE)),
    ("OnceLock", (CELL, INSIDE)),
    ("Mutex", (CELL, INSIDE)),
    ("RwLock", (CELL, INSIDE)),
    ("PhantomData", ("has no bytes", "remove the field")),
    ("IpAddr", (ADDRESS, "write `u128` and store `Ipv6Addr::to_bits`")),
    ("Ipv4Addr", (ADDRESS, "write `u32` and store `Ipv4Addr::to_bits`")),
    ("Ipv6Addr", (ADDRESS, "write `u128` and store `Ipv6Addr::to_bits`")),
    ("Duration", (CLOCK, NANOS)),
    ("Instant", (CLOCK, NANOS)),
    ("SystemTime", (CLOCK, NANOS)),
    ("Result", ("is an enum with data", "write one field per case, each an `Option`")),
];

/// Checks that `field_type` is not one of the types that no field can have.
pub(crate) fn check(field_type: &Type, errors: &mut Errors) -> bool {
    let (reason, way_out) = match field_type {
        Type::Path(path) => match of_path(path) {
            Some(refusal) => refusal,
            None => return check_inner(path, errors),
        },
        Type::Array(array) => return check(&array.elem, errors),
        Type::Group(group) => return check(&group.elem, errors),
        Type::Paren(paren) => return check(&paren.elem, errors),
        Type::Reference(reference) => match &*reference.elem {
            Type::Path(path) if path.path.is_ident("str") => (POINTER, TEXT),
            Type::Slice(_) => (POINTER, MANY),
            _ => (POINTER, INSIDE),
        },
        Type::Ptr(_) | Type::FnPtr(_) => (POINTER, "leave it out of the struct"),
        Type::Slice(_) => (GROWS, MANY),
        Type::TraitObject(_) | Type::ImplTrait(_) => (GROWS, "write one concrete type"),
        Type::Tuple(tuple) if tuple.elems.is_empty() => ("has no bytes", "remove the field"),
        Type::Tuple(_) => ("has parts without names", "write one field per part"),
        Type::Never(_) => ("has no values", "remove the field"),
        _ => return true,
    };
    let written = text(field_type);
    errors.push(field_type, format!("`{written}` {reason} and cannot be stored; {way_out}"));
    false
}

/// A type as people write it: `&'a [u8]`, `HashMap<u64, u64>`.
pub(crate) fn text(written: &Type) -> String {
    let mut text = String::new();
    write_tokens(written.to_token_stream(), &mut text);
    text
}

fn write_tokens(tokens: TokenStream, text: &mut String) {
    for token in tokens {
        let is_word = matches!(token, TokenTree::Ident(_) | TokenTree::Literal(_));
        if is_word && text.ends_with(|last: char| last.is_alphanumeric() || last == '_') {
            text.push(' ');
        }
        match token {
            TokenTree::Punct(punct) if matches!(punct.as_char(), ',' | ';') => {
                text.push(punct.as_char());
                text.push(' ');
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{ ", " }"),
                    Delimiter::None => ("", ""),
                };
                if matches!(group.delimiter(), Delimiter::Bracket)
                    && text.ends_with(char::is_alphanumeric)
                {
                    text.push(' ');
                }
                text.push_str(open);
                write_tokens(group.stream(), text);
                text.push_str(close);
            }
            other => text.push_str(&other.to_string()),
        }
    }
}

/// The refusal of a type that a path names: bare, or from the standard library.
fn of_path(path: &TypePath) -> Option<Refusal> {
    let segments = &path.path.segments;
    if segments.len() > 1 && segments[0].ident == "chrono" {
        return Some((CLOCK, DATES));
    }
    let of_std = segments.len() == 1
        || ["std", "core", "alloc"].iter().any(|krate| segments[0].ident == krate);
    let last = &segments.last()?.ident;
    if of_std && path.qself.is_none() && last.to_string().starts_with("Atomic") {
        return Some((CELL, "write the integer without `Atomic`, such as `u64`"));
    }
    let refused = PATHS.iter().find(|(name, _)| last == name);
    refused.filter(|_| of_std && path.qself.is_none()).map(|(_, refusal)| *refusal)
}

/// Checks the types between the angle brackets: `Option<String>`.
fn check_inner(path: &TypePath, errors: &mut Errors) -> bool {
    let Some(last) = path.path.segments.last() else { return true };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return true };
    let mut legal = true;
    for argument in &arguments.args {
        if let GenericArgument::Type(inner) = argument {
            legal &= check(inner, errors);
        }
    }
    legal
}

/// Whether `written` is the primitive type `name`, bare or by its path in the standard library.
pub(crate) fn is_primitive(written: &Type, name: &str) -> bool {
    match written {
        Type::Path(path) if path.qself.is_none() => {
            path.path.segments.last().is_some_and(|last| last.ident == name)
        }
        Type::Group(group) => is_primitive(&group.elem, name),
        Type::Paren(paren) => is_primitive(&paren.elem, name),
        _ => false,
    }
}

/// Types that are fields and keys, by name.
const SCALARS: [&str; 14] = [
    "u8", "u16", "u32", "u64", "u128", "i8", "i16", "i32", "i64", "i128", "bool", "char", "f32",
    "f64",
];

/// Whether `written` is a primitive type.
pub(crate) fn is_scalar(written: &Type) -> bool {
    SCALARS.iter().any(|name| is_primitive(written, name))
}

/// Whether `written` is plainly a field and a key: made of primitive types and those of `groove`.
pub(crate) fn is_known_key(written: &Type) -> bool {
    match written {
        Type::Array(array) => is_known_key(&array.elem),
        Type::Group(group) => is_known_key(&group.elem),
        Type::Paren(paren) => is_known_key(&paren.elem),
        Type::Path(path) if path.qself.is_none() => {
            let Some(last) = path.path.segments.last() else { return false };
            match &last.arguments {
                PathArguments::None => {
                    is_scalar(written) || last.ident.to_string().starts_with("NonZero")
                }
                PathArguments::AngleBracketed(arguments) => match arguments.args.first() {
                    Some(GenericArgument::Type(inner)) if last.ident == "Option" => {
                        is_known_key(inner)
                    }
                    _ => last.ident == "NonZero" || last.ident == "Text",
                },
                PathArguments::Parenthesized(_) => false,
            }
        }
        _ => false,
    }
}

/// Whether `written` is a type of the standard library that holds others: `Vec<T>`, `Option<T>`.
pub(crate) fn is_container(written: &Type) -> bool {
    let Type::Path(path) = written else { return false };
    let is_option = path.path.segments.last().is_some_and(|last| last.ident == "Option");
    is_option || of_path(path).is_some()
}

/// The `T` of `Option<T>`.
pub(crate) fn inside_option(written: &Type) -> Option<&Type> {
    let Type::Path(path) = written else { return None };
    let last = path.path.segments.last()?;
    match &last.arguments {
        PathArguments::AngleBracketed(arguments) if last.ident == "Option" => {
            match arguments.args.first() {
                Some(GenericArgument::Type(inner)) => Some(inner),
                _ => None,
            }
        }
        _ => None,
    }
}
