//! Two programs in turn, doing the same.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::place::{Place, RAW};
use super::process::{self, Cost};
use super::spread::Spread;

/// The file that a command makes, if it makes one.
pub(super) const NEW: &str = "new";

/// A row of work stops after this, once it has had two pairs. Some of it takes qemu-img half a
/// minute.
const ENOUGH: Duration = Duration::from_secs(60);

/// What programs are measured, and how.
pub(super) struct Programs<'a> {
    pub(super) exuvia: &'a Path,
    /// The machine that it uses.
    pub(super) backend: &'a str,
}

/// What many runs of one program have cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Costs {
    pub(super) time: Spread,
    /// The most memory of all runs, in bytes.
    pub(super) memory: u64,
}

impl Costs {
    pub(super) fn of(costs: &[Cost]) -> Self {
        Self {
            time: Spread::of(costs.iter().map(|cost| cost.time).collect()),
            memory: costs.iter().map(|cost| cost.memory).max().unwrap_or(0),
        }
    }
}

/// What both have cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pairs {
    pub(super) exuvia: Costs,
    pub(super) qemu_img: Costs,
    /// How many runs each had.
    pub(super) count: usize,
}

impl Programs<'_> {
    /// Runs exuvia once. Making room for what it makes is not counted.
    pub(super) fn run_exuvia(&self, place: &Place, words: &str) -> Result<Cost> {
        place.remove(NEW)?;
        process::run(place.command(self.exuvia, words).env("EXUVIA_BACKEND", self.backend))
    }

    /// Runs qemu-img once.
    pub(super) fn run_qemu_img(&self, place: &Place, words: &str) -> Result<Cost> {
        place.remove(NEW)?;
        process::run(&mut place.command(Path::new("qemu-img"), words))
    }

    /// Runs both in turn, up to so many times.
    pub(super) fn in_turn(&self, place: &Place, words: &str, count: usize) -> Result<Pairs> {
        place.make_what_is_named(words)?;
        let started = Instant::now();
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        while ours.len() < count && (ours.len() < 2 || started.elapsed() < ENOUGH) {
            ours.push(self.run_exuvia(place, words)?);
            if ours.len() == 1 {
                check(place, words)?;
            }
            theirs.push(self.run_qemu_img(place, words)?);
        }
        place.remove(NEW)?;
        Ok(Pairs { exuvia: Costs::of(&ours), qemu_img: Costs::of(&theirs), count: ours.len() })
    }
}

/// What is wrong is done fast: a conversion must give the disk that it was given.
pub(super) fn check(place: &Place, words: &str) -> Result<()> {
    if !words.starts_with("convert ") || !place.path(RAW).exists() {
        return Ok(());
    }
    let format = words.split(' ').skip_while(|word| *word != "-O").nth(1).unwrap_or("raw");
    let comparison = format!("compare -f raw -F {format} {RAW} {NEW}");
    place.qemu_img(&comparison).with_context(|| format!("exuvia {words} made another disk"))
}
