//! Runs the compactions of a bar: on worker threads, or on the writer's own thread if there are none.
//!
//! Workers only compute and write into reserved extents; results are taken in the order in which the
//! jobs were given, so the threads' timing leaves no trace. While they are ahead of the bar, one goes on
//! alone.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

use crate::compaction::{CompactionJob, JobError, JobOutput};
use crate::sync::thread::{Builder, JoinHandle};
use crate::sync::{Condvar, Mutex, MutexGuard};

/// Work between two looks at the clock of progress: a few thousand index entries, some hundred objects.
const STEP_WORK: u64 = 1 << 14;

/// Why a job has no output.
#[derive(Debug)]
pub(super) enum Failure {
    Job(JobError),
    Panicked,
}

/// The workers may be ahead by this share of a bar's work.
const LEAD: u64 = 8;
/// Before this share of a bar commits wait for nothing: at first workers merge runs in memory, of which
/// progress tells nothing. In the last of it as well they do not wait for more.
const SLACK: u64 = 8;
/// This share of the work nobody waits for but the end: of how long the last job of all takes, which has one
/// thread and a table to write, progress tells nothing either.
const REST: u64 = 64;

type Outcome = Result<JobOutput, Failure>;

/// The compactions of one bar at a time.
pub(super) struct Compactor {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    job_count: usize,
    work: u64,
}

struct Shared {
    state: Mutex<State>,
    /// Jobs were added, a worker has stopped, the bar went on, or the end was ordered.
    work: Condvar,
    /// Some work was done, or a job ended.
    progress: Condvar,
}

/// A job, its place among the bar's jobs, and the work that it has not done yet.
struct Task {
    at: usize,
    job: Box<dyn CompactionJob>,
    left: u64,
    is_begun: bool,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Task>,
    outcomes: Vec<(usize, Outcome)>,
    done: u64,
    /// Work that the writer waits for at the most, and by how much the workers may be ahead of that
    /// before one goes on alone.
    due: u64,
    lead: u64,
    /// So much work somebody waits for at the moment: woken only when it is done, or a job has ended.
    awaited: Option<u64>,
    /// Workers that merge.
    working: usize,
    end: bool,
}

impl State {
    /// Whether one worker suffices: more would only take the processor from the writer.
    fn is_ahead(&self) -> bool {
        self.done >= self.due.saturating_add(self.lead)
    }

