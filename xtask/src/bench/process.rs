//! What a process costs, from outside.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use wait4::Wait4;

/// What a process has cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// From before it was there until after it was gone.
    pub(super) time: Duration,
    /// The most memory that it had at a time, in bytes, with that of the processes it
    /// waited for. What this program has itself is in there: less cannot be seen.
    pub(super) memory: u64,
}

/// Runs a command to its end. It must succeed; what it complains of is shown.
pub(super) fn run(command: &mut Command) -> Result<Cost> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let started = Instant::now();
    let child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
    let used = child.wait4().context("cannot wait for a command")?;
    let time = started.elapsed();
    ensure!(used.status.success(), "{command:?} failed ({})", used.status);
    Ok(Cost { time, memory: used.rusage.maxrss })
}
