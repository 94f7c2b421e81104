//! The row: every field but the timestamp, at a fixed width and in declaration order.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Groove, number, plain};

/// The table of the fields, and where each begins.
pub(super) fn fields(groove: &Groove<'_>) -> TokenStream {
    let count = number(groove.fields.len());
    let bounds = number(groove.fields.len() + 1);
    let fields = groove.fields.iter().map(|field| {
        let (name, field_type) = (plain(field.ident), field.field_type);
        quote! {
            (#name, <#field_type as __groove::Field>::TYPE, <#field_type as __groove::Field>::WIDTH)
        }
    });
    quote! {
        const __FIELDS: [__groove::FieldSchema; #count] = __groove::FieldSchema::row([#(#fields),*]);
        const __OFFSETS: [__groove::usize; #bounds] = __groove::FieldSchema::offsets(&__FIELDS);
    }
}

/// The bytes of field `position` in the slice `row`.
fn column(position: usize) -> TokenStream {
    let (position, end) = (number(position), number(position + 1));
    quote!(row[__OFFSETS[#position]..__OFFSETS[#end]])
}

/// The functions between object and row.
pub(super) fn functions(groove: &Groove<'_>) -> TokenStream {
    let Groove { ident, timestamp, .. } = groove;
    let row = if groove.fields.is_empty() { quote!(_row) } else { quote!(row) };
    let writes = groove.fields.iter().enumerate().map(|(position, field)| {
        let (name, field_type, column) = (field.ident, field.field_type, column(position));
        quote!(<#field_type as __groove::Field>::write(&self.#name, &mut #column);)
    });
    let reads = groove.fields.iter().enumerate().map(|(position, field)| {
        let (name, field_type, column) = (field.ident, field.field_type, column(position));
        quote!(#name: <#field_type as __groove::Field>::read(&#column)?,)
    });
    // As a call of its own, `read_row` returns an object by way of memory; the caller then copies it in larger
    // pieces than it was written in, and waits until each field has got there.
    quote! {
        fn timestamp(&self) -> __groove::u64 {
            self.#timestamp
        }
        fn set_timestamp(&mut self, timestamp: __groove::u64) {
            self.#timestamp = timestamp;
        }
        fn write_row(&self, #row: &mut [__groove::u8]) {
            #(#writes)*
        }
        #[inline(always)]
        fn read_row(
            timestamp: __groove::u64,
            #row: &[__groove::u8],
        ) -> __groove::Result<Self, __groove::InvalidValue> {
            __groove::Ok(#ident {
                #(#reads)*
                #timestamp: timestamp,
            })
        }
    }
}
