//! A few threads that read a batch together, for devices that answer many reads at a time.
//!
//! A batch is sorted by offset. The pool's queue holds a ticket per thread that may help, and whoever
//! comes, the calling thread among them, takes the next few spans, reads those that lie near each other
//! with one read, and hands the bytes over where it read them: what is done with them is shared by the
//! threads as well, and a thread needs one buffer for all. So a batch ends even when no other thread could
//! be started or all are at work on other batches, and a batch of another caller never waits for this one.
//! Threads start at the first batch and are joined when the pool is dropped.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

use super::super::{ReadSpan, ReadTaker};
use super::read_exact_at;

/// Reads in flight at a time, besides those of the calling threads.
const THREADS: usize = 8;
/// Batches up to this length are read by the calling thread alone: waking another costs more.
const LENGTH_ALONE: usize = 4;
/// Spans that a thread takes at a time.
const SHARE: usize = 8;
/// Spans no further from each other are read together: reading so much more costs less than another read.
const GAP_BYTES: u64 = 32 << 10;
/// Bytes that are read with one read at most, if it is more than one span.
const JOINED_BYTES: u64 = 256 << 10;

pub(super) struct ReaderPool {
    queue: Arc<Queue>,
    threads: OnceLock<Vec<JoinHandle<()>>>,
}

struct Queue {
    file: Arc<File>,
    state: Mutex<QueueState>,
    changed: Condvar,
    /// Buffers of calling threads: as many as called at a time.
    buffers: Mutex<Vec<Vec<u8>>>,
}

struct QueueState {
    tickets: VecDeque<Arc<Batch>>,
    closed: bool,
}

struct Batch {
    /// By offset; with their numbers.
    spans: Vec<(usize, ReadSpan)>,
    state: Mutex<BatchState>,
    finished: Condvar,
}

struct BatchState {
    /// Where the spans begin that nobody has taken.
    next: usize,
    /// Spans that are done.
    done: usize,
    /// `None` when all are done: what the taker holds must not outlive the call, as a ticket may.
    take: Option<Arc<ReadTaker>>,
    /// What the taker panicked with first.
    panic: Option<Box<dyn Any + Send>>,
}

impl ReaderPool {
    pub(super) fn new(file: Arc<File>) -> ReaderPool {
        let state = Mutex::new(QueueState { tickets: VecDeque::new(), closed: false });
        let buffers = Mutex::new(Vec::new());
        let queue = Arc::new(Queue { file, state, changed: Condvar::new(), buffers });
        ReaderPool { queue, threads: OnceLock::new() }
    }

    /// Carries out all reads; called by any number of threads at once.
    pub(super) fn read(&self, spans: &[ReadSpan], take: Arc<ReadTaker>) {
        if spans.is_empty() {
            return;
        }
        let mut spans: Vec<(usize, ReadSpan)> = spans.iter().copied().enumerate().collect();
        spans.sort_by_key(|(_, span)| span.offset);
        let shares = spans.len().div_ceil(SHARE);
        let state = Mutex::new(BatchState { next: 0, done: 0, take: Some(take), panic: None });
        let is_alone = spans.len() <= LENGTH_ALONE;
        let batch = Arc::new(Batch { spans, state, finished: Condvar::new() });
        if !is_alone {
            let threads = self.threads.get_or_init(|| start(&self.queue)).len();
            let helpers = (shares - 1).min(threads);
            lock(&self.queue.state).tickets.extend((0..helpers).map(|_| Arc::clone(&batch)));
            for _ in 0..helpers {
                self.queue.changed.notify_one();
            }
        }
        let mut buffer = lock(&self.queue.buffers).pop().unwrap_or_default();
        batch.help(&self.queue.file, &mut buffer);
        lock(&self.queue.buffers).push(buffer);
        if let Some(panic) = batch.wait() {
            resume_unwind(panic);
        }
    }
}

