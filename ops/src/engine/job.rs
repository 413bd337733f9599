//! Work that takes a processor's time: putting pieces together and compressing them.
//!
//! A job owns what it needs and touches nothing else, so it can be done anywhere.

use alloc::vec::Vec;

use super::fill::Filler;
use super::plan::Plan;

/// A piece that is to be put together.
#[derive(Debug)]
pub struct Job<B> {
    /// How.
    pub plan: Plan,
    /// What was fetched for it.
    pub fetched: Vec<B>,
    /// Where it goes.
    pub target: B,
    /// Its length in bytes, in whole sectors.
    pub length: usize,
}

/// A piece that is put together.
#[derive(Debug)]
pub struct Done<B> {
    /// What was fetched for it, for other uses.
    pub fetched: Vec<B>,
    /// The piece.
    pub target: B,
    /// Whether something of it could not be decompressed.
    pub is_damaged: bool,
}

/// What does jobs. It has what is dear to make.
#[derive(Debug, Default)]
pub struct Worker {
    filler: Filler,
}

impl Worker {
    /// Does a job.
    pub fn perform<B: core::ops::DerefMut<Target = [u8]>>(&mut self, job: Job<B>) -> Done<B> {
        let Job { plan, fetched, mut target, length } = job;
        let sources: Vec<&[u8]> = fetched.iter().map(|buffer| &**buffer).collect();
        let piece = target.get_mut(..length).unwrap_or_default();
        let is_damaged = self.filler.fill(&plan, &sources, piece).is_err();
        Done { fetched, target, is_damaged }
    }
}
