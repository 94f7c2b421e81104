//! Batched prefetch: keys are enqueued, then read together; afterwards look-ups do no I/O.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::error::ReadError;
use crate::field::IndexKey;
use crate::object::Object;
use crate::query::{Operand, UniqueIndex};
use crate::tree::{LookupBatch, TreeRead};

use super::store::{EncodedKey, Groove};
use super::unique_tree::UniqueEntry;

/// Keys that wait for a prefetch.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Per unique index: limbs of keys whose object is wanted.
    objects: BTreeMap<usize, Vec<u64>>,
    /// Per unique index: limbs of keys of which only the existence is wanted.
    entries: BTreeMap<usize, Vec<u64>>,
    timestamps: Vec<u64>,
}

impl Queue {
    pub(super) fn clear(&mut self) {
        *self = Queue::default();
    }
}

/// What a prefetch reads from: committed trees, which do not change.
struct Reading {
    queue: Queue,
    unique_trees: BTreeMap<usize, Arc<dyn TreeRead>>,
    object_tree: Arc<dyn TreeRead>,
}

/// What a prefetch read.
struct Answers {
    entries: Vec<(usize, Vec<u64>, LookupBatch)>,
    timestamps: Vec<u64>,
    rows: LookupBatch,
}

impl Reading {
    /// Reads all keys of an index together, then all objects together.
    fn run(self) -> Result<Answers, ReadError> {
        let mut entries = Vec::new();
        let mut timestamps = self.queue.timestamps;
        for (queue, objects_wanted) in [(self.queue.objects, true), (self.queue.entries, false)] {
            for (ordinal, keys) in queue {
                let batch = self.unique_trees[&ordinal].lookup_batch(&keys, None)?;
                if objects_wanted {
                    let payloads = batch.payload.as_chunks::<8>().0.iter();
                    let found = payloads.zip(&batch.found).filter(|(_, found)| **found);
                    timestamps.extend(found.filter_map(|(payload, _)| {
                        match UniqueEntry::decode(payload) {
                            UniqueEntry::Object(timestamp) => Some(timestamp),
                            UniqueEntry::Orphaned => None,
                        }
                    }));
                }
                entries.push((ordinal, keys, batch));
            }
        }
        let rows = self.object_tree.lookup_batch(&timestamps, None)?;
        Ok(Answers { entries, timestamps, rows })
    }
}

impl<O: Object> Groove<O> {
    /// Notes that the object with this primary key is wanted. Reads nothing yet.
    pub fn prefetch_enqueue(&mut self, primary: impl Operand<O::Primary>) {
        let Some(key) = EncodedKey::new::<O::Primary>(&primary) else { return };
        match O::SCHEMA.primary() {
            Some((ordinal, _)) => enqueue(&mut self.queue.objects, ordinal, &key),
            None => self.queue.timestamps.extend(key.limbs()),
        }
    }

    /// Notes that the object with this timestamp is wanted. Reads nothing yet.
    pub fn prefetch_enqueue_timestamp(&mut self, timestamp: u64) {
        self.queue.timestamps.push(timestamp);
    }

    /// Notes that the object with this key of a unique index is wanted. Reads nothing yet.
    pub fn prefetch_enqueue_unique<F: IndexKey>(
        &mut self,
        index: UniqueIndex<O, F>,
        key: impl Operand<F>,
    ) {
        if let Some(key) = EncodedKey::new::<F>(&key) {
            enqueue(&mut self.queue.objects, index.ordinal, &key);
        }
    }

    /// Notes that it will be asked whether this primary key is taken, but not for the object: so
    /// before an insert. Reads nothing yet.
    pub fn prefetch_exists_enqueue(&mut self, primary: impl Operand<O::Primary>) {
        let Some(key) = EncodedKey::new::<O::Primary>(&primary) else { return };
        match O::SCHEMA.primary() {
            Some((ordinal, _)) => enqueue(&mut self.queue.entries, ordinal, &key),
            None => self.queue.timestamps.extend(key.limbs()),
        }
    }

