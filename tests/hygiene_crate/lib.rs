//! Derives where `groove` goes by another name and is re-exported by a module of this crate: a path
//! in generated code that begins with `::groove` does not compile here.
#![no_implicit_prelude]

/// A crate that re-exports groove would look like this module.
pub mod engine {
    pub use ::store;
}

/// A field type under `crate = "…"` as a string.
#[derive(::store::Field, ::core::clone::Clone, ::core::marker::Copy)]
#[groove(crate = "::store")]
pub enum Side {
    /// Discriminant 0.
    Buy,
    /// Discriminant 1.
    Sell,
}

/// A newtype under `crate = …` as a path.
#[derive(::store::Field, ::core::clone::Clone, ::core::marker::Copy)]
#[groove(crate = ::store)]
pub struct OrderId(pub u64);

/// An object under a path into this crate.
#[derive(::store::Groove, ::core::clone::Clone, ::core::marker::Copy)]
#[groove(crate = "crate::engine::store", orphaned_ids)]
#[groove(index(by_side_price = (side, price)), derived(cents: i64 = Order::cents))]
pub struct Order {
    /// The primary key.
    #[index(primary)]
    pub id: OrderId,
    /// A field type of this crate as a key.
    #[index]
    pub side: Side,
    /// An optional key.
    #[index(optional)]
    pub price: i64,
    /// The timestamp.
    pub timestamp: u64,
}

impl Order {
    fn cents(&self) -> ::core::option::Option<i64> {
        ::core::option::Option::Some(self.price % 100)
    }
}

/// A forest under another name.
#[derive(::store::Forest)]
#[groove(crate = ::store)]
pub struct Exchange {
    /// The only groove.
    pub orders: ::store::Groove<Order>,
}
