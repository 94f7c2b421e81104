//! Sorts the changes of large commits, and merges them with what is in memory, tree by tree: on worker threads, and
//! on the thread that waits for them. What is replayed is sorted while the log is read on.
//!
//! Results are taken in the order in which the changes were given, so the threads' timing leaves no trace.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, PoisonError};
use std::thread::Result;

use crate::sync::thread::{Builder, JoinHandle};
use crate::sync::{Condvar, Mutex, MutexGuard};
use crate::tree::Uncommitted;

/// Changes of all trees from which on it is worth to start threads.
const LENGTH_MIN: usize = if cfg!(shuttle) { 8 } else { 1 << 14 };

/// What the changes of a tree became.
type Outcome = Box<dyn Any + Send>;

/// The changes of some trees at a time.
pub(super) struct Committer {
    shared: Arc<Shared>,
    /// Threads that it may have, besides its caller's.
    threads: usize,
    workers: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Changes were given, or the end was ordered.
    given: Condvar,
    /// The last of the outcomes is there.
    finished: Condvar,
}

#[derive(Default)]
struct State {
    /// With the number of their tree.
    queue: VecDeque<(usize, Box<dyn Uncommitted>)>,
    outcomes: Vec<Option<Result<Outcome>>>,
    /// How many of the outcomes are not there yet.
    missing: usize,
    end: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Commits the next changes, if there are any; gives the lock back that it was called with.
    fn commit_next<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
    ) -> std::result::Result<MutexGuard<'a, State>, MutexGuard<'a, State>> {
        let Some((number, changes)) = state.queue.pop_front() else { return Err(state) };
        drop(state);
        let outcome = catch_unwind(AssertUnwindSafe(|| changes.commit()));
        let mut state = self.lock();
        state.outcomes[number] = Some(outcome);
        state.missing -= 1;
        if state.missing == 0 {
            self.finished.notify_all();
        }
        Ok(state)
    }

    fn work(&self) {
        let mut state = self.lock();
        while !state.end {
            state = match self.commit_next(state) {
                Ok(state) => state,
                Err(state) => self.given.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

impl Committer {
    /// With so many threads at most, which are started when they are needed. Without any, changes are committed when
    /// their outcomes are asked for.
    pub(super) fn new(threads: usize) -> Committer {
        Committer { shared: Arc::default(), threads, workers: Vec::new() }
    }

    /// Whether threads are of use for so many changes of all trees.
    pub(super) fn is_large(length: usize) -> bool {
        length >= LENGTH_MIN
    }

    pub(super) fn has_threads(&self) -> bool {
        self.threads > 0
    }

    /// Gives the changes of each tree.
    pub(super) fn begin(&mut self, changes: Vec<Box<dyn Uncommitted>>) {
        let length: usize = changes.iter().map(|changes| changes.len()).sum();
        let mut state = self.shared.lock();
        assert!(state.outcomes.is_empty(), "the outcomes before are taken");
        state.missing = changes.len();
        state.outcomes.resize_with(changes.len(), || None);
        state.queue.extend(changes.into_iter().enumerate());
        drop(state);
        if !self.has_threads() || !Committer::is_large(length) {
            return;
        }
        while self.workers.len() < self.threads {
            let shared = self.shared.clone();
            match Builder::new().name("groove-commit".into()).spawn(move || shared.work()) {
                Ok(worker) => self.workers.push(worker),
                // A thread that cannot be had is done without.
                Err(_) => self.threads = self.workers.len(),
            }
        }
        self.shared.given.notify_all();
    }

    /// Waits for the outcomes, in the order of the trees, and helps until they are there. None if nothing was given.
    pub(super) fn finish(&mut self) -> Vec<Outcome> {
        let mut state = self.shared.lock();
        while state.missing > 0 {
            state = match self.shared.commit_next(state) {
                Ok(state) => state,
                Err(state) => {
                    self.shared.finished.wait(state).unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
        let outcomes = std::mem::take(&mut state.outcomes);
        drop(state);
        let outcomes = outcomes.into_iter().map(|outcome| outcome.expect("none is missing"));
        outcomes.map(|outcome| outcome.unwrap_or_else(|panic| resume_unwind(panic))).collect()
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.end = true;
        state.queue.clear();
        drop(state);
        self.shared.given.notify_all();
        for worker in self.workers.drain(..) {
            // What a worker panicked of is among the outcomes.
            let _ = worker.join();
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    struct Number(usize);

    impl Uncommitted for Number {
        fn len(&self) -> usize {
            LENGTH_MIN
        }

        fn commit(self: Box<Self>) -> Outcome {
            assert_ne!(self.0, 13, "an unlucky number");
            std::thread::yield_now();
            Box::new(self.0)
        }
    }

    fn numbers(numbers: impl Iterator<Item = usize>) -> Vec<Box<dyn Uncommitted>> {
        numbers.map(|number| Box::new(Number(number)) as Box<dyn Uncommitted>).collect()
    }

    #[test]
    fn outcomes_come_in_the_order_in_which_their_changes_were_given() {
        for threads in [0, 1, 4] {
            let mut committer = Committer::new(threads);
            assert!(committer.finish().is_empty());
            for round in 0..50 {
                committer.begin(numbers((20..30).map(|number| round * number)));
                let outcomes = committer.finish().into_iter();
                let found = outcomes.map(|found| *found.downcast::<usize>().expect("a number"));
                assert!(found.eq((20..30).map(|number| round * number)));
            }
        }
    }

    /// Else the caller would wait for ever for an outcome that never comes.
    #[test]
    fn a_panic_of_a_worker_is_one_of_the_caller() {
        for threads in [0, 2] {
            let mut committer = Committer::new(threads);
            committer.begin(numbers(10..20));
            let panic = catch_unwind(AssertUnwindSafe(|| committer.finish().len())).unwrap_err();
            let text = panic.downcast_ref::<String>().expect("of an assertion");
            assert!(text.contains("an unlucky number"), "{text}");
        }
    }
}
