//! `index_from_object_…`: the encoded key of an object, one function per index.
//!
//! Of a primitive type the derive knows that it is a key. A type that it knows by name only has an
//! alias, `__Field3` or `__Derived7`: the same type as far as it is a field and a key, a stand-in
//! otherwise. So the compiler complains of it once, and not in each function that mentions it; see
//! `groove_core::field::checked`.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::{Type, TypePath};

use super::{Field, Groove, Index, Source, number, types, under};

impl Index<'_> {
    /// The type of the key, as the handle has it.
    pub(super) fn key(&self) -> TokenStream {
        match &self.source {
            Source::Field(field) => field.field_type.to_token_stream(),
            Source::Compound(parts, parentheses) => {
                let types = parts.iter().map(|part| part.field_type);
                tuple(quote!(#(#types),*), *parentheses)
            }
            Source::Derived(derived) => derived.key.to_token_stream(),
        }
    }

    /// The function that encodes the key of an object.
    pub(super) fn function(&self) -> Ident {
        format_ident!("index_from_object_{}", self.name)
    }
}

/// The tuple of `types`, underlined where the parts of the index are listed.
fn tuple(types: TokenStream, parentheses: Span) -> TokenStream {
    let mut tuple = Group::new(Delimiter::Parenthesis, types);
    tuple.set_span(parentheses);
    tuple.to_token_stream()
}

/// How generated code speaks of the type of a key or of a part of one.
pub(super) struct Key<'a> {
    written: &'a Type,
    alias: Option<Ident>,
}

