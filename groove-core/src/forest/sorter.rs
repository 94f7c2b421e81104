//! Sorts what was replayed while the log is read on: on worker threads, and on the thread that waits for them.
//!
//! Runs are taken in the order in which their changes were given, so the threads' timing leaves no trace.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, PoisonError};
use std::thread::Result;

use crate::sync::thread::{Builder, JoinHandle};
use crate::sync::{Condvar, Mutex, MutexGuard};
use crate::tree::Unsorted;

/// Changes of all trees from which on it is worth to start threads.
const LENGTH_MIN: usize = if cfg!(shuttle) { 2 } else { 1 << 14 };

/// A run of the tree that its changes are from.
type Run = Box<dyn Any + Send>;

/// The changes of some trees at a time.
pub(super) struct Sorter {
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
    /// The last of the changes are sorted.
    sorted: Condvar,
}

#[derive(Default)]
struct State {
    /// With the number of their tree.
    queue: VecDeque<(usize, Box<dyn Unsorted>)>,
    runs: Vec<Option<Result<Run>>>,
    /// How many of the runs are not there yet.
    missing: usize,
    end: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sorts the next changes, if there are any; gives the lock back that it was called with.
    fn sort_next<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
    ) -> std::result::Result<MutexGuard<'a, State>, MutexGuard<'a, State>> {
        let Some((number, changes)) = state.queue.pop_front() else { return Err(state) };
        drop(state);
        let run = catch_unwind(AssertUnwindSafe(|| changes.sort()));
        let mut state = self.lock();
        state.runs[number] = Some(run);
        state.missing -= 1;
        if state.missing == 0 {
            self.sorted.notify_all();
        }
        Ok(state)
    }

    fn work(&self) {
        let mut state = self.lock();
        while !state.end {
            state = match self.sort_next(state) {
                Ok(state) => state,
                Err(state) => self.given.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

impl Sorter {
    /// With so many threads at most, which are started when they are needed. Without any, changes are sorted when
    /// their runs are asked for.
    pub(super) fn new(threads: usize) -> Sorter {
        Sorter { shared: Arc::default(), threads, workers: Vec::new() }
    }

    /// Gives the changes of each tree.
    pub(super) fn begin(&mut self, changes: Vec<Box<dyn Unsorted>>) {
        let length: usize = changes.iter().map(|changes| changes.len()).sum();
        let mut state = self.shared.lock();
        assert!(state.runs.is_empty(), "the runs before are taken");
        state.missing = changes.len();
        state.runs.resize_with(changes.len(), || None);
        state.queue.extend(changes.into_iter().enumerate());
        drop(state);
        if length < LENGTH_MIN {
            return;
        }
        while self.workers.len() < self.threads {
            let shared = self.shared.clone();
            match Builder::new().name("groove-replay".into()).spawn(move || shared.work()) {
                Ok(worker) => self.workers.push(worker),
                // A thread that cannot be had is done without.
                Err(_) => self.threads = self.workers.len(),
            }
        }
        self.shared.given.notify_all();
    }

    /// Waits for the runs, in the order of the trees, and helps until they are there. None if nothing was given.
    pub(super) fn finish(&mut self) -> Vec<Run> {
        let mut state = self.shared.lock();
        while state.missing > 0 {
            state = match self.shared.sort_next(state) {
                Ok(state) => state,
                Err(state) => {
                    self.shared.sorted.wait(state).unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
        let runs = std::mem::take(&mut state.runs);
        drop(state);
        let runs = runs.into_iter().map(|run| run.expect("no run is missing"));
        runs.map(|run| run.unwrap_or_else(|panic| resume_unwind(panic))).collect()
    }
}

impl Drop for Sorter {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.end = true;
        state.queue.clear();
        drop(state);
        self.shared.given.notify_all();
        for worker in self.workers.drain(..) {
            // What a worker panicked of is among the runs.
            let _ = worker.join();
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    struct Number(usize);

    impl Unsorted for Number {
        fn len(&self) -> usize {
            LENGTH_MIN
        }

        fn sort(self: Box<Self>) -> Run {
            assert_ne!(self.0, 13, "an unlucky number");
            std::thread::yield_now();
            Box::new(self.0)
        }
    }

    fn numbers(numbers: impl Iterator<Item = usize>) -> Vec<Box<dyn Unsorted>> {
        numbers.map(|number| Box::new(Number(number)) as Box<dyn Unsorted>).collect()
    }

    #[test]
    fn runs_come_in_the_order_in_which_their_changes_were_given() {
        for threads in [0, 1, 4] {
            let mut sorter = Sorter::new(threads);
            assert!(sorter.finish().is_empty());
            for round in 0..50 {
                sorter.begin(numbers((20..30).map(|number| round * number)));
                let runs = sorter.finish().into_iter();
                let found = runs.map(|run| *run.downcast::<usize>().expect("a number"));
                assert!(found.eq((20..30).map(|number| round * number)));
            }
        }
    }

    /// Else the caller would wait for ever for a run that never comes.
    #[test]
    fn a_panic_of_a_worker_is_one_of_the_caller() {
        for threads in [0, 2] {
            let mut sorter = Sorter::new(threads);
            sorter.begin(numbers(10..20));
            let panic = catch_unwind(AssertUnwindSafe(|| sorter.finish().len())).unwrap_err();
            let text = panic.downcast_ref::<String>().expect("of an assertion");
            assert!(text.contains("an unlucky number"), "{text}");
        }
    }
}
