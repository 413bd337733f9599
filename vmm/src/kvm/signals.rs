//! What the vCPU's thread and the I/O thread tell each other.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use vmm_sys_util::eventfd::EventFd;

/// The longest that a vCPU sleeps without looking around.
const NAP: Duration = Duration::from_millis(100);

/// Shared between the two threads of a run.
#[derive(Debug)]
pub(super) struct Signals {
    /// Wakes the I/O thread: a doorbell rang, or the guest has ended.
    pub(super) kick: EventFd,
    /// The guest has ended, or shall.
    stop: AtomicBool,
    /// How many batches of requests the I/O thread has finished.
    batches: AtomicU64,
    /// The vCPU's thread sleeps until `batches` moves on.
    asleep: Mutex<bool>,
    wake: Condvar,
}

impl Signals {
    pub(super) fn new(kick: EventFd) -> Self {
        Self {
            kick,
            stop: AtomicBool::new(false),
            batches: AtomicU64::new(0),
            asleep: Mutex::new(false),
            wake: Condvar::new(),
        }
    }

    /// Ends the run, from either side.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake_vcpu();
        self.kick_io();
    }

    /// Whether the run is to end.
    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Wakes the I/O thread, if it sleeps.
    pub(super) fn kick_io(&self) {
        // Writing fails only when the count is at its end, and then the thread
        // is awake.
        let _ = self.kick.write(1);
    }

    /// Says that the guest will find something in a used ring.
    pub(super) fn finished_batch(&self) {
        self.batches.fetch_add(1, Ordering::Release);
        self.wake_vcpu();
    }

    /// Sleeps until more batches are finished than `seen`, and updates it.
    pub(super) fn wait_for_batch(&self, seen: &mut u64) {
        let mut asleep = self.asleep.lock().unwrap_or_else(PoisonError::into_inner);
        *asleep = true;
        let batches = self.batches.load(Ordering::Acquire);
        if batches == *seen && !self.stopped() {
            let woken = self.wake.wait_timeout(asleep, NAP);
            asleep = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        *asleep = false;
        drop(asleep);
        *seen = self.batches.load(Ordering::Acquire);
    }

    fn wake_vcpu(&self) {
        let asleep = self.asleep.lock().unwrap_or_else(PoisonError::into_inner);
        if *asleep {
            self.wake.notify_one();
        }
    }
}
