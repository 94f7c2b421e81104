//! Syncs the log while the writer sorts what it has appended there: a thread that is told of a large
//! entry as soon as it is written.
//!
//! It takes the turn as any other thread that syncs. Nothing is published here: the version of the op
//! does not exist yet. Whoever waits for the op publishes it, as soon as it is on disk.

use std::sync::{Arc, PoisonError};

use crate::sync::thread::{Builder, JoinHandle};
use crate::sync::{Condvar, Mutex, MutexGuard};

use super::publish::Publisher;

/// Entries from so many bytes on are synced by the thread: for shorter ones the writer is done with the
/// trees before a thread has woken up.
const LENGTH_MIN: usize = if cfg!(shuttle) { 1 } else { 64 << 10 };

/// The thread, until it is dropped.
pub(super) struct Syncer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    ordered: Condvar,
}

#[derive(Default)]
struct State {
    /// The newest op whose entry is to be synced.
    op: Option<u64>,
    end: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, publisher: &Publisher) {
        let mut state = self.lock();
        while !state.end {
            match state.op.take() {
                None => {
                    state = self.ordered.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                Some(op) => {
                    drop(state);
                    publisher.sync_ahead(op);
                    state = self.lock();
                }
            }
        }
    }
}

impl Syncer {
    /// Starts the thread; one that cannot be had is done without.
    pub(super) fn new(publisher: &Arc<Publisher>) -> Syncer {
        let shared = Arc::new(Shared::default());
        let (worker, publisher) = (shared.clone(), publisher.clone());
        let builder = Builder::new().name("groove-sync".into());
        let thread = builder.spawn(move || worker.work(&publisher)).ok();
        Syncer { shared, thread }
    }

    /// Has the entry of `op`, of so many bytes, synced, if it is large. It was written, and so was all
    /// before it.
    pub(super) fn order(&self, op: u64, bytes: usize) {
        if bytes >= LENGTH_MIN && self.thread.is_some() {
            self.shared.lock().op = Some(op);
            self.shared.ordered.notify_one();
        }
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.shared.lock().end = true;
        self.shared.ordered.notify_one();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing to say any more.
            let _ = thread.join();
        }
    }
}
