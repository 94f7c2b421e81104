//! Runs the compactions of a bar: on worker threads, or on the writer's own thread if there are none.
//!
//! Workers only compute and write into reserved extents; results are taken in the order in which the
//! jobs were given, so the threads' timing leaves no trace.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

use crate::compaction::{CompactionJob, JobError, JobOutput};
use crate::sync::thread::{Builder, JoinHandle};
use crate::sync::{Condvar, Mutex, MutexGuard};

/// Values that are merged between two looks at the clock of progress.
const STEP_ROWS: usize = 4096;

/// Why a job has no output.
#[derive(Debug)]
pub(super) enum Failure {
    Job(JobError),
    Panicked,
}

type Outcome = Result<JobOutput, Failure>;

/// The compactions of one bar at a time.
pub(super) struct Compactor {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    job_count: usize,
    rows: u64,
}

struct Shared {
    state: Mutex<State>,
    /// Jobs were added, or the end was ordered.
    work: Condvar,
    /// Rows were merged, or a job ended.
    progress: Condvar,
}

/// A job, its place among the bar's jobs, and the rows that it has not merged yet.
struct Task {
    at: usize,
    job: Box<dyn CompactionJob>,
    rows_left: u64,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Task>,
    outcomes: Vec<(usize, Outcome)>,
    rows_done: u64,
    end: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Merges some rows of a job; gives the task back if there are more.
    fn step(&self, mut task: Task) -> Option<Task> {
        let result = catch_unwind(AssertUnwindSafe(|| task.job.step(STEP_ROWS)));
        let mut state = self.lock();
        let rest = match result {
            Ok(Ok(false)) => {
                let rows = task.rows_left.min(STEP_ROWS as u64);
                task.rows_left -= rows;
                state.rows_done += rows;
                Some(task)
            }
            ended => {
                let outcome = match ended {
                    Ok(Ok(_)) => Ok(task.job.finish()),
                    Ok(Err(error)) => Err(Failure::Job(error)),
                    Err(_) => Err(Failure::Panicked),
                };
                state.rows_done += task.rows_left;
                state.outcomes.push((task.at, outcome));
                None
            }
        };
        self.progress.notify_all();
        rest
    }

    fn work(&self) {
        loop {
            let mut state = self.lock();
            let mut task = loop {
                if state.end {
                    return;
                }
                if let Some(next) = state.queue.pop_front() {
                    break next;
                }
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            };
            drop(state);
            while let Some(rest) = self.step(task) {
                if self.lock().end {
                    return;
                }
                task = rest;
            }
        }
    }
}

impl Compactor {
    pub(super) fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::default()),
            work: Condvar::new(),
            progress: Condvar::new(),
        });
        let workers = (0..threads)
            .filter_map(|_| {
                let shared = shared.clone();
                let builder = Builder::new().name("groove-compaction".into());
                // A thread that cannot be had is done without: the writer compacts itself if none.
                builder.spawn(move || shared.work()).ok()
            })
            .collect();
        Compactor { shared, workers, job_count: 0, rows: 0 }
    }

    /// Whether a bar's jobs are under way.
    pub(super) fn is_busy(&self) -> bool {
        self.job_count > 0
    }

    /// Gives the jobs of a bar. The longest are begun first, so that threads have ended at about the same
    /// time; jobs without values before these: they wait for the device.
    pub(super) fn start(&mut self, jobs: Vec<Box<dyn CompactionJob>>) {
        assert!(!self.is_busy(), "one bar at a time");
        self.job_count = jobs.len();
        self.rows = jobs.iter().map(|job| job.rows() as u64).sum();
        let mut state = self.shared.lock();
        state.rows_done = 0;
        let tasks = jobs.into_iter().enumerate();
        let mut tasks: Vec<Task> =
            tasks.map(|(at, job)| Task { at, rows_left: job.rows() as u64, job }).collect();
        tasks.sort_by_key(|task| (task.rows_left > 0, Reverse(task.rows_left)));
        state.queue = tasks.into();
        drop(state);
        self.shared.work.notify_all();
    }

    /// Returns when the jobs are as far as the bar: `done` of `all`. Each commit pays its share, so
    /// none has to wait for all of the work. Workers are given a start of an eighth: at first they merge
    /// runs in memory, of which progress tells nothing.
    pub(super) fn keep_pace(&self, done: u64, all: u64) {
        if !self.is_busy() {
            return;
        }
        let start = if self.workers.is_empty() { 0 } else { all / 8 };
        let (done, all) = (done.min(all).saturating_sub(start), (all - start).max(1));
        let share = u128::from(self.rows) * u128::from(done) / u128::from(all);
        self.advance_to(u64::try_from(share).expect("a share of a u64"));
    }

    fn advance_to(&self, rows: u64) {
        let mut state = self.shared.lock();
        // The rows of all jobs may be merged a moment before the last outcome is there.
        let all = rows >= self.rows;
        while state.outcomes.len() < self.job_count && (all || state.rows_done < rows) {
            if self.workers.is_empty() {
                let task = state.queue.pop_front().expect("a job that has not ended");
                drop(state);
                let rest = self.shared.step(task);
                state = self.shared.lock();
                if let Some(task) = rest {
                    state.queue.push_front(task);
                }
            } else {
                let progress = &self.shared.progress;
                state = progress.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Waits for all jobs and gives their outcomes, in the order of the jobs.
    pub(super) fn finish(&mut self) -> Vec<Outcome> {
        self.advance_to(u64::MAX);
        self.job_count = 0;
        let mut outcomes = std::mem::take(&mut self.shared.lock().outcomes);
        outcomes.sort_by_key(|(at, _)| *at);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }
}

impl Drop for Compactor {
    /// Leaves unfinished jobs: what they wrote is referred to by nothing.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.end = true;
        state.queue.clear();
        drop(state);
        self.shared.work.notify_all();
        for worker in self.workers.drain(..) {
            // A worker that panicked has nothing to say any more.
            let _ = worker.join();
        }
    }
}
