//! `index_from_object_…`: the encoded key of an object, one function per index.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

use super::{Groove, Index, Source, number, types};

/// Types whose keys are plainly narrow enough.
const SCALARS: [&str; 14] = [
    "u8", "u16", "u32", "u64", "u128", "i8", "i16", "i32", "i64", "i128", "bool", "char", "f32",
    "f64",
];

impl Index<'_> {
    /// The type of the key.
    pub(super) fn key(&self) -> TokenStream {
        match &self.source {
            Source::Field(field) => field.field_type.to_token_stream(),
            Source::Compound(parts, parentheses) => {
                let types = parts.iter().map(|part| part.field_type);
                quote_spanned!(*parentheses=> (#(#types),*))
            }
            Source::Derived(derived) => derived.key.to_token_stream(),
        }
    }

    /// Whether the key is written as a primitive type.
    fn has_scalar_key(&self) -> bool {
        let key = match &self.source {
            Source::Field(field) => field.field_type,
            Source::Derived(derived) => &derived.key,
            Source::Compound(..) => return false,
        };
        SCALARS.iter().any(|name| types::is_primitive(key, name))
    }

    /// The function that encodes the key of an object.
    pub(super) fn function(&self) -> Ident {
        format_ident!("index_from_object_{}", self.name)
    }
}

/// The widths of the encoded keys, by the ordinal of their index.
pub(super) fn widths(groove: &Groove<'_>) -> TokenStream {
    let krate = &groove.krate;
    if groove.indexes.is_empty() {
        return TokenStream::new();
    }
    let count = number(groove.indexes.len());
    let asserts = (0..groove.indexes.len()).filter_map(|ordinal| assert_width(groove, ordinal));
    let widths = groove.indexes.iter().map(|index| {
        let key = index.key();
        quote!(<#key as #krate::IndexKey>::KEY_WIDTH)
    });
    quote! {
        const __KEY_WIDTHS: [::core::primitive::usize; #count] = [#(#widths),*];
        #(#asserts)*
    }
}

/// An assertion that the key is not too wide, for keys of which this is not plain to see. It is the
/// first to fail and underlines the type; the engine's own are seen only when code is generated.
fn assert_width(groove: &Groove<'_>, ordinal: usize) -> Option<TokenStream> {
    let krate = &groove.krate;
    let index = &groove.indexes[ordinal];
    if index.has_scalar_key() {
        return None;
    }
    let message = format!(
        "the key of index `{}` is wider than 32 bytes; index less of it, by a shorter type or by \
         `#[groove(derived(…))]`",
        index.name
    );
    let ordinal = number(ordinal);
    Some(quote_spanned! {index.key().span()=>
        const _: () = ::core::assert!(
            __KEY_WIDTHS[#ordinal] <= #krate::__private::INDEX_KEY_WIDTH_MAX,
            #message
        );
    })
}

/// The limbs of a tree's keys: those of the index key and, unless it is unique, the timestamp.
pub(super) fn limbs(groove: &Groove<'_>, ordinal: usize) -> TokenStream {
    let krate = &groove.krate;
    let is_unique = groove.indexes[ordinal].kind.is_unique();
    let ordinal = number(ordinal);
    match is_unique {
        true => quote!({ #krate::__private::unique_limbs(__KEY_WIDTHS[#ordinal]) }),
        false => quote!({ #krate::__private::index_limbs(__KEY_WIDTHS[#ordinal]) }),
    }
}

/// The function that gives the key of an object, `None` where the index has none for it.
pub(super) fn index_from_object(groove: &Groove<'_>, ordinal: usize) -> TokenStream {
    let Groove { krate, ident, .. } = groove;
    let index = &groove.indexes[ordinal];
    let function = index.function();
    let limbs = limbs(groove, ordinal);
    let key = index.key();
    // A named type has the compiler underline that type where it is no key. Of two complaints about
    // it in one function the compiler shows the first; that is the one it shows for `__KEY_WIDTHS`
    // already, and so one in all.
    let (arguments, complaint) = match &index.source {
        Source::Compound(..) => (None, None),
        _ if index.has_scalar_key() => (Some(quote!(::<#key, _>)), None),
        _ => {
            let complaint = quote!(let _ = <#key as #krate::IndexKey>::KEY_WIDTH;);
            (Some(quote!(::<#key, _>)), Some(complaint))
        }
    };
    let encode = match index.kind.is_unique() {
        true => quote!(#krate::__private::unique_key #arguments),
        false => quote!(#krate::__private::index_key #arguments),
    };
    let body = match &index.source {
        Source::Field(field) if index.optional => {
            let name = field.ident;
            quote! {
                if <#key as #krate::OptionalKey>::is_absent(&object.#name) {
                    ::core::option::Option::None
                } else {
                    ::core::option::Option::Some(#encode(&object.#name))
                }
            }
        }
        Source::Field(field) => {
            let name = field.ident;
            quote!(::core::option::Option::Some(#encode(&object.#name)))
        }
        Source::Compound(parts, _) => {
            let names = parts.iter().map(|part| part.ident);
            quote!(::core::option::Option::Some(#encode(&(#(&object.#names),*))))
        }
        Source::Derived(derived) => {
            let path = &derived.function;
            // Spanned at the key's type: that is what a function of another type disagrees with.
            let function_type = quote_spanned! {derived.key.span()=>
                fn(&#ident) -> ::core::option::Option<#key>
            };
            quote! {
                let function: #function_type = #path;
                match function(object) {
                    ::core::option::Option::Some(key) => ::core::option::Option::Some(#encode(&key)),
                    ::core::option::Option::None => ::core::option::Option::None,
                }
            }
        }
    };
    quote! {
        fn #function(
            object: &#ident,
        ) -> ::core::option::Option<[::core::primitive::u64; #limbs]> {
            #complaint
            #body
        }
    }
}
