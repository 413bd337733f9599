//! What the vCPUs' threads and the I/O threads tell each other.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use vmm_sys_util::eventfd::EventFd;

/// The longest that a vCPU sleeps without looking around.
const NAP: Duration = Duration::from_millis(100);

/// Which I/O thread sees to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The one that serves inputs and the console.
    Inputs,
    /// The one that serves outputs.
    Outputs,
}

/// Shared between the threads of a run.
#[derive(Debug)]
pub(super) struct Signals {
    /// Wakes the I/O thread of a side: a doorbell rang, or the guest has ended.
    inputs: EventFd,
    outputs: EventFd,
    /// The slots of the outputs, a bit for each.
    output_slots: u128,
    /// The guest has ended, or shall.
    stop: AtomicBool,
    /// How many batches of requests the I/O threads have finished, and how often a vCPU
    /// has woken the others.
    batches: AtomicU64,
    /// The thread that serves outputs may be writing.
    writing: AtomicBool,
    /// How many vCPUs' threads sleep until `batches` moves on.
    asleep: Mutex<u32>,
    wake: Condvar,
}

impl Signals {
    pub(super) fn new(inputs: EventFd, outputs: EventFd, output_slots: u128) -> Self {
        Self {
            inputs,
            outputs,
            output_slots,
            stop: AtomicBool::new(false),
            batches: AtomicU64::new(0),
            writing: AtomicBool::new(false),
            asleep: Mutex::new(0),
            wake: Condvar::new(),
        }
    }

    /// Ends the run, from either side.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake_vcpus();
        self.kick_io(Side::Inputs);
        self.kick_io(Side::Outputs);
    }

    /// The side that serves the device in a slot.
    pub(super) fn side(&self, slot: usize) -> Side {
        let is_output = self.output_slots.checked_shr(u32::try_from(slot).unwrap_or(u32::MAX));
        if is_output.is_some_and(|bits| bits & 1 == 1) { Side::Outputs } else { Side::Inputs }
    }

    /// What wakes the I/O thread of a side.
    pub(super) fn kick(&self, side: Side) -> &EventFd {
        match side {
            Side::Inputs => &self.inputs,
            Side::Outputs => &self.outputs,
        }
    }

    /// Whether the run is to end.
    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Wakes the I/O thread of a side, if it sleeps.
    pub(super) fn kick_io(&self, side: Side) {
        // Writing fails only when the count is at its end, and then the thread
        // is awake.
        let _ = self.kick(side).write(1);
    }

    /// Says that the guest will find something new in its memory.
    pub(super) fn finished_batch(&self) {
        self.batches.fetch_add(1, Ordering::Release);
        self.wake_vcpus();
    }

    /// How many batches of requests have been finished.
    pub(super) fn batches(&self) -> u64 {
        self.batches.load(Ordering::Acquire)
    }

    /// Whether the thread that serves outputs may be writing.
    pub(super) fn is_writing(&self) -> bool {
        self.writing.load(Ordering::Acquire)
    }

    /// The thread that serves outputs begins to write, or is done.
    pub(super) fn set_writing(&self, is_writing: bool) {
        self.writing.store(is_writing, Ordering::Release);
    }

    /// Sleeps until more batches are finished than `seen`, and updates it.
    pub(super) fn wait_for_batch(&self, seen: &mut u64) {
        let mut asleep = self.asleep.lock().unwrap_or_else(PoisonError::into_inner);
        *asleep += 1;
        let batches = self.batches.load(Ordering::Acquire);
        if batches == *seen && !self.stopped() {
            let woken = self.wake.wait_timeout(asleep, NAP);
            asleep = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        *asleep = asleep.saturating_sub(1);
        drop(asleep);
        *seen = self.batches.load(Ordering::Acquire);
    }

    fn wake_vcpus(&self) {
        let asleep = self.asleep.lock().unwrap_or_else(PoisonError::into_inner);
        if *asleep > 0 {
            self.wake.notify_all();
        }
    }
}
