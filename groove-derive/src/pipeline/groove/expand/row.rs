//! The row: every field but the timestamp, at a fixed width and in declaration order.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Groove, number};

/// Where each field begins, and after the last one the width of the row.
pub(super) fn offsets(groove: &Groove<'_>) -> TokenStream {
    let krate = &groove.krate;
    let bounds = number(groove.fields.len() + 1);
    let widths = groove.fields.iter().map(|field| {
        let field_type = field.field_type;
        quote!(<#field_type as #krate::Field>::WIDTH)
    });
    quote! {
        const __OFFSETS: [::core::primitive::usize; #bounds] =
            #krate::__private::offsets([#(#widths),*]);
    }
}

/// The bytes of field `position` in the slice `row`.
fn column(position: usize) -> TokenStream {
    let (position, end) = (number(position), number(position + 1));
    quote!(row[__OFFSETS[#position]..__OFFSETS[#end]])
}

/// The functions between object and row.
pub(super) fn functions(groove: &Groove<'_>) -> TokenStream {
    let Groove { krate, ident, timestamp, .. } = groove;
    let row = if groove.fields.is_empty() { quote!(_row) } else { quote!(row) };
    let writes = groove.fields.iter().enumerate().map(|(position, field)| {
        let (name, field_type, column) = (field.ident, field.field_type, column(position));
        quote!(<#field_type as #krate::Field>::write(&self.#name, &mut #column);)
    });
    let reads = groove.fields.iter().enumerate().map(|(position, field)| {
        let (name, field_type, column) = (field.ident, field.field_type, column(position));
        quote!(#name: <#field_type as #krate::Field>::read(&#column)?,)
    });
    quote! {
        fn timestamp(&self) -> ::core::primitive::u64 {
            self.#timestamp
        }
        fn set_timestamp(&mut self, timestamp: ::core::primitive::u64) {
            self.#timestamp = timestamp;
        }
        fn write_row(&self, #row: &mut [::core::primitive::u8]) {
            #(#writes)*
        }
        fn read_row(
            timestamp: ::core::primitive::u64,
            #row: &[::core::primitive::u8],
        ) -> ::core::result::Result<Self, #krate::InvalidValue> {
            ::core::result::Result::Ok(#ident {
                #(#reads)*
                #timestamp: timestamp,
            })
        }
    }
}
