//! What threads of a forest meet at: locks, conditions, atomics, threads, and the cell that holds the
//! newest version.
//!
//! They are those of the standard library and `arc-swap`. Built with `--cfg shuttle` they are those
//! of [shuttle](https://docs.rs/shuttle), which runs one thread at a time and decides at each of
//! these calls which one: `tests/schedules.rs` runs the engine in many orders so. What no other
//! thread waits for (counters, caches, cells that are written once) stays the standard library's.

#[cfg(not(shuttle))]
mod standard {
    pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use std::thread;

    pub(crate) use arc_swap::ArcSwap;
}

#[cfg(shuttle)]
mod scheduled {
    use std::sync::{Arc, PoisonError};

    pub(crate) use shuttle::sync::atomic::{AtomicU64, Ordering};
    pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use shuttle::thread;

    /// As the `ArcSwap` of `arc-swap`: loads and stores are whole and in one order.
    pub(crate) struct ArcSwap<T>(Mutex<Arc<T>>);

    impl<T> ArcSwap<T> {
        pub(crate) fn from_pointee(value: T) -> Self {
            ArcSwap(Mutex::new(Arc::new(value)))
        }

        pub(crate) fn load_full(&self) -> Arc<T> {
            self.lock().clone()
        }

        pub(crate) fn store(&self, value: Arc<T>) {
            // The old value is dropped after the lock is released.
            let _old = std::mem::replace(&mut *self.lock(), value);
        }

        pub(crate) fn swap(&self, value: Arc<T>) -> Arc<T> {
            std::mem::replace(&mut *self.lock(), value)
        }

        fn lock(&self) -> MutexGuard<'_, Arc<T>> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

#[cfg(shuttle)]
pub(crate) use scheduled::*;
#[cfg(not(shuttle))]
pub(crate) use standard::*;
