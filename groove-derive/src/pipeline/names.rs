//! Names as text.

use proc_macro2::Ident;
use syn::ext::IdentExt;

/// The name of a field, struct or variant as the file stores it: without `r#`.
pub(crate) fn plain(ident: &Ident) -> String {
    ident.unraw().to_string()
}
