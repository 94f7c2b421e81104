//! The functions over the index trees: flat lists of calls, in the order of the trees.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Groove, Index, Source, number};

/// The types of the trees and the functions over them.
pub(super) fn expand(groove: &Groove<'_>) -> TokenStream {
    let types = types(groove);
    let open_and_visit = open_and_visit(groove);
    let unique_tree = unique_tree(groove);
    let insert = insert(groove);
    let update = update(groove);
    quote!(#types #open_and_visit #unique_tree #insert #update)
}

/// An index and its tree: `trees.3`.
fn trees<'a, 'g>(groove: &'g Groove<'a>) -> impl Iterator<Item = (TokenStream, &'g Index<'a>)> {
    groove.indexes.iter().enumerate().map(|(ordinal, index)| {
        let position = number(ordinal);
        (quote!(trees.#position), index)
    })
}

/// `name`, or `_name` where no call uses it.
fn parameter(name: &str, used: bool) -> TokenStream {
    let underscore = if used { "" } else { "_" };
    let ident = quote::format_ident!("{underscore}{name}");
    quote!(#ident)
}

fn types(groove: &Groove<'_>) -> TokenStream {
    let (primary, hidden) = match groove.primary() {
        Some(field) => {
            let key = groove.field_key(&field);
            (key.key(), key.hidden())
        }
        None => (quote!(__groove::u64), None),
    };
    let trees = groove.indexes.iter().enumerate().map(|(ordinal, index)| {
        let ordinal = number(ordinal);
        match index.kind.is_unique() {
            true => quote!(__groove::UniqueTree<{ __LIMBS[#ordinal] }>,),
            false => quote!(__groove::IndexTree<{ __LIMBS[#ordinal] }>,),
        }
    });
    quote! {
        #hidden
        type Primary = #primary;
        type IndexTrees = (#(#trees)*);
    }
}

fn open_and_visit(groove: &Groove<'_>) -> TokenStream {
    let any = !groove.indexes.is_empty();
    let opener = parameter("opener", any);
    let trees_parameter = parameter("trees", any);
    let visitor = parameter("visitor", any);
    // Without indexes the tuple is `()`, which an empty body gives.
    let opens = groove.indexes.iter().map(|index| match index.kind.is_unique() {
        true => quote!(opener.unique(),),
        false => quote!(opener.index(),),
    });
    let opened = any.then(|| quote!((#(#opens)*)));
    let visits = trees(groove).map(|(tree, index)| match index.kind.is_unique() {
        true => quote!(visitor.unique(&mut #tree);),
        false => quote!(visitor.index(&mut #tree);),
    });
    quote! {
        fn open_trees(#opener: &mut __groove::TreeOpener<'_>) -> Self::IndexTrees {
            #opened
        }
        fn visit_trees(
            #trees_parameter: &mut Self::IndexTrees,
            #visitor: &mut __groove::TreeVisitor<'_>,
        ) {
            #(#visits)*
        }
    }
}

fn unique_tree(groove: &Groove<'_>) -> TokenStream {
    let any_unique = groove.indexes.iter().any(|index| index.kind.is_unique());
    let trees_parameter = parameter("trees", any_unique);
    let ordinal = parameter("ordinal", any_unique);
    let arms = trees(groove).enumerate().filter(|(_, (_, index))| index.kind.is_unique()).map(
        |(ordinal, (tree, _))| {
            let ordinal = number(ordinal);
            quote!(#ordinal => __groove::Some(&mut #tree),)
        },
    );
    let body = match any_unique {
        true => quote! {
            match ordinal {
                #(#arms)*
                _ => __groove::None,
            }
        },
        false => quote!(__groove::None),
    };
    quote! {
        fn unique_tree(
            #trees_parameter: &mut Self::IndexTrees,
            #ordinal: __groove::usize,
        ) -> __groove::Option<&mut dyn __groove::AnyUniqueTree> {
            #body
        }
    }
}

fn insert(groove: &Groove<'_>) -> TokenStream {
    let any = !groove.indexes.is_empty();
    let any_unique = groove.indexes.iter().any(|index| index.kind.is_unique());
    let checked_trees = parameter("trees", any_unique);
    let trees_parameter = parameter("trees", any);
    let timestamp = parameter("timestamp", any);
    let checks = trees(groove).filter_map(|(tree, index)| {
        let (function, Source::Field(field)) = (index.function(), &index.source) else {
            return None;
        };
        let name = field.ident;
        let value = groove.field_key(field).value(quote!(&self.#name));
        index.kind.is_unique().then(|| quote!(#tree.check_insert(#function(self), #value)?;))
    });
    let inserts = trees(groove).map(|(tree, index)| {
        let function = index.function();
        quote!(#tree.insert(#function(self), timestamp);)
    });
    let removes = trees(groove).map(|(tree, index)| {
        let function = index.function();
        quote!(#tree.remove(#function(self), timestamp);)
    });
    quote! {
        fn check_insert(
            &self,
            #checked_trees: &Self::IndexTrees,
        ) -> __groove::Result<(), __groove::InsertError> {
            #(#checks)*
            __groove::Ok(())
        }
        fn insert_entries(
            &self,
            #trees_parameter: &mut Self::IndexTrees,
            #timestamp: __groove::u64,
        ) {
            #(#inserts)*
        }
        fn remove_entries(
            &self,
            #trees_parameter: &mut Self::IndexTrees,
            #timestamp: __groove::u64,
        ) {
            #(#removes)*
        }
    }
}

fn update(groove: &Groove<'_>) -> TokenStream {
    let any_unique = groove.indexes.iter().any(|index| index.kind.is_unique());
    let any_other = groove.indexes.iter().any(|index| !index.kind.is_unique());
    let checked = ["old", "new", "trees"].map(|name| parameter(name, any_unique));
    let [checked_old, checked_new, checked_trees] = checked;
    let updated = ["old", "new", "trees", "timestamp"].map(|name| parameter(name, any_other));
    let [old, new, trees_parameter, timestamp] = updated;
    let checks = trees(groove).filter_map(|(tree, index)| {
        let (function, Source::Field(field)) = (index.function(), &index.source) else {
            return None;
        };
        let name = field.ident;
        let key = groove.field_key(field);
        let (old, new) = (key.value(quote!(&old.#name)), key.value(quote!(&new.#name)));
        index
            .kind
            .is_unique()
            .then(|| quote!(#tree.check_update(#function(old), #function(new), #old, #new)?;))
    });
    let updates =
        trees(groove).filter(|(_, index)| !index.kind.is_unique()).map(|(tree, index)| {
            let function = index.function();
            quote!(#tree.update(#function(old), #function(new), timestamp);)
        });
    quote! {
        fn check_update(
            #checked_old: &Self,
            #checked_new: &Self,
            #checked_trees: &Self::IndexTrees,
        ) -> __groove::Result<(), __groove::UpdateError> {
            #(#checks)*
            __groove::Ok(())
        }
        fn update_entries(
            #old: &Self,
            #new: &Self,
            #trees_parameter: &mut Self::IndexTrees,
            #timestamp: __groove::u64,
        ) {
            #(#updates)*
        }
    }
}
