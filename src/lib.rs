//! A typed, durable, indexed store derived from a plain struct.
//!
//! Write a struct, derive [`Groove`](derive@Groove), and get a store compiled for exactly that
//! struct: objects by timestamp, a tree per index, all in one file, changed together or not at all.
//!
//! ```
//! use groove::{Forest, Groove, Options};
//!
//! #[derive(Groove, Clone, Copy, Debug, PartialEq)]
//! struct Account {
//!     #[index(primary)]
//!     id: u64,
//!     #[index]
//!     ledger: u32,
//!     #[groove(ignore)]
//!     balance: i64,
//!     timestamp: u64, // 0 at insert: the forest assigns one
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = std::env::temp_dir().join(format!("groove-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&directory)?;
//! # let path = directory.join("accounts.groove");
//! # let _ = std::fs::remove_file(&path);
//! let forest = Forest::<Account>::open(&path, Options::default())?; // created if there is none
//! forest.write(|accounts| {
//!     accounts.insert(Account { id: 7, ledger: 700, balance: 0, timestamp: 0 })?;
//!     accounts.modify(7, |account| account.balance += 10)?;
//!     Ok(())
//! })?; // on disk, in all trees
//!
//! let accounts = forest.snapshot();
//! assert_eq!(accounts.get(7)?.map(|account| account.balance), Some(10));
//! assert_eq!(accounts.count(Account::LEDGER.eq(700))?, 1);
//! # drop((accounts, forest));
//! # std::fs::remove_dir_all(&directory)?;
//! # Ok(())
//! # }
//! ```
//!
//! Conditions on any fields combine to a query, whose plan the counts of the trees decide:
//!
//! ```
//! use std::sync::Arc;
//!
//! use groove::storage::MemoryStorage;
//! use groove::{Forest, Groove, Options, Predicate, Text};
//!
//! #[derive(Groove, Debug)]
//! struct Airport {
//!     #[index(primary)]
//!     code: Text<3>,
//!     #[index]
//!     altitude: i16,
//!     timestamp: u64,
//! }
//!
//! #[derive(Groove, Debug)]
//! #[groove(index(route = (origin, destination)))]
//! struct Flight {
//!     #[groove(ignore)]
//!     origin: Text<3>,
//!     #[index]
//!     destination: Text<3>,
//!     #[index]
//!     delay: i16,
//!     #[groove(ignore)]
//!     air_time: u16,
//!     timestamp: u64,
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let storage = || Arc::new(MemoryStorage::new());
//! # let airports = Forest::<Airport>::open_storage(storage(), Options::default())?;
//! # let flights = Forest::<Flight>::open_storage(storage(), Options::default())?;
//! # airports.write(|airports| {
//! #     for (code, altitude) in [("DEN", 5431), ("JFK", 13), ("JAC", 6451)] {
//! #         airports.insert(Airport { code: Text::new(code)?, altitude, timestamp: 0 })?;
//! #     }
//! #     Ok(())
//! # })?;
//! # flights.write(|flights| {
//! #     for (destination, delay, air_time) in [("DEN", 7, 230), ("LAX", 90, 330), ("JAC", 40, 260)] {
//! #         let (origin, destination) = (Text::new("JFK")?, Text::new(destination)?);
//! #         flights.insert(Flight { origin, destination, delay, air_time, timestamp: 0 })?;
//! #     }
//! #     Ok(())
//! # })?;
//! let (airports, flights) = (airports.snapshot(), flights.snapshot());
//! // The first part of a compound index, and a field without an index, which rows tell:
//! let long = Flight::ROUTE.prefix(("JFK",)) & Flight::AIR_TIME.gt(240);
//! assert_eq!(flights.count(long.clone())?, 2);
//! // An index need not be named to be used: this is one look at `ROUTE`.
//! assert_eq!(flights.count(Flight::ORIGIN.eq("JFK") & Flight::DESTINATION.eq("LAX"))?, 1);
//! // Made at run time:
//! let wanted = vec![Flight::DELAY.ge(30), Flight::DESTINATION.prefix("D")];
//! assert_eq!(flights.count(Predicate::any_of(wanted))?, 3);
//! // In the order of an index:
//! let worst = flights.query(long.clone()).order_by(Flight::DELAY).descending().limit(1).collect()?;
//! assert_eq!(&*worst[0].destination, "LAX");
//! // A semi-join: flights to high airports.
//! let high = airports.query(Airport::ALTITUDE.gt(5_000)).keys(Airport::CODE)?;
//! let there = flights.query(Flight::DESTINATION.one_of_keys(&high)).newest_first();
//! assert_eq!(there.count()?, 2);
//! println!("{}", there.explain()?); // the plan, with rows and blocks
//! # Ok(())
//! # }
//! ```
//!
//! * [`derive(Groove)`](derive@Groove) describes the attributes and what is generated;
//!   [`derive(Forest)`](derive@Forest) puts several grooves into one file;
//!   [`derive(Field)`](derive@Field) makes an enum or a newtype the type of a field.
//! * [`Forest`](struct@Forest) opens, writes and takes snapshots; in a scope a
//!   [`Groove`](struct@Groove) inserts, updates, removes and looks up; a [`Snapshot`] answers
//!   queries.
//! * Every fallible operation has an error enum of its own; see [`OpenError`], [`InsertError`],
//!   [`UpdateError`], [`CommitError`], [`ReadError`] and [`QueryError`].

#![forbid(unsafe_code)]

mod discriminant;

pub use groove_core::error::{
    BlockKind, CommitError, Corruption, Damage, InsertError, OpenError, QueryError, ReadError,
    UpdateError,
};
#[cfg(feature = "bytemuck")]
pub use groove_core::field::Pod;
pub use groove_core::field::{
    Described, Field, IndexKey, InvalidValue, OptionalKey, Text, TextError,
};
pub use groove_core::schema::{
    FieldSchema, FieldType, GrooveSchema, IndexKind, IndexSchema, IndexSource, Schema,
};
pub use groove_core::storage;
pub use groove_core::{
    Abort, Clock, Cursor, Durability, Explanation, FieldKey, Forest, Groove, Grooves, Index,
    IndexHandle, IndexTree, KeyBounds, KeySet, Lookup, Object, ObjectTimestamps, Objects, Operand,
    Options, Ordered, OrderedObjects, Page, Predicate, Prefetch, Prefix, Query, Scope, ScopeEnd,
    Snapshot, Statistics, Timestamps, Unindexed, UniqueIndex, UniqueTree, Verified, WriteError,
};

/// Makes a struct an object type: a row, a tree per index, and typed handles of the indexes.
///
/// ```
/// use groove::Groove;
///
/// #[derive(Groove, Clone, Copy, Debug, PartialEq)]
/// #[groove(orphaned_ids, derived(expires_at: u64 = Transfer::expires_at))]
/// #[groove(index(by_ledger_code = (ledger, code)))]
/// struct Transfer {
///     #[index(primary)]
///     id: u128,
///     #[index]
///     debit_account_id: u128,
///     #[index(unique, optional)]
///     pending_id: u128, // 0: absent, not indexed
///     #[groove(ignore)]
///     timeout: u32,
///     #[groove(ignore)]
///     ledger: u32,
///     #[index]
///     code: u16,
///     timestamp: u64, // 0 at insert: the forest assigns one
/// }
///
/// impl Transfer {
///     fn expires_at(&self) -> Option<u64> {
///         (self.timeout > 0).then(|| self.timestamp + u64::from(self.timeout))
///     }
/// }
///
/// let predicate = Transfer::DEBIT_ACCOUNT_ID.eq(7) & !Transfer::CODE.eq(3);
/// # let _ = predicate;
/// println!("{}", Transfer::SCHEMA); // fields, trees, bytes of each
/// ```
///
/// The struct has named fields and no parameters. It needs no `repr` and no other derive. Exactly
/// one field is the timestamp; every other field says whether it is indexed:
///
/// ```compile_fail
/// #[derive(groove::Groove)]
/// struct Account {
///     id: u64, // neither `#[index]` nor `#[groove(ignore)]`
///     timestamp: u64,
/// }
/// ```
///
/// # The timestamp
///
/// A `u64` named `timestamp`, or the field that `#[groove(timestamp = field)]` names on the struct.
/// It is the identity and the order of objects, unique in the groove, and never changes. An object
/// that is inserted with timestamp 0 gets the next one.
///
/// # Attributes of a field
///
/// ## `#[index]`
///
/// A tree from the field's value to the objects that have it, in the order of their timestamps.
/// `#[groove(index)]` is the same, for structs on which another derive uses the word `index`.
///
/// | option | |
/// |---|---|
/// | `primary` | unique, and the key that `get`, `modify` and `remove` take; at most one field. Without it the timestamp is the primary key |
/// | `unique` | at most one object per value; a second one is refused with [`InsertError::Duplicate`], and an update cannot change the value |
/// | `optional` | absent values have no entry: 0, `None`, the empty text ([`OptionalKey`]) |
/// | `name = "…"` | the name of the index in the file and in errors, and in capitals that of the handle; by default the field's |
///
/// Options combine: `#[index(unique, optional)]`.
///
/// ## `#[groove(ignore)]`
///
/// The field is stored and is in no index. The bare `#[ignore]` means the same; the compiler warns
/// of it, as it is an attribute of tests.
///
/// # Attributes of the struct
///
/// ## `#[groove(rest(index))]`, `#[groove(rest(ignore))]`
///
/// What fields without a mark are.
///
/// ## `#[groove(index(name = (field, field)))]`
///
/// An index over 2 to 4 fields, ordered by the first, then the second and so on. The fields need no
/// marks of their own other than `#[groove(ignore)]`. Its handle takes tuples:
/// `Transfer::BY_LEDGER_CODE.eq((700, 3))`.
///
/// ## `#[groove(derived(name: Type = path))]`
///
/// An index over what the function `path`, a `fn(&Struct) -> Option<Type>`, computes; objects for
/// which that is `None` have no entry. The function is code and not data: if what it computes
/// changes, say so by `derived(name: Type = path, version = 2)`, as entries of the old version
/// would not be found any more.
///
/// ## `#[groove(orphaned_ids)]`
///
/// Primary keys can be orphaned: used up without an object.
///
/// ## `#[groove(name = "…")]`
///
/// The name of the groove in the file; by default the struct's.
///
/// ## `#[groove(timestamp = field)]`
///
/// The field that is the timestamp.
///
/// ## `#[groove(expansion)]`
///
/// The code that is generated as a constant, `Transfer::EXPANSION`: see below.
///
/// ## `#[groove(crate = "…")]`
///
/// The path of this crate where it is not `::groove`: renamed, or re-exported by another one.
///
/// # What is generated
///
/// For the struct above, with its visibility and nothing else in scope:
///
/// | item | |
/// |---|---|
/// | `Transfer::ID`, `PENDING_ID` | [`UniqueIndex`] handles: the primary and the unique indexes |
/// | `Transfer::DEBIT_ACCOUNT_ID`, `CODE`, `BY_LEDGER_CODE`, `EXPIRES_AT` | [`Index`] handles |
/// | `Transfer::TIMESTAMP` | a [`Timestamps`] handle |
/// | `Transfer::SCHEMA` | the [`Schema`]; prints as a table |
/// | `TransferIndexTrees` | the tuple of the trees: indexes on fields in declaration order, then compound, then derived ones |
/// | `impl Object for Transfer` | the row, and flat lists of calls, one per tree ([`Object`]) |
///
/// A handle whose name is taken, by `SCHEMA` or a constant of yours, gets another one by
/// `#[index(name = "…")]`. The code has no `unsafe` and is the same on every build. If there are
/// mistakes, the compiler reports all of them, and the handles are there all the same.
///
/// # What it costs
///
/// * A row has the bytes of the fields, without padding; the object tree adds the timestamp's 8.
/// * Each index adds to an insert an entry of its key's bytes and 8, none if the value is absent,
///   and to an update only if the key changes. A field that is ignored adds nothing to either.
/// * A question to an index reads the entries that it asks for, and a row per object that it gives;
///   each handle says so in its documentation.
/// * The derive adds some hundredths of a second to `cargo check` per struct of 20 fields, and no
///   dependency besides `syn` and `quote`.
///
/// # Checking what is generated
///
/// The schema is a constant. A test, or the compiler, can hold the price of an object down:
///
/// ```
/// # #[derive(groove::Groove)]
/// # struct Transfer { #[index(primary)] id: u128, #[index] code: u16, timestamp: u64 }
/// const _: () = assert!(Transfer::SCHEMA.bytes_per_insert() <= 600);
/// assert_eq!(
///     Transfer::SCHEMA.to_string(),
///     "\
/// Transfer: 2 fields in a row of 18 bytes
///
///   field      offset  bytes  type
///   timestamp     key      8  u64
///   id              0     16  u128
///   code           16      2  u16
///
///   tree       kind        key        key bytes  bytes per entry
///   (objects)  objects     timestamp          8               26
///   id         primary     id                16               24
///   code       non-unique  code               2               10
///
/// 60 bytes per insert in 3 trees, before packing"
/// );
/// ```
///
/// The code is a constant too, if it is asked for, with any compiler. Compare it to a text in your
/// repository (with a crate such as `insta`), and a release of this crate that generates something
/// else shows as a difference:
///
/// ```
/// #[derive(groove::Groove)]
/// #[groove(expansion)] // or, for tests alone, `#[cfg_attr(test, groove(expansion))]`
/// struct Transfer {
///     #[index]
///     code: u16,
///     timestamp: u64,
/// }
///
/// assert!(Transfer::EXPANSION.contains("impl __groove::Object for Transfer {"));
/// ```
///
/// # Types of fields
///
/// | type | bytes | as a key | absent if `optional` |
/// |---|---|---|---|
/// | `u8` to `u128`, `i8` to `i128` | 1 to 16 | by value | 0 |
/// | `bool`, `char` | 1, 4 | by value | – |
/// | `f32`, `f64` | 4, 8 | as `total_cmp` | – |
/// | `NonZero<T>` | as `T` | by value | – |
/// | `Option<T>` | 1 + those of `T` | `None` first | `None` |
/// | `[T; N]` | N times those of `T` | element by element | zeros, of `[u8; N]` |
/// | [`Text<N>`](Text) | N | as `str` | the empty text |
/// | an enum or newtype with [`derive(Field)`](derive@Field) | by its discriminants, or as inside | by discriminant, or as inside | –, or as inside |
/// | `uuid::Uuid`, with the feature `uuid` | 16 | by value | nil |
/// | `jiff::Timestamp`, `SignedDuration`, `civil::Date`, `Time`, `DateTime`, with the feature `jiff` | 16, 16, 4, 8, 16 | by value | – |
/// | `time::UtcDateTime`, `OffsetDateTime`, `PrimitiveDateTime`, `Date`, `Time`, `Duration`, with the feature `time` | 16, 20, 16, 4, 8, 16 | by value, times with an offset by instant | – |
/// | `rust_decimal::Decimal`, with the feature `rust_decimal` | 14 | by value, in 24 bytes | – |
/// | `Pod<T>`, any `bytemuck::Pod` type, with the feature `bytemuck` | those of `T` | no key | – |
///
/// A key has at most 32 bytes. What has no fixed width (`String`, `Vec`), differs between machines
/// (`usize`) or points elsewhere (`&T`, `Box`) is no field, and the compiler says what to write
/// instead.
pub use groove_derive::Groove;

/// Puts several grooves into one file and under one commit.
///
/// ```
/// use groove::{Forest, Groove, Options};
///
/// #[derive(Groove)]
/// struct Account {
///     #[index(primary)]
///     id: u64,
///     timestamp: u64,
/// }
///
/// #[derive(Groove)]
/// struct Transfer {
///     #[index]
///     account_id: u64,
///     timestamp: u64,
/// }
///
/// #[derive(Forest)]
/// struct Ledger {
///     accounts: Groove<Account>,
///     transfers: Groove<Transfer>,
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = std::env::temp_dir().join(format!("groove-ledger-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("ledger.groove");
/// # let _ = std::fs::remove_file(&path);
/// let ledger = Ledger::open(&path, Options::default())?;
/// ledger.write(|tx| {
///     tx.accounts.insert(Account { id: 7, timestamp: 0 })?;
///     tx.transfers.insert(Transfer { account_id: 7, timestamp: 0 })?;
///     Ok(())
/// })?; // both or neither
/// let snapshot: LedgerSnapshot = ledger.snapshot();
/// assert_eq!(snapshot.transfers.count(Transfer::ACCOUNT_ID.eq(7))?, 1);
/// # drop((snapshot, ledger));
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok(())
/// # }
/// ```
///
/// The struct has named fields, all of them `Groove<Object>`, and no parameters. A single groove
/// needs no struct around it: `Forest::<Account>::open`.
///
/// # Attributes
///
/// * `#[groove(name = "…")]` on a field: the name of the groove in the file; by default the field's.
/// * `#[groove(snapshot = Name)]` on the struct: the name of the struct of snapshots.
/// * `#[groove(crate = "…")]` on the struct: the path of this crate where it is not `::groove`.
///
/// # What is generated
///
/// | item | |
/// |---|---|
/// | `Ledger::open`, `Ledger::open_read_only` | open the file: [`Forest::open`], [`Forest::open_read_only`] |
/// | `Ledger::verify` | checks the file completely: [`Forest::verify`] |
/// | `LedgerSnapshot` | a struct with a [`Snapshot`] in place of each [`Groove`](struct@Groove), and `verify` for all of them |
/// | `impl Grooves for Ledger` | what [`Forest`](struct@Forest) calls ([`Grooves`]) |
pub use groove_derive::Forest;

/// Makes an enum without data, or a struct around one value, the type of a field.
///
/// ```
/// use groove::{Field, Groove};
///
/// #[derive(Field, Clone, Copy, Debug, PartialEq)]
/// struct OrderId(u64);
///
/// #[derive(Field, Clone, Copy, Debug, PartialEq)]
/// enum Side {
///     Buy = 1,
///     Sell = 2,
/// }
///
/// #[derive(Groove)]
/// struct Order {
///     #[index(primary)]
///     id: OrderId,
///     #[index]
///     side: Side,
///     timestamp: u64,
/// }
///
/// let buys = Order::SIDE.eq(Side::Buy);
/// # let _ = buys;
/// assert_eq!(Side::WIDTH, 1);
/// ```
///
/// # Enums
///
/// Stored as the discriminant, in 1, 2, 4 or 8 bytes: as many as `#[repr(u8)]` and the like say, or
/// as the discriminants need. Keys order by discriminant. Bytes that are no discriminant are an
/// error and not a value. The file's schema has the names and discriminants: give variants
/// discriminants of their own, so that their order in the source does not matter.
///
/// # Newtypes
///
/// Stored and ordered as the value inside: a key if that is one ([`IndexKey`]), absent where that
/// is ([`OptionalKey`]).
///
/// # Attributes
///
/// * `#[groove(crate = "…")]`: the path of this crate where it is not `::groove`.
pub use groove_derive::Field;

/// What generated code calls. Not part of the interface: it changes with any release.
#[doc(hidden)]
pub mod __private {
    pub use core::option::Option::{self, None, Some};
    pub use core::primitive::{u8, u64, usize};
    pub use core::result::Result::{self, Ok};

    pub use groove_core::field::checked::{Check, Checked, Is, IsNot};
    pub use groove_core::key::{assert_key_width, index_key, tree_limbs, unique_key};
    pub use groove_core::{
        AnyUniqueTree, GrooveOpener, GrooveVisitor, SnapshotOpener, TreeOpener, TreeVisitor,
    };

    pub use crate::{
        Field, FieldSchema, IndexKey, IndexSchema, IndexTree, InsertError, InvalidValue, Object,
        OptionalKey, Schema, UniqueTree, UpdateError,
    };

    pub use crate::discriminant::{
        Variants, discriminant_width, variant_position, write_discriminant, write_discriminant_key,
    };
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
