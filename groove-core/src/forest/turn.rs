//! The turn to sync.
//!
//! One thread has the turn and syncs for all whose op was appended before; the others sleep until
//! their op is on disk or the turn is theirs. Who gives the turn back wakes precisely those: the
//! threads whose op is on disk, and one of the others, which syncs next. With a plain lock they
//! would all wake one after the other to find that there is nothing left to do, and a thread that
//! never slept would be ahead of them with its next op, alone.

use std::sync::PoisonError;

use crate::sync::thread::{self, Thread, ThreadId};
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering};

/// Who syncs, and who waits for it.
#[derive(Default)]
pub(super) struct Turn {
    state: Mutex<State>,
    /// How many threads were woken and do not run yet. Only a hint for others.
    waking: AtomicU64,
}

#[derive(Default)]
struct State {
    is_taken: bool,
    /// Who was woken to take the turn and has not looked yet, if nobody was faster.
    called: Option<ThreadId>,
    /// In the order in which they came.
    sleepers: Vec<Sleeper>,
}

struct Sleeper {
    /// What it waits for.
    op: u64,
    thread: Thread,
}

/// The turn, until it is dropped.
pub(super) struct Taken<'a> {
    turn: &'a Turn,
    /// Gives the newest op that is on disk.
    synced_op: &'a dyn Fn() -> u64,
}

impl Turn {
    /// Waits for the turn; `None` if `op` is on disk before, as `synced_op` tells.
    pub(super) fn take<'a>(&'a self, op: u64, synced_op: &'a dyn Fn() -> u64) -> Option<Taken<'a>> {
        let mut has_slept = false;
        loop {
            let mut state = self.lock();
            if has_slept && !state.remove(thread::current().id()) {
                // Somebody took it off the list, and counted it.
                self.waking.fetch_sub(1, Ordering::Relaxed);
            }
            if synced_op() >= op {
                // Somebody else may still wait for the turn.
                if state.called == Some(thread::current().id()) {
                    self.wake(state, synced_op());
                }
                return None;
            }
            if !state.is_taken {
                state.is_taken = true;
                state.called = None;
                return Some(Taken { turn: self, synced_op });
            }
            state.sleepers.push(Sleeper { op, thread: thread::current() });
            drop(state);
            thread::park();
            has_slept = true;
        }
    }

    /// How many threads were woken and do not run yet.
    pub(super) fn waking(&self) -> u64 {
        self.waking.load(Ordering::Relaxed)
    }