    /// Loads all enqueued keys, with as many reads in flight as the device takes: call
    /// [`Prefetch::wait`], or await it. Afterwards, until the scope of
    /// [`Forest::write`](crate::Forest::write) ends, `get`, `exists`, `lookup` and the checks of
    /// `insert` on these keys do no I/O.
    #[must_use = "a prefetch does nothing until it is waited for or awaited"]
    pub fn prefetch(&mut self) -> Prefetch<'_, O> {
        let queue = std::mem::take(&mut self.queue);
        let mut unique_trees = BTreeMap::new();
        for ordinal in queue.objects.keys().chain(queue.entries.keys()) {
            let tree = O::unique_tree(&mut self.trees, *ordinal);
            let tree = tree.expect("keys of unique indexes are enqueued");
            unique_trees.insert(*ordinal, tree.tip());
        }
        let object_tree = self.object_tree.tip().clone();
        let reading = Reading { queue, unique_trees, object_tree };
        Prefetch { groove: self, state: State::Ready(reading) }
    }

    fn remember(&mut self, answers: Answers) {
        for (ordinal, keys, batch) in answers.entries {
            let tree = O::unique_tree(&mut self.trees, ordinal);
            tree.expect("keys of unique indexes are enqueued").remember(&keys, batch);
        }
        self.prefetched.add(answers.timestamps.as_chunks::<1>().0, answers.rows);
    }
}

fn enqueue(queue: &mut BTreeMap<usize, Vec<u64>>, ordinal: usize, key: &EncodedKey) {
    queue.entry(ordinal).or_default().extend(key.limbs());
}

/// A prefetch that is to be waited for, or awaited.
#[must_use = "a prefetch does nothing until it is waited for or awaited"]
pub struct Prefetch<'a, O: Object> {
    groove: &'a mut Groove<O>,
    state: State,
}

enum State {
    Ready(Reading),
    /// Another thread reads, and wakes the task when it is done.
    Running(Arc<Mutex<Shared>>),
    Done,
}

struct Shared {
    /// What the thread found, or the panic that ended it.
    answer: Option<std::thread::Result<Result<Answers, ReadError>>>,
    waker: Waker,
}

impl<O: Object> std::fmt::Debug for Prefetch<'_, O> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Prefetch").finish_non_exhaustive()
    }
}

impl<O: Object> Prefetch<'_, O> {
    /// Reads on this thread (and those of the storage) and returns when all keys are loaded.
    ///
    /// # Errors
    /// [`ReadError`] if a block cannot be read; nothing is loaded then.
    ///
    /// # Panics
    /// If it was polled before: a prefetch is either awaited or waited for.
    pub fn wait(mut self) -> Result<(), ReadError> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Ready(reading) => {
                self.groove.remember(reading.run()?);
                Ok(())
            }
            State::Running(_) | State::Done => panic!("a polled prefetch is awaited to its end"),
        }
    }
}

impl<O: Object> Future for Prefetch<'_, O> {
    type Output = Result<(), ReadError>;

    /// The first poll starts a thread that reads; it wakes the task when all keys are loaded.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Ready(reading) => {
                let waker = context.waker().clone();
                let shared = Arc::new(Mutex::new(Shared { answer: None, waker }));
                self.state = State::Running(shared.clone());
                std::thread::spawn(move || {
                    let answer = catch_unwind(AssertUnwindSafe(|| reading.run()));
                    let mut held = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    held.answer = Some(answer);
                    let waker = held.waker.clone();
                    // A waker may poll at once, on this thread.
                    drop(held);
                    waker.wake();
                });
                Poll::Pending
            }
            State::Running(shared) => {
                let mut held = shared.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(answer) = held.answer.take() else {
                    held.waker.clone_from(context.waker());
                    drop(held);
                    self.state = State::Running(shared);
                    return Poll::Pending;
                };
                let answer = answer.unwrap_or_else(|panic| resume_unwind(panic));
                Poll::Ready(answer.map(|answers| self.groove.remember(answers)))
            }
            State::Done => panic!("a prefetch that has ended is not polled again"),
        }
    }
}
