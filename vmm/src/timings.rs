//! Where the time of a run goes.

use std::time::{Duration, Instant};

use abi::reply::Marks;

/// A moment on both clocks: the host's, and the time-stamp counter, which the
/// guest reads too.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// On the host's monotonic clock.
    pub instant: Instant,
    /// On the time-stamp counter.
    pub ticks: u64,
}

impl Moment {
    /// The present.
    #[must_use]
    #[expect(unsafe_code, reason = "reads the time-stamp counter")]
    pub fn now() -> Self {
        // SAFETY: every 64-bit x86 processor has the instruction.
        let ticks = unsafe { std::arch::x86_64::_rdtsc() };
        Self { instant: Instant::now(), ticks }
    }
}

/// The time from one moment to a later one, or none.
impl std::ops::Sub for Moment {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.instant.saturating_duration_since(earlier.instant)
    }
}

/// The stages of a run, in order.
#[derive(Clone, Debug, Default)]
pub struct Timings(Vec<(&'static str, Duration)>);

impl Timings {
    /// Adds a stage.
    pub fn add(&mut self, stage: &'static str, duration: Duration) {
        self.0.push((stage, duration));
    }

    /// Every stage with its duration.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        self.0.iter().copied()
    }

    /// Adds what the guest says about itself. The guest's counter need not run
    /// at the same offset as the host's, so only differences are used; `guest`
    /// is from when it was entered to when it was left, on both clocks.
    pub fn add_guest(&mut self, marks: &Marks, guest: [Moment; 2]) {
        let [entered, left] = guest;
        let whole = left - entered;
        let ticks = left.ticks.saturating_sub(entered.ticks).max(1);
        // A guest may say anything: no stage is longer than the whole.
        let stage = |from: u64, to: u64| {
            let share = to.saturating_sub(from).min(ticks);
            let nanoseconds = u128::from(share) * whole.as_nanos() / u128::from(ticks);
            Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
        };
        let stages = [
            ("guest: heap and request", stage(marks.entered, marks.booted)),
            ("guest: devices", stage(marks.booted, marks.devices)),
            ("guest: operation", stage(marks.devices, marks.finished)),
        ];
        let inside: Duration = stages.iter().map(|(_, duration)| *duration).sum();
        self.add("guest: entry, exits and reply", whole.saturating_sub(inside));
        self.0.extend(stages);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_guest_says_is_cut_to_what_can_be() {
        let start = Instant::now();
        let at = |milliseconds, ticks| Moment {
            instant: start + Duration::from_millis(milliseconds),
            ticks,
        };
        let guest = [at(0, 1000), at(10, 2000)];
        let marks = Marks { entered: 5, booted: 105, devices: 50, finished: u64::MAX };
        let mut timings = Timings::default();
        timings.add_guest(&marks, guest);
        let stages: Vec<_> = timings.iter().map(|(_, duration)| duration.as_millis()).collect();
        assert_eq!(stages, [0, 1, 0, 10]);
    }
}
