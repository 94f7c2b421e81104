//! Orders of long lives: whoever goes on does so for a while, a call or thousands.

use groove_core::proof::Random;
use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};

/// The longest burst is two to this power.
const LONGEST: u64 = 12;

/// One order by a seed. A thread that is chosen goes on until its burst is over or it has to wait; of
/// the lengths of bursts each power of two is as likely, so that a compaction stands still for a moment
/// or for many commits, or ends before the commit that started it.
///
/// Other schedulers choose anew at each step, or change their mind at a few steps of all.
pub(crate) struct Bursts {
    random: Random,
    left: u64,
    seed: u64,
    is_done: bool,
}

impl Bursts {
    pub(crate) fn new(seed: u64) -> Bursts {
        Bursts { random: Random::new(seed), left: 0, seed, is_done: false }
    }
}

impl Scheduler for Bursts {
    fn new_execution(&mut self) -> Option<Schedule> {
        let is_first = !std::mem::replace(&mut self.is_done, true);
        is_first.then(|| Schedule::new(self.seed))
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        let current = current.filter(|current| runnable.iter().any(|task| task.id() == *current));
        if let Some(current) = current
            && self.left > 0
            && !is_yielding
        {
            self.left -= 1;
            return Some(current);
        }
        let power = self.random.below(LONGEST + 1);
        self.left = self.random.below(1 << power);
        Some(runnable[self.random.below(runnable.len() as u64) as usize].id())
    }

    fn next_u64(&mut self) -> u64 {
        self.random.next()
    }
}