impl<'a> Key<'a> {
    fn new(written: &'a Type, alias: Ident) -> Key<'a> {
        Key { written, alias: (!types::is_known_key(written)).then_some(alias) }
    }

    /// The type, or a stand-in that has the traits of a key.
    pub(super) fn key(&self) -> TokenStream {
        self.member(&quote!(Key))
    }

    /// Keeps the type out of the documentation if it is not written as the user did.
    pub(super) fn hidden(&self) -> Option<TokenStream> {
        self.alias.as_ref().map(|_| quote!(#[doc(hidden)]))
    }

    /// The type, or a stand-in if it is not even a field: what is complained of if it is no key.
    fn asked(&self) -> TokenStream {
        self.member(&quote!(Asked))
    }

    fn member(&self, name: &TokenStream) -> TokenStream {
        let written = self.written;
        match &self.alias {
            None => written.to_token_stream(),
            Some(alias) => under(written, quote!(<#alias as __groove::Check>::#name)),
        }
    }

    /// The expression `value`, a reference to the type, as one to [`Key::key`].
    pub(super) fn value(&self, value: TokenStream) -> TokenStream {
        match &self.alias {
            None => value,
            Some(alias) => quote!(<#alias as __groove::Check>::key(#value)),
        }
    }
}

impl Groove<'_> {
    /// The type of `field` as a key or a part of one.
    pub(super) fn field_key<'k>(&self, field: &Field<'k>) -> Key<'k> {
        let position = self.fields.iter().position(|other| other.ident == field.ident);
        let position = position.expect("an index is on fields of the object");
        Key::new(field.field_type, format_ident!("__Field{position}"))
    }

    fn derived_key(&self, ordinal: usize) -> Option<Key<'_>> {
        match &self.indexes[ordinal].source {
            Source::Derived(derived) => {
                Some(Key::new(&derived.key, format_ident!("__Derived{ordinal}")))
            }
            _ => None,
        }
    }
}

/// The aliases of the types that are known by name only, in the order of the fields.
pub(super) fn aliases(groove: &Groove<'_>) -> TokenStream {
    let is_indexed = |field: &&Field<'_>| {
        groove.indexes.iter().any(|index| match &index.source {
            Source::Field(other) => other.ident == field.ident,
            Source::Compound(parts, _) => parts.iter().any(|part| part.ident == field.ident),
            Source::Derived(_) => false,
        })
    };
    let of_fields = groove.fields.iter().filter(is_indexed).map(|field| groove.field_key(field));
    let of_derived = (0..groove.indexes.len()).filter_map(|ordinal| groove.derived_key(ordinal));
    let aliases: Vec<_> = of_fields
        .chain(of_derived)
        .filter_map(|key| {
            let (alias, written) = (key.alias?, key.written);
            let is = quote!(__groove::Is::<#written>);
            Some(quote! {
                type #alias = __groove::Checked<#written, { #is::FIELD }, { #is::KEY }>;
            })
        })
        .collect();
    if aliases.is_empty() {
        return TokenStream::new();
    }
    quote! {
        use __groove::IsNot as _;
        #(#aliases)*
    }
}

/// The width of the key of index number `ordinal`; the one place where a type is asked to be a key.
pub(super) fn width(groove: &Groove<'_>, ordinal: usize) -> TokenStream {
    let index = &groove.indexes[ordinal];
    let key = match &index.source {
        Source::Field(field) => groove.field_key(field).asked(),
        Source::Compound(parts, parentheses) => {
            let types = parts.iter().map(|part| groove.field_key(part).asked());
            tuple(quote!(#(#types),*), *parentheses)
        }
        Source::Derived(_) => {
            let key = groove.derived_key(ordinal).expect("the index is derived");
            key.asked()
        }
    };
    quote!(<#key as __groove::IndexKey>::KEY_WIDTH)
}

/// The limbs of each tree's keys.
pub(super) fn limbs(groove: &Groove<'_>) -> TokenStream {
    if groove.indexes.is_empty() {
        return TokenStream::new();
    }
    let count = number(groove.indexes.len());
    let asserts = (0..groove.indexes.len()).filter_map(|ordinal| assert_width(groove, ordinal));
    quote! {
        const __LIMBS: [__groove::usize; #count] =
            __groove::tree_limbs(&__INDEXES);
        #(#asserts)*
    }
}

/// An assertion that the key is not too wide, for keys of which this is not plain to see. It is the
/// first to fail and underlines the type; the engine's own are seen only when code is generated.
fn assert_width(groove: &Groove<'_>, ordinal: usize) -> Option<TokenStream> {
    let index = &groove.indexes[ordinal];
    let is_narrow = match &index.source {
        Source::Field(field) => types::is_scalar(field.field_type),
        Source::Derived(derived) => types::is_scalar(&derived.key),
        Source::Compound(..) => false,
    };
    if is_narrow {
        return None;
    }
    let message = format!(
        "the key of index `{}` is wider than 32 bytes; index less of it, by a shorter type or by \
         `#[groove(derived(…))]`",
        index.name
    );
    let ordinal = number(ordinal);
    let assert = quote! {
        __groove::assert_key_width(__INDEXES[#ordinal].key_width, #message)
    };
    let assert = under(index.key(), assert);
    Some(quote!(const _: () = #assert;))
}

/// The function that gives the key of an object, `None` where the index has none for it.
pub(super) fn index_from_object(groove: &Groove<'_>, ordinal: usize) -> TokenStream {
    let ident = groove.ident;
    let index = &groove.indexes[ordinal];
    let function = index.function();
    let encode = match index.kind.is_unique() {
        true => quote!(__groove::unique_key),
        false => quote!(__groove::index_key),
    };
    let body = match &index.source {
        Source::Field(field) => {
            let name = field.ident;
            let key = groove.field_key(field);
            let value = key.value(quote!(&object.#name));
            let encoded = quote!(__groove::Some(#encode(#value)));
            match index.optional {
                false => encoded,
                true => {
                    let key = key.key();
                    quote! {
                        if <#key as __groove::OptionalKey>::is_absent(#value) {
                            __groove::None
                        } else {
                            #encoded
                        }
                    }
                }
            }
        }
        Source::Compound(parts, _) => {
            let values = parts.iter().map(|part| {
                let name = part.ident;
                groove.field_key(part).value(quote!(&object.#name))
            });
            quote!(__groove::Some(#encode(&(#(#values),*))))
        }
        Source::Derived(derived) => {
            let (path, key) = (of_struct(&derived.function, ident), &derived.key);
            // Under the key's type: that is what a function of another type disagrees with.
            let function_type = under(key, quote!(fn(&#ident) -> __groove::Option<#key>));
            let value =
                groove.derived_key(ordinal).expect("the index is derived").value(quote!(&key));
            quote! {
                let function: #function_type = #path;
                match function(object) {
                    __groove::Some(key) => {
                        __groove::Some(#encode(#value))
                    }
                    __groove::None => __groove::None,
                }
            }
        }
    };
    let ordinal = number(ordinal);
    quote! {
        fn #function(
            object: &#ident,
        ) -> __groove::Option<[__groove::u64; __LIMBS[#ordinal]]> {
            #body
        }
    }
}

/// `path`, in which `Self` is the struct: the function that calls it is no method.
fn of_struct(path: &TypePath, ident: &Ident) -> TypePath {
    let mut path = path.clone();
    if let (None, Some(first)) = (&path.qself, path.path.segments.first_mut())
        && first.ident == "Self"
    {
        first.ident = format_ident!("{ident}", span = first.ident.span());
    }
    path
}
