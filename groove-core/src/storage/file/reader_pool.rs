//! A few threads that read a batch together, for devices that answer many reads at a time.
//!
//! A batch is sorted by offset, and spans that lie near each other become one read. The pool's queue holds a
//! ticket per thread that may help, and whoever comes, the calling thread among them, takes the next read and
//! hands the bytes over where it read them: what is done with them is shared by the threads as well, and a
//! thread needs one buffer for all. So a batch ends even when no other thread could be started or all are at
//! work on other batches, and a batch of another caller never waits for this one. Threads start at the first
//! batch for them and are joined when the pool is dropped.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

use super::super::{ReadSpan, ReadTaker};
use super::{end_of, read_exact_at};

/// Reads in flight at a time, besides those of the calling threads.
const THREADS: usize = 8;
/// Up to so many reads the calling thread does alone: waking another costs more.
const READS_ALONE: usize = 4;
/// Spans no further from each other are read together: reading so much more costs less than another read.
const GAP_BYTES: u64 = 32 << 10;
/// Bytes that are read with one read at most, if it is more than one span; buffers that grew larger are given
/// back.
const JOINED_BYTES: u64 = 256 << 10;

pub(super) struct ReaderPool {
    queue: Arc<Queue>,
    threads: OnceLock<Vec<JoinHandle<()>>>,
}

struct Queue {
    file: Arc<File>,
    state: Mutex<QueueState>,
    changed: Condvar,
    /// Buffers of calling threads: as many as called at a time, up to [`THREADS`].
    buffers: Mutex<Vec<Vec<u8>>>,
}

struct QueueState {
    tickets: VecDeque<Arc<Batch>>,
    closed: bool,
}

struct Batch {
    /// By offset; with their numbers.
    spans: Vec<(usize, ReadSpan)>,
    /// Which of them are read together.
    reads: Vec<Range<usize>>,
    state: Mutex<BatchState>,
    finished: Condvar,
}

struct BatchState {
    /// The next read that nobody has taken.
    next: usize,
    /// Reads that are done.
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
        let reads = joined(&spans);
        let count = reads.len();
        let state = Mutex::new(BatchState { next: 0, done: 0, take: Some(take), panic: None });
        let batch = Arc::new(Batch { spans, reads, state, finished: Condvar::new() });
        if count > READS_ALONE {
            let threads = self.threads.get_or_init(|| start(&self.queue)).len();
            let helpers = (count - 1).min(threads);
            lock(&self.queue.state).tickets.extend((0..helpers).map(|_| Arc::clone(&batch)));
            for _ in 0..helpers {
                self.queue.changed.notify_one();
            }
        }
        let mut buffer = lock(&self.queue.buffers).pop().unwrap_or_default();
        batch.help(&self.queue.file, &mut buffer);
        let mut buffers = lock(&self.queue.buffers);
        if buffers.len() < THREADS {
            buffers.push(buffer);
        }
        drop(buffers);
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
    /// Reads until nothing is left that nobody has taken.
    fn help(&self, file: &File, buffer: &mut Vec<u8>) {
        let mut state = lock(&self.state);
        while state.next < self.reads.len() {
            let take = state.take.clone().expect("it is there until all reads are done");
            let spans = &self.spans[self.reads[state.next].clone()];
            state.next += 1;
            drop(state);
            let result = catch_unwind(AssertUnwindSafe(|| read(spans, file, buffer, &*take)));
            drop(take);
            state = lock(&self.state);
            state.done += 1;
            if let Err(panic) = result {
                state.panic.get_or_insert(panic);
            }
        }
        if state.done == self.reads.len() {
            self.finished.notify_all();
        }
        drop(state);
        if buffer.capacity() as u64 > JOINED_BYTES {
            *buffer = Vec::new();
        }
    }

    /// Waits until all reads are done; gives what the taker panicked with, if it did.
    fn wait(&self) -> Option<Box<dyn Any + Send>> {
        let mut state = lock(&self.state);
        assert_eq!(state.next, self.reads.len(), "the caller helps until no read waits");
        while state.done < self.reads.len() {
            state = self.finished.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let (take, panic) = (state.take.take(), state.panic.take());
        drop(state);
        drop(take);
        panic
    }
}

/// Reads spans that ascend with one read; if it fails, one by one, since some of them may be readable.
fn read(spans: &[(usize, ReadSpan)], file: &File, buffer: &mut Vec<u8>, take: &ReadTaker) {
    let ((first, begin), last) = match spans {
        [(first, span), .., (_, last)] => ((*first, span), last),
        [(first, span)] => ((*first, span), span),
        [] => return,
    };
    let offset = begin.offset;
    let length = (last.offset - offset) as usize + last.length;
    // No memory for what no file has.
    let result = if length > 0 && end_of(last.offset, last.length as u64).is_err() {
        Err(io::ErrorKind::UnexpectedEof.into())
    } else {
        if buffer.len() < length {
            // Grown step by step its capacity could become twice what is kept.
            *buffer = vec![0; length.max(JOINED_BYTES as usize)];
        }
        read_exact_at(file, offset, &mut buffer[..length])
    };
    match result {
        Ok(()) => {
            for (number, span) in spans {
                let begin = (span.offset - offset) as usize;
                take(*number, Ok(&buffer[begin..begin + span.length]));
            }
        }
        Err(error) if spans.len() == 1 => take(first, Err(error)),
        Err(_) => spans.chunks(1).for_each(|span| read(span, file, buffer, take)),
    }
}

/// Which of the spans, which ascend, are near enough to each other to be read together.
fn joined(spans: &[(usize, ReadSpan)]) -> Vec<Range<usize>> {
    let end_of = |span: &ReadSpan| span.offset.checked_add(span.length as u64);
    let mut reads: Vec<Range<usize>> = Vec::with_capacity(spans.len());
    let (mut begin, mut end) = (0, 0);
    for (at, (_, span)) in spans.iter().enumerate() {
        let is_near = span.offset >= end && span.offset - end <= GAP_BYTES;
        match (reads.last_mut(), end_of(span)) {
            (Some(read), Some(to)) if is_near && to - begin <= JOINED_BYTES => read.end = at + 1,
            _ => {
                reads.push(at..at + 1);
                begin = span.offset;
            }
        }
        // Nothing is near one that has no end.
        end = end_of(span).unwrap_or(u64::MAX);
    }
    reads
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