impl Drop for ReaderPool {
    fn drop(&mut self) {
        lock(&self.queue.state).closed = true;
        self.queue.changed.notify_all();
        for thread in self.threads.take().unwrap_or_default() {
            // Panics of takers are caught, and a thread has nothing else that panics.
            let _ = thread.join();
        }
    }
}

/// Starts as many threads as the system allows; none is enough.
fn start(queue: &Arc<Queue>) -> Vec<JoinHandle<()>> {
    let spawn = |_| {
        let queue = Arc::clone(queue);
        thread::Builder::new().name("groove-reader".into()).spawn(move || queue.serve()).ok()
    };
    (0..THREADS).map_while(spawn).collect()
}

impl Queue {
    /// A thread's life: helps with one batch after the other until the pool is dropped.
    fn serve(&self) {
        let mut buffer = Vec::new();
        let mut state = lock(&self.state);
        loop {
            if let Some(batch) = state.tickets.pop_front() {
                drop(state);
                batch.help(&self.file, &mut buffer);
                drop(batch);
                state = lock(&self.state);
            } else if state.closed {
                return;
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

impl Batch {
    /// Reads spans until none is left that nobody has taken.
    fn help(&self, file: &File, buffer: &mut Vec<u8>) {
        let mut state = lock(&self.state);
        while state.next < self.spans.len() {
            let take = state.take.clone().expect("it is there until all spans are done");
            let share = state.next..self.spans.len().min(state.next + SHARE);
            state.next = share.end;
            drop(state);
            let share = &self.spans[share];
            let result = catch_unwind(AssertUnwindSafe(|| read(share, file, buffer, &*take)));
            drop(take);
            state = lock(&self.state);
            state.done += share.len();
            if let Err(panic) = result {
                state.panic.get_or_insert(panic);
            }
        }
        if state.done == self.spans.len() {
            self.finished.notify_all();
        }
    }

    /// Waits until all spans are done; gives what the taker panicked with, if it did.
    fn wait(&self) -> Option<Box<dyn Any + Send>> {
        let mut state = lock(&self.state);
        assert_eq!(state.next, self.spans.len(), "the caller helps until no span waits");
        while state.done < self.spans.len() {
            state = self.finished.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let (take, panic) = (state.take.take(), state.panic.take());
        drop(state);
        drop(take);
        panic
    }
}

/// Reads spans that ascend.
fn read(mut spans: &[(usize, ReadSpan)], file: &File, buffer: &mut Vec<u8>, take: &ReadTaker) {
    while !spans.is_empty() {
        let count = joined(spans);
        let (now, later) = spans.split_at(count);
        spans = later;
        let offset = now[0].1.offset;
        let last = &now[count - 1].1;
        let length = (last.offset - offset) as usize + last.length;
        if buffer.len() < length {
            buffer.resize(length, 0);
        }
        match read_exact_at(file, offset, &mut buffer[..length]) {
            Err(_) if count > 1 => {
                // Some of them may be readable.
                for span in now {
                    read(std::slice::from_ref(span), file, buffer, take);
                }
            }
            Err(error) => take(now[0].0, Err(error)),
            Ok(()) => {
                for (number, span) in now {
                    let begin = (span.offset - offset) as usize;
                    take(*number, Ok(&buffer[begin..begin + span.length]));
                }
            }
        }
    }
}

/// How many spans from the first on are near enough to each other to be read together.
fn joined(spans: &[(usize, ReadSpan)]) -> usize {
    let begin = spans[0].1.offset;
    let mut end = begin.saturating_add(spans[0].1.length as u64);
    let next = |(_, span): &&(usize, ReadSpan)| {
        let is_near = span.offset >= end && span.offset - end <= GAP_BYTES;
        end = span.offset.saturating_add(span.length as u64);
        is_near && end - begin <= JOINED_BYTES
    };
    1 + spans[1..].iter().take_while(next).count()
}

// Under these locks only counters and lists change, in steps that do not panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for ReaderPool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let threads = self.threads.get().map_or(0, Vec::len);
        formatter.debug_struct("ReaderPool").field("threads", &threads).finish()
    }
}
