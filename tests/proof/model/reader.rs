//! What a scope and a snapshot can both be asked.

use groove::{Groove, Lookup, Predicate, Query, Snapshot};

use super::objects::Kind;

/// A groove in a scope, or a snapshot of it. No read of these tests may fail.
pub(crate) trait Reader<O: groove::Object> {
    fn get(&mut self, primary: O::Primary) -> Option<O>;
    fn get_by_timestamp(&mut self, timestamp: u64) -> Option<O>;
    fn lookup(&mut self, primary: O::Primary) -> Lookup<O>;
    fn exists(&mut self, primary: O::Primary) -> bool;
    fn query(&mut self, predicate: Predicate<O>) -> Query<O>;
    fn count(&mut self, predicate: Predicate<O>) -> u64;
    fn length(&self) -> (u64, bool);

    fn timestamps(&mut self, predicate: Predicate<O>) -> Vec<u64> {
        let query = self.query(predicate);
        query.iter_timestamps().map(|timestamp| timestamp.expect("readable")).collect()
    }
}

/// The part that needs to know the unique indexes.
pub(crate) trait Finder<O: Kind>: Reader<O> {
    /// Through the handle of the primary index, if there is one.
    fn find_primary(&mut self, primary: O::Primary) -> Option<Option<O>>;
    /// Through the handle of the other unique index, if there is one.
    fn find_secondary(&mut self, key: O::Secondary) -> Option<Option<O>>;
}

macro_rules! reader {
    ($reader:ident) => {
        impl<O: groove::Object> Reader<O> for $reader<O> {
            fn get(&mut self, primary: O::Primary) -> Option<O> {
                $reader::get(self, primary).expect("readable")
            }
            fn get_by_timestamp(&mut self, timestamp: u64) -> Option<O> {
                $reader::get_by_timestamp(self, timestamp).expect("readable")
            }
            fn lookup(&mut self, primary: O::Primary) -> Lookup<O> {
                $reader::lookup(self, primary).expect("readable")
            }
            fn exists(&mut self, primary: O::Primary) -> bool {
                $reader::exists(self, primary).expect("readable")
            }
            fn query(&mut self, predicate: Predicate<O>) -> Query<O> {
                $reader::query(self, predicate)
            }
            fn count(&mut self, predicate: Predicate<O>) -> u64 {
                $reader::count(self, predicate).expect("readable")
            }
            fn length(&self) -> (u64, bool) {
                (self.len(), self.is_empty())
            }
        }

        impl<O: Kind> Finder<O> for $reader<O> {
            fn find_primary(&mut self, primary: O::Primary) -> Option<Option<O>> {
                O::primary_index().map(|index| self.find(index, primary).expect("readable"))
            }
            fn find_secondary(&mut self, key: O::Secondary) -> Option<Option<O>> {
                O::secondary_index().map(|index| self.find(index, key).expect("readable"))
            }
        }
    };
}

reader!(Groove);
reader!(Snapshot);
