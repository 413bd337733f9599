//! Further processors: they do jobs, and touch no device.
//!
//! The first processor submits requests and keeps order; jobs wait in a queue that all
//! processors take from, the first one included when it has nothing better to do. The
//! host starts the others when the guest first has a job, so that a run without any does
//! not pay for them. On a machine where that cannot be done, the first does all.

use alloc::collections::VecDeque;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use drivers::dma::DmaBuffer;
use ops::engine::job::{Done, Job, Worker};
use spin::Mutex;

use crate::exit;
use crate::machine::SPINS;

/// Jobs and what became of them, each with its tag.
pub struct Pool {
    jobs: Mutex<VecDeque<(u64, Job<DmaBuffer>)>>,
    done: Mutex<VecDeque<(u64, Done<DmaBuffer>)>>,
    /// How many workers are about to give their processor away, or have.
    idle: AtomicU32,
    /// Whether the first processor is.
    first_is_idle: AtomicBool,
}

/// The one pool.
pub static POOL: Pool = Pool {
    jobs: Mutex::new(VecDeque::new()),
    done: Mutex::new(VecDeque::new()),
    idle: AtomicU32::new(0),
    first_is_idle: AtomicBool::new(false),
};

impl Pool {
    /// Adds a job.
    pub fn assign(&self, tag: u64, job: Job<DmaBuffer>) {
        self.jobs.lock().push_back((tag, job));
        // Who is counted as idle looks for jobs once more before it sleeps.
        if self.idle.load(Ordering::SeqCst) > 0 {
            exit::wake();
        }
    }

    /// Takes the next job.
    pub fn take(&self) -> Option<(u64, Job<DmaBuffer>)> {
        self.jobs.lock().pop_front()
    }

    /// Takes what became of a job.
    pub fn next_done(&self) -> Option<(u64, Done<DmaBuffer>)> {
        self.done.lock().pop_front()
    }

    /// Says whether the first processor is about to give itself away. It looks around
    /// once more after that.
    pub fn set_first_idle(&self, is_idle: bool) {
        self.first_is_idle.store(is_idle, Ordering::SeqCst);
    }

    fn give_back(&self, tag: u64, done: Done<DmaBuffer>) {
        self.done.lock().push_back((tag, done));
        if self.first_is_idle.load(Ordering::SeqCst) {
            exit::wake();
        }
    }

    /// Waits for a job.
    fn wait(&self) -> (u64, Job<DmaBuffer>) {
        loop {
            for _ in 0..SPINS {
                if let Some(job) = self.take() {
                    return job;
                }
                core::hint::spin_loop();
            }
            self.idle.fetch_add(1, Ordering::SeqCst);
            let job = self.take();
            if job.is_none() {
                exit::wait();
            }
            self.idle.fetch_sub(1, Ordering::SeqCst);
            if let Some(job) = job {
                return job;
            }
        }
    }
}

impl core::fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "Pool({} jobs)", self.jobs.lock().len())
    }
}

/// What a further processor does, from its first instruction to the end of the run. It
/// comes here in ring 3, on a stack of its own.
pub extern "C" fn work(_number: u64) -> ! {
    let mut worker = Worker::default();
    loop {
        let (tag, job) = POOL.wait();
        POOL.give_back(tag, worker.perform(job));
    }
}

#[cfg(test)]
mod tests {
    use ops::engine::plan::Plan;

    use super::*;

    #[test]
    fn jobs_are_done_in_order_and_come_back_with_their_tags() {
        let job = || Job {
            plan: Some(Plan::default()),
            fetched: vec![],
            target: DmaBuffer::zeroed(512).unwrap(),
            length: 512,
            compression: None,
        };
        assert!(POOL.take().is_none());
        for tag in [7, 3, 5] {
            POOL.assign(tag, job());
        }
        let mut worker = Worker::default();
        while let Some((tag, job)) = POOL.take() {
            POOL.give_back(tag, worker.perform(job));
        }
        let tags: Vec<u64> = core::iter::from_fn(|| POOL.next_done()).map(|(tag, _)| tag).collect();
        assert_eq!(tags, [7, 3, 5]);
    }
}
