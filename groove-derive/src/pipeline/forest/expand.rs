//! Writes a forest out as code: `open`, the struct of snapshots, and `impl Grooves`.

use proc_macro2::TokenStream;
use quote::quote;

use super::parse::Forest;

/// `where` the objects are objects: what generated code takes for granted. A type that is none is
/// complained of at the user's own field, and once. Such a clause is refused where it does not hold,
/// unless it is about a lifetime that the caller chooses.
fn where_objects(forest: &Forest<'_>) -> TokenStream {
    let krate = &forest.krate;
    let objects = forest.grooves.iter().map(|groove| groove.object);
    quote!(where #(for<'any> #objects: #krate::Object),*)
}

/// All items.
pub(crate) fn forest(forest: &Forest<'_>) -> TokenStream {
    let Forest { krate, ident, snapshot, .. } = forest;
    let openers = openers(forest);
    let snapshot_struct = snapshot_struct(forest);
    let verified = forest.grooves.iter().map(|groove| groove.ident);
    let snapshot_verify = snapshot_verify(
        forest,
        &quote! {
            let mut verified = <#krate::Verified as ::core::default::Default>::default();
            #(verified += self.#verified.verify()?;)*
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
    let objects: Vec<_> = forest.grooves.iter().map(|groove| groove.object).collect();
    let where_objects = where_objects(forest);
    quote! {
        #openers
        #snapshot_struct
        #snapshot_verify

        #[automatically_derived]
        #[allow(unused_qualifications)]
        impl #krate::Grooves for #ident
        #where_objects
        {
            type Write = #ident;
            type Snapshot = #snapshot;
            const GROOVES: &'static [#krate::GrooveSchema] = &[#(#schemas),*];
            fn open(opener: &mut #krate::__private::GrooveOpener<'_>) -> #ident {
                #ident { #(#fields: opener.groove::<#objects>(),)* }
            }
            fn visit(write: &mut #ident, visitor: &mut #krate::__private::GrooveVisitor<'_>) {
                #(visitor.groove::<#objects>(&mut write.#fields);)*
            }
            fn snapshot(opener: &mut #krate::__private::SnapshotOpener<'_>) -> #snapshot {
                #snapshot { #(#fields: opener.groove::<#objects>(),)* }
            }
        }
    }
}

/// The functions that open the forest's file.
fn openers(forest: &Forest<'_>) -> TokenStream {
    let Forest { krate, visibility, ident, snapshot, .. } = forest;
    let where_objects = where_objects(forest);
    let path = quote!(path: impl ::core::convert::AsRef<::std::path::Path>);
    quote! {
        #[automatically_derived]
        #[allow(dead_code)]
        impl #ident
        #where_objects
        {
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
        quote! {
            #[doc = #doc]
            #visibility #name: #krate::Snapshot<#object>
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
    let where_objects = where_objects(forest);
    quote! {
        #[automatically_derived]
        #[allow(dead_code)]
        impl #snapshot
        #where_objects
        {
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
    let where_objects = where_objects(forest);
    let never = quote!(::core::unreachable!());
    let snapshot_verify = snapshot_verify(forest, &never);
    quote! {
        #openers
        #snapshot_struct
        #snapshot_verify
        #[automatically_derived]
        impl #krate::Grooves for #ident
        #where_objects
        {
            type Write = #ident;
            type Snapshot = #snapshot;
            const GROOVES: &'static [#krate::GrooveSchema] = &[];
            fn open(_: &mut #krate::__private::GrooveOpener<'_>) -> #ident { #never }
            fn visit(_: &mut #ident, _: &mut #krate::__private::GrooveVisitor<'_>) { #never }
            fn snapshot(_: &mut #krate::__private::SnapshotOpener<'_>) -> #snapshot { #never }
        }
    }
}