    fn wake(&self, mut state: MutexGuard<'_, State>, synced_op: u64) {
        let woken = state.wake(synced_op);
        self.waking.fetch_add(woken.len() as u64, Ordering::Relaxed);
        drop(state);
        woken.iter().for_each(Thread::unpark);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes a thread off the list; whether it was there still: `park` may return without a reason.
    fn remove(&mut self, thread: ThreadId) -> bool {
        let at = self.sleepers.iter().position(|sleeper| sleeper.thread.id() == thread);
        at.map(|at| self.sleepers.remove(at)).is_some()
    }

    /// Takes those off the list whose op is on disk, and one of the others, which is called to take
    /// the turn. They are to be unparked.
    fn wake(&mut self, synced_op: u64) -> Vec<Thread> {
        let mut woken = Vec::with_capacity(self.sleepers.len());
        self.called = None;
        for sleeper in std::mem::take(&mut self.sleepers) {
            if sleeper.op <= synced_op {
                woken.push(sleeper.thread);
            } else if self.called.is_some() {
                self.sleepers.push(sleeper);
            } else {
                self.called = Some(sleeper.thread.id());
                // Before the others: the device is idle until it syncs.
                woken.insert(0, sleeper.thread);
            }
        }
        woken
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut state = self.turn.lock();
        state.is_taken = false;
        self.turn.wake(state, (self.synced_op)());
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Whoever was called to take the turn and found its op synced by another's sync went away
    /// without a word, and those who slept behind it slept for ever. It passes the call on.
    #[test]
    fn nobody_sleeps_on_when_the_one_that_was_called_has_nothing_left_to_do() {
        let (turn, synced) = (Turn::default(), AtomicU64::new(0));
        let synced_op = || synced.load(Ordering::SeqCst);
        let asleep = |count: usize| {
            while turn.lock().sleepers.len() < count {
                thread::yield_now();
            }
        };
        for op in (2..200).step_by(2) {
            let first = turn.take(op - 1, &synced_op).expect("nobody has the turn");
            std::thread::scope(|threads| {
                for op in [op - 1, op] {
                    let (turn, synced, synced_op) = (&turn, &synced, &synced_op);
                    threads.spawn(move || {
                        if let Some(_turn) = turn.take(op, synced_op) {
                            synced.fetch_max(op, Ordering::SeqCst);
                        }
                    });
                }
                asleep(2);
                // Nothing is on disk when the turn is given back, and everything a moment later.
                drop(first);
                synced.fetch_max(op, Ordering::SeqCst);
            });
            assert!(synced_op() >= op && turn.lock().sleepers.is_empty());
            assert_eq!(turn.waking(), 0);
        }
    }

    /// Who had the turn next gave up waiting for others while most of those that the last sync had woken did
    /// not run yet, since they are woken one by one: groups of two and of fourteen took turns. Now it
    /// knows how many these are.
    #[test]
    fn who_was_woken_counts_until_it_runs() {
        let (turn, synced) = (Turn::default(), AtomicU64::new(0));
        let synced_op = || synced.load(Ordering::SeqCst);
        let first = turn.take(1, &synced_op).expect("nobody has the turn");
        std::thread::scope(|threads| {
            for op in 2..=5 {
                let (turn, synced_op) = (&turn, &synced_op);
                threads.spawn(move || assert!(turn.take(op, synced_op).is_none()));
            }
            while turn.lock().sleepers.len() < 4 {
                thread::yield_now();
            }
            // One that wakes without a reason is none of them, and goes back to sleep.
            turn.lock().sleepers[2].thread.unpark();
            for _ in 0..1_000 {
                thread::yield_now();
            }
            assert_eq!(turn.waking(), 0);
            synced.store(5, Ordering::SeqCst);
            drop(first);
            assert!(turn.waking() <= 4);
        });
        assert_eq!(turn.waking(), 0);
    }

    /// A thread that woke without a reason was in the list twice. If its sync failed later, it called
    /// itself to take the turn next, had gone by then, and the others slept for ever. Now it takes itself off
    /// the list when it wakes.
    #[test]
    fn nobody_sleeps_on_when_one_woke_without_a_reason_and_its_sync_failed() {
        static TURN: LazyLock<Turn> = LazyLock::new(Turn::default);
        let never_synced = &|| 0;
        let asleep = |count: usize| {
            while TURN.lock().sleepers.len() < count {
                thread::yield_now();
            }
        };
        let first = TURN.take(1, never_synced).expect("nobody has the turn");
        let sleeper = |op| thread::spawn(move || drop(TURN.take(op, never_synced)));
        let one = sleeper(2);
        asleep(1);
        let other = sleeper(3);
        asleep(2);
        one.thread().unpark();
        for _ in 0..10_000 {
            thread::yield_now();
        }
        drop(first);
        one.join().unwrap();
        for _ in 0..1_000_000 {
            if other.is_finished() {
                return;
            }
            thread::yield_now();
        }
        panic!("the other sleeps on");
    }

    #[test]
    fn one_thread_at_a_time_has_the_turn_and_every_op_is_synced() {
        const OPS: u64 = 2_000;
        let (turn, synced, appended) = (Turn::default(), AtomicU64::new(0), AtomicU64::new(0));
        let (holders, turns) = (AtomicU64::new(0), AtomicU64::new(0));
        let synced_op = || synced.load(Ordering::SeqCst);
        std::thread::scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| {
                    for _ in 0..OPS / 8 {
                        let op = appended.fetch_add(1, Ordering::SeqCst) + 1;
                        if let Some(_turn) = turn.take(op, &synced_op) {
                            assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                            let target = appended.load(Ordering::SeqCst);
                            thread::yield_now();
                            synced.fetch_max(target, Ordering::SeqCst);
                            turns.fetch_add(1, Ordering::SeqCst);
                            holders.fetch_sub(1, Ordering::SeqCst);
                        }
                        assert!(synced_op() >= op, "op {op} was not waited for");
                    }
                });
            }
        });
        assert!(turns.load(Ordering::SeqCst) <= OPS && turn.lock().sleepers.is_empty());
    }
}