    fn may_work(&self) -> bool {
        self.working == 0 || !self.is_ahead()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does some work of a job; gives the task back if there is more.
    fn step(&self, mut task: Task) -> Option<Task> {
        let result = catch_unwind(AssertUnwindSafe(|| task.job.step(STEP_WORK)));
        let mut state = self.lock();
        let mut has_ended = false;
        let rest = match result {
            Ok(Ok(false)) => {
                let work = task.left.min(STEP_WORK);
                task.left -= work;
                state.done += work;
                Some(task)
            }
            ended => {
                has_ended = true;
                let outcome = match ended {
                    Ok(Ok(_)) => Ok(task.job.finish()),
                    Ok(Err(error)) => Err(Failure::Job(error)),
                    Err(_) => Err(Failure::Panicked),
                };
                state.done += task.left;
                state.outcomes.push((task.at, outcome));
                None
            }
        };
        if state.awaited.is_some_and(|work| has_ended || state.done >= work) {
            self.progress.notify_all();
        }
        rest
    }

    fn work(&self) {
        let mut state = self.lock();
        while !state.end {
            let task = if state.may_work() { state.queue.pop_front() } else { None };
            let Some(task) = task else {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            state.working += 1;
            drop(state);
            state = self.work_on(task);
            state.working -= 1;
            // One that waits may be the only one that has something to merge.
            self.work.notify_all();
        }
    }

    /// Merges until there is nothing left of the task, or others suffice to go on with it.
    fn work_on(&self, mut task: Task) -> MutexGuard<'_, State> {
        loop {
            let rest = self.step(task);
            let mut state = self.lock();
            let Some(mut rest) = rest.filter(|_| !state.end) else { return state };
            rest.is_begun = true;
            if state.working > 1 && state.is_ahead() {
                state.queue.push_front(rest);
                return state;
            }
            // Of what is begun, what takes longest: at the end nothing can be shared any more.
            task = match state.queue.front_mut() {
                Some(next) if next.is_begun && next.left > rest.left => {
                    std::mem::replace(next, rest)
                }
                _ => rest,
            };
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
        Compactor { shared, workers, job_count: 0, work: 0 }
    }

    /// Whether a bar's jobs are under way.
    pub(super) fn is_busy(&self) -> bool {
        self.job_count > 0
    }

    /// Gives the jobs of a bar. The longest are begun first, so that threads have ended at about the same
    /// time; jobs without work before these: they wait for the device.
    pub(super) fn start(&mut self, jobs: Vec<Box<dyn CompactionJob>>) {
        assert!(!self.is_busy(), "one bar at a time");
        self.job_count = jobs.len();
        self.work = jobs.iter().map(|job| job.work()).sum();
        let mut state = self.shared.lock();
        state.done = 0;
        state.due = 0;
        state.lead = self.work / LEAD;
        let tasks = jobs.into_iter().enumerate();
        let mut tasks: Vec<Task> =
            tasks.map(|(at, job)| Task { at, left: job.work(), job, is_begun: false }).collect();
        tasks.sort_by_key(|task| (task.left > 0, Reverse(task.left)));
        state.queue = tasks.into();
        drop(state);
        self.shared.work.notify_all();
    }

    /// Returns when the jobs are as far as the bar: `done` of `all`. Each commit pays its share, so
    /// none has to wait for all of the work; for jobs without work only the end waits.
    pub(super) fn keep_pace(&self, done: u64, all: u64) {
        if !self.is_busy() || self.work == 0 {
            return;
        }
        let start = if self.workers.is_empty() { 0 } else { all / SLACK };
        let end = all - all / SLACK;
        let (done, all) = (done.min(end).saturating_sub(start), (end - start).max(1));
        let share = u128::from(self.work) * u128::from(done) / u128::from(all);
        let share = u64::try_from(share).expect("a share of a u64");
        self.advance_to(share.min(self.work - (self.work / REST).max(1)));
    }

    fn advance_to(&self, work: u64) {
        let mut state = self.shared.lock();
        let was_ahead = state.is_ahead();
        state.due = state.due.max(work);
        if was_ahead && !state.is_ahead() {
            self.shared.work.notify_all();
        }
        // All work may be done a moment before the last outcome is there.
        let all = work >= self.work;
        while state.outcomes.len() < self.job_count && (all || state.done < work) {
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
                state.awaited = Some(work);
                state = progress.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.awaited = None;
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

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::grid::Extent;

    /// A job that counts its steps, and says by its output which one it is.
    struct Count {
        number: u32,
        work: u64,
        left: u64,
    }

    impl CompactionJob for Count {
        fn step(&mut self, work: u64) -> Result<bool, JobError> {
            self.left = self.left.saturating_sub(work);
            std::thread::yield_now();
            Ok(self.left == 0)
        }

        fn work(&self) -> u64 {
            self.work
        }

        fn finish(self: Box<Self>) -> JobOutput {
            let unused = vec![Extent { address: 0, sectors: self.number }];
            JobOutput { unused, ..JobOutput::default() }
        }
    }

    #[test]
    fn the_job_with_most_work_is_begun_first_and_those_without_before_it() {
        let mut compactor = Compactor::new(0);
        let work = [3, 0, 40, 1, 12].map(|steps| steps * STEP_WORK);
        let jobs = work.into_iter().zip(0..).map(|(work, number)| {
            Box::new(Count { number, work, left: work }) as Box<dyn CompactionJob>
        });
        compactor.start(jobs.collect());
        compactor.advance_to(u64::MAX);
        let ended: Vec<usize> =
            compactor.shared.lock().outcomes.iter().map(|(at, _)| *at).collect();
        assert_eq!(ended, [1, 2, 4, 0, 3]);
    }

    #[test]
    fn workers_that_are_ahead_leave_the_rest_to_one_and_all_jobs_end() {
        for threads in [0, 1, 2, 4] {
            let mut compactor = Compactor::new(threads);
            for bar in 0..20 {
                let sizes = [1, 400, 0, 30 + bar, 400, 7, 250].map(|steps| steps * STEP_WORK);
                let jobs = sizes.into_iter().zip(0..).map(|(work, number)| {
                    Box::new(Count { number, work, left: work }) as Box<dyn CompactionJob>
                });
                compactor.start(jobs.collect());
                for done in 0..10 {
                    compactor.keep_pace(done, 9);
                    let state = compactor.shared.lock();
                    assert!(state.working <= threads && state.done <= compactor.work);
                }
                let numbers = compactor
                    .finish()
                    .into_iter()
                    .map(|outcome| outcome.expect("no job fails").unused[0].sectors);
                assert!(numbers.eq(0..7), "the outcomes are in the order of the jobs");
                assert_eq!(compactor.shared.lock().done, compactor.work);
            }
            // Nobody asks for progress: one goes on alone when the workers are ahead.
            compactor.start(vec![
                Box::new(Count { number: 0, work: 1 << 30, left: u64::MAX }),
                Box::new(Count { number: 1, work: 1 << 30, left: u64::MAX }),
            ]);
            let is_alone = || {
                let state = compactor.shared.lock();
                state.is_ahead() && state.working == 1
            };
            while threads > 1 && !is_alone() {
                std::thread::yield_now();
            }
        }
    }
}
