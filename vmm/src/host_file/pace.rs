//! How fast is written.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Holds back who writes too fast.
#[derive(Debug)]
pub struct Pace {
    /// Bytes in a second.
    rate: u64,
    started: Instant,
    bucket: Mutex<Bucket>,
}

impl Pace {
    /// So many bytes in a second, which are not none.
    #[must_use]
    pub fn new(rate: u64) -> Self {
        Self { rate, started: Instant::now(), bucket: Mutex::new(Bucket::new(rate)) }
    }

    /// How many bytes may be written in a second.
    #[must_use]
    pub fn rate(&self) -> u64 {
        self.rate
    }

    /// How long so many bytes take.
    #[must_use]
    pub fn time_for(&self, bytes: u64) -> Duration {
        time_for(self.rate, bytes)
    }

    /// Waits until so many bytes may be written.
    pub fn wait_for(&self, bytes: u64) {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = bucket.take(self.started.elapsed(), bytes);
        drop(bucket);
        if !wait.is_zero() {
            std::thread::sleep(wait);
        }
    }
}

/// What may be written by now. It may be overdrawn once, by any amount: who comes next waits
/// for that, so that single writes need not be cut.
#[derive(Debug)]
struct Bucket {
    /// Bytes in a second.
    rate: u64,
    /// When it will have been filled again, from the start.
    full_at: Duration,
}

impl Bucket {
    fn new(rate: u64) -> Self {
        Self { rate, full_at: Duration::ZERO }
    }

    /// Takes bytes out, now. Says how long to wait before they may be written.
    fn take(&mut self, now: Duration, bytes: u64) -> Duration {
        let start = self.full_at.max(now);
        self.full_at = start.saturating_add(time_for(self.rate, bytes));
        start - now
    }
}

/// How long so many bytes take at a rate.
fn time_for(rate: u64, bytes: u64) -> Duration {
    let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_writes_too_fast_waits() {
        let milliseconds = Duration::from_millis;
        let mut bucket = Bucket::new(1000);
        for (now, bytes, wait) in [
            // The first does not wait, and the next waits for it.
            (0, 500, 0),
            (0, 100, 500),
            (500, 0, 100),
            (600, 1, 0),
            (601, 3000, 0),
            (700, 10, 2901),
            // What was not used does not add up.
            (10_000, 1000, 0),
            (10_000, 1000, 1000),
        ] {
            let waited = bucket.take(milliseconds(now), bytes);
            assert_eq!(waited, milliseconds(wait), "{bytes} bytes at {now}");
        }
    }

    #[test]
    fn no_rate_is_too_small_or_too_large() {
        let mut slow = Bucket::new(1);
        assert_eq!(slow.take(Duration::ZERO, u64::MAX), Duration::ZERO);
        assert_eq!(slow.take(Duration::ZERO, 1), Duration::from_nanos(u64::MAX));
        let mut fast = Bucket::new(u64::MAX);
        fast.take(Duration::ZERO, 1 << 30);
        assert_eq!(fast.take(Duration::ZERO, 1), Duration::ZERO);
    }
}
