//! A few threads that read a batch together, for devices that answer many reads at a time.
//!
//! A batch is sorted by offset and cut into contiguous shares. The shares lie in the batch, not in
//! a queue: the pool's queue holds a ticket per thread that may help, and whoever comes, the
//! calling thread among them, takes the next share. So a batch ends even when no other thread could
//! be started or all are at work on other batches, and a batch of another caller never waits for
//! this one. Threads start at the first batch and are joined when the pool is dropped.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

use super::super::ReadRequest;
use super::read_exact_at;

/// Reads in flight at a time, besides those of the calling threads.
const THREADS: usize = 8;

/// Requests to be read by one thread in turn, each with its index in the batch.
type Share = Vec<(usize, ReadRequest)>;

pub(super) struct ReaderPool {
    queue: Arc<Queue>,
    threads: OnceLock<Vec<JoinHandle<()>>>,
}

struct Queue {
    file: Arc<File>,
    state: Mutex<QueueState>,
    changed: Condvar,
}

struct QueueState {
    tickets: VecDeque<Arc<Batch>>,
    closed: bool,
}

struct Batch {
    state: Mutex<BatchState>,
    finished: Condvar,
}

struct BatchState {
    waiting: Vec<Share>,
    /// Shares that somebody has taken and not yet put into `done`.
    taken: usize,
    done: Vec<Share>,
}

impl ReaderPool {
    pub(super) fn new(file: Arc<File>) -> ReaderPool {
        let state = Mutex::new(QueueState { tickets: VecDeque::new(), closed: false });
        let queue = Arc::new(Queue { file, state, changed: Condvar::new() });
        ReaderPool { queue, threads: OnceLock::new() }
    }

    /// Carries out all requests; called by any number of threads at once.
    pub(super) fn read(&self, requests: &mut [ReadRequest]) {
        if requests.is_empty() {
            return;
        }
        let threads = self.threads.get_or_init(|| start(&self.queue)).len();
        let shares = cut(requests, threads + 1);
        let helpers = (shares.len() - 1).min(threads);
        let state = BatchState { waiting: shares, taken: 0, done: Vec::new() };
        let batch = Arc::new(Batch { state: Mutex::new(state), finished: Condvar::new() });

        let mut queue = lock(&self.queue.state);
        queue.tickets.extend((0..helpers).map(|_| Arc::clone(&batch)));
        drop(queue);
        for _ in 0..helpers {
            self.queue.changed.notify_one();
        }

        batch.help(&self.queue.file);
        let done = batch.wait();
        let mut count = 0;
        for (index, request) in done.into_iter().flatten() {
            requests[index] = request;
            count += 1;
        }
        assert_eq!(count, requests.len(), "each request of a batch is carried out once");
    }
}

impl Drop for ReaderPool {
    fn drop(&mut self) {
        lock(&self.queue.state).closed = true;
        self.queue.changed.notify_all();
        for thread in self.threads.take().unwrap_or_default() {
            // A thread has nothing that panics; if it did, its batch has reported it.
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

/// Takes the requests out of the batch, in order of their offsets, in up to `shares_max` shares.
fn cut(requests: &mut [ReadRequest], shares_max: usize) -> Vec<Share> {
    let mut order: Vec<usize> = (0..requests.len()).collect();
    order.sort_by_key(|&index| requests[index].offset);
    let share_length = order.len().div_ceil(shares_max);
    let mut take = |&index: &usize| {
        let empty = ReadRequest { offset: 0, buffer: Vec::new(), result: Ok(()) };
        (index, mem::replace(&mut requests[index], empty))
    };
    order.chunks(share_length).map(|share| share.iter().map(&mut take).collect()).collect()
}

impl Queue {
    /// A thread's life: helps with one batch after the other until the pool is dropped.
    fn serve(&self) {
        let mut state = lock(&self.state);
        loop {
            if let Some(batch) = state.tickets.pop_front() {
                drop(state);
                batch.help(&self.file);
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
    /// Reads shares until none waits any more.
    fn help(&self, file: &File) {
        let mut state = lock(&self.state);
        while let Some(mut share) = state.waiting.pop() {
            state.taken += 1;
            drop(state);
            for (_, request) in &mut share {
                request.result = read(file, request);
            }
            state = lock(&self.state);
            state.taken -= 1;
            state.done.push(share);
        }
        if state.taken == 0 {
            self.finished.notify_all();
        }
    }

    /// Waits until no share is waiting or being read, and returns all of them.
    fn wait(&self) -> Vec<Share> {
        let mut state = lock(&self.state);
        assert!(state.waiting.is_empty(), "the caller helps until no share waits");
        while state.taken > 0 {
            state = self.finished.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        mem::take(&mut state.done)
    }
}

fn read(file: &File, request: &mut ReadRequest) -> io::Result<()> {
    read_exact_at(file, request.offset, &mut request.buffer)
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
