//! Writes a forest out as code: `open`, the struct of snapshots, and `impl Grooves`.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::Path;
use syn::spanned::Spanned;

use super::parse::Forest;

/// All items.
pub(crate) fn forest(forest: &Forest<'_>) -> TokenStream {
    let Forest { krate, ident, snapshot, .. } = forest;
    let openers = openers(forest);
    let snapshot_struct = snapshot_struct(forest);
    let verifies = forest.grooves.iter().map(|groove| {
        let field = groove.ident;
        quote_spanned!(groove.object.span()=> verified += self.#field.verify()?;)
    });
    let snapshot_verify = snapshot_verify(
        forest,
        &quote! {
            let mut verified = <#krate::Verified as ::core::default::Default>::default();
            #(#verifies)*
            ::core::result::Result::Ok(verified)
        },
    );
    let schemas = forest.grooves.iter().map(|groove| {
        let (name, object) = (&groove.name, groove.object);
        quote! {
            #krate::GrooveSchema {
                name: #name,
                schema: <#object as #krate::Object>::SCHEMA,
            }
        }
    });
    let fields: Vec<_> = forest.grooves.iter().map(|groove| groove.ident).collect();
    // Calls are spanned at the object type, which is underlined if it is none.
    let objects: Vec<_> = forest.grooves.iter().map(|groove| groove.object).collect();
    let opens =
        objects.iter().map(|object| quote_spanned!(object.span()=> opener.groove::<#object>()));
    let opens: Vec<_> = opens.collect();
    let visits = forest.grooves.iter().map(|groove| {
        let (field, object) = (groove.ident, groove.object);
        quote_spanned!(object.span()=> visitor.groove::<#object>(&mut write.#field);)
    });
    quote! {
        #openers
        #snapshot_struct
        #snapshot_verify

        #[automatically_derived]
        #[allow(unused_qualifications)]
        impl #krate::Grooves for #ident {
            type Write = #ident;
            type Snapshot = #snapshot;
            const GROOVES: &'static [#krate::GrooveSchema] = &[#(#schemas),*];
            fn open(opener: &mut #krate::__private::GrooveOpener<'_>) -> #ident {
                #ident { #(#fields: #opens,)* }
            }
            fn visit(write: &mut #ident, visitor: &mut #krate::__private::GrooveVisitor<'_>) {
                #(#visits)*
            }
            fn snapshot(opener: &mut #krate::__private::SnapshotOpener<'_>) -> #snapshot {
                #snapshot { #(#fields: #opens,)* }
            }
        }
    }
}

/// `path` with another span: a type that begins with it is underlined there.
fn at(path: &Path, span: Span) -> TokenStream {
    let respan = |mut token: TokenTree| {
        token.set_span(span);
        token
    };
    path.to_token_stream().into_iter().map(respan).collect()
}

/// The functions that open the forest's file.
fn openers(forest: &Forest<'_>) -> TokenStream {
    let Forest { krate, visibility, ident, snapshot, .. } = forest;
    let path = quote!(path: impl ::core::convert::AsRef<::std::path::Path>);
    quote! {
        #[automatically_derived]
        #[allow(dead_code)]
        impl #ident {
            /// Opens the file at `path`, which is created if there is none.
            ///
            /// # Errors
            /// If the file is in use, damaged, of another schema or not a groove file, and if the
            /// system refuses.
            #visibility fn open(
                #path,
                options: #krate::Options,
            ) -> ::core::result::Result<#krate::Forest<#ident>, #krate::OpenError> {
                #krate::Forest::<#ident>::open(path, options)
            }

            /// Opens the last checkpoint of the file at `path` to be read, beside a process that
            /// writes to it.
            ///
            /// # Errors
            /// If there is no such file, or as [`open`](Self::open).
            #visibility fn open_read_only(
                #path,
                options: #krate::Options,
            ) -> ::core::result::Result<#snapshot, #krate::OpenError> {
                #krate::Forest::<#ident>::open_read_only(path, options)
            }

            /// Checks the file at `path` completely, without changing anything: every block, and
            /// objects against index entries.
            ///
            /// # Errors
            /// The first damaged block, or as [`open_read_only`](Self::open_read_only).
            #visibility fn verify(
                #path,
                options: #krate::Options,
            ) -> ::core::result::Result<#krate::Verified, #krate::OpenError> {
                #krate::Forest::<#ident>::verify(path, options)
            }
        }
    }
}

/// The struct of snapshots, a field per groove.
fn snapshot_struct(forest: &Forest<'_>) -> TokenStream {
    let Forest { krate, visibility, ident, snapshot, .. } = forest;
    let doc = format!(" All grooves of [`{ident}`] as they were after one commit.");
    let fields = forest.grooves.iter().map(|groove| {
        let (visibility, name, object) = (groove.visibility, groove.ident, groove.object);
        let doc = format!(" The groove `{name}`.");
        let krate = at(krate, object.span());
        let snapshot = quote_spanned!(object.span()=> #krate::Snapshot<#object>);
        quote! {
            #[doc = #doc]
            #visibility #name: #snapshot
        }
    });
    quote! {
        #[doc = #doc]
        #[allow(dead_code)]
        #visibility struct #snapshot {
            #(#fields,)*
        }
    }
}

/// The function of the snapshots that checks them.
fn snapshot_verify(forest: &Forest<'_>, body: &TokenStream) -> TokenStream {
    let Forest { krate, visibility, snapshot, .. } = forest;
    quote! {
        #[automatically_derived]
        #[allow(dead_code)]
        impl #snapshot {
            /// Checks every groove: each block of its tables, and objects against index entries.
            ///
            /// # Errors
            /// The first block that is not as it must be.
            #visibility fn verify(
                &self,
            ) -> ::core::result::Result<#krate::Verified, #krate::ReadError> {
                #body
            }
        }
    }
}

/// What takes the place of the items when there are mistakes: the same names, nothing in them.
pub(crate) fn stand_in(forest: &Forest<'_>) -> TokenStream {
    let Forest { krate, ident, snapshot, .. } = forest;
    let openers = openers(forest);
    let snapshot_struct = snapshot_struct(forest);
    let never = quote!(::core::unreachable!());
    let snapshot_verify = snapshot_verify(forest, &never);
    quote! {
        #openers
        #snapshot_struct
        #snapshot_verify
        #[automatically_derived]
        impl #krate::Grooves for #ident {
            type Write = #ident;
            type Snapshot = #snapshot;
            const GROOVES: &'static [#krate::GrooveSchema] = &[];
            fn open(_: &mut #krate::__private::GrooveOpener<'_>) -> #ident { #never }
            fn visit(_: &mut #ident, _: &mut #krate::__private::GrooveVisitor<'_>) { #never }
            fn snapshot(_: &mut #krate::__private::SnapshotOpener<'_>) -> #snapshot { #never }
        }
    }
}
