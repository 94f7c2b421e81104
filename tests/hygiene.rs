//! Generated code means the same whatever its surroundings define: no prelude is imported here, and
//! names that the code could pick up by mistake stand for something else.
#![no_implicit_prelude]
#![allow(
    dead_code,
    non_camel_case_types,
    reason = "the items are there to be in the way of generated code"
)]

use ::groove::{Field, Forest, Groove};

mod core {}
mod std {}
mod groove {}

struct Option;
struct Some;
struct None;
struct Result;
struct Ok;
struct Err;
struct Object;
struct Index;
struct UniqueIndex;
struct Schema;
struct str;
struct bool;
struct u8;
struct u64;
struct usize;
struct i128;

/// Methods of these names would take precedence over those of the traits that generated code calls,
/// if it called them by method syntax.
trait InTheWay {
    fn write(&self) {}
    fn read(&self) {}
    fn write_key(&self) {}
    fn is_absent(&self) {}
    fn map(&self) {}
    fn index(&self) {}
    fn unique(&self) {}
    fn groove(&self) {}
}

impl<T> InTheWay for T {}

#[derive(Field, ::core::clone::Clone, ::core::marker::Copy)]
enum Side {
    Buy = -1,
    Sell = 1,
}

#[derive(Field, ::core::clone::Clone, ::core::marker::Copy)]
struct OrderId(u128);

#[derive(Groove, ::core::clone::Clone, ::core::marker::Copy)]
#[groove(orphaned_ids, index(by_side_price = (side, price)))]
#[groove(derived(expires_at: ::core::primitive::u64 = Order::expires_at))]
struct Order {
    #[index(primary)]
    id: OrderId,
    #[index]
    side: Side,
    #[index(unique, optional)]
    parent: ::core::option::Option<u32>,
    #[groove(ignore)]
    price: i64,
    timestamp: ::core::primitive::u64,
}

impl Order {
    fn expires_at(&self) -> ::core::option::Option<::core::primitive::u64> {
        ::core::option::Option::Some(self.timestamp)
    }
}

#[derive(Groove)]
struct Tick {
    timestamp: ::core::primitive::u64,
}

#[derive(Forest)]
struct Exchange {
    orders: Groove<Order>,
    ticks: Groove<Tick>,
}

#[::core::prelude::v1::test]
fn generated_code_compiles_without_a_prelude_and_among_names_of_its_own() {
    let names = ::core::iter::Iterator::map(Order::SCHEMA.indexes.iter(), |index| index.name);
    let expected = ["id", "side", "parent", "by_side_price", "expires_at"];
    ::core::assert!(::core::iter::Iterator::eq(names, expected));
    ::core::assert!(<Exchange as ::groove::Grooves>::GROOVES.len() == 2);
}

#[::core::prelude::v1::test]
fn derives_work_where_the_crate_has_another_name() {
    ::core::assert!(::groove_hygiene::Order::SCHEMA.name == "Order");
    ::core::assert!(<::groove_hygiene::Exchange as ::groove::Grooves>::GROOVES.len() == 1);
}
