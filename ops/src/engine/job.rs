//! Work that takes a processor's time: putting pieces together and compressing them.
//!
//! A job owns what it needs and touches nothing else, so it can be done anywhere.

use alloc::vec::Vec;
use core::ops::{DerefMut, Range};

use formats::codec::Encoder;
use formats::writer::Encoding;

use super::fill::Filler;
use super::plan::Plan;
use super::zeros;

/// A piece that is to be put together, compressed, or both.
#[derive(Debug)]
pub struct Job<B> {
    /// How it is put together, if it is not yet.
    pub plan: Option<Plan>,
    /// What was fetched for it.
    pub fetched: Vec<B>,
    /// Where it goes.
    pub target: B,
    /// Its length in bytes, in whole sectors or in whole units.
    pub length: usize,
    /// How it is compressed, if it is.
    pub compression: Option<Compression>,
}

/// How a piece is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    /// The codec.
    pub encoding: Encoding,
    /// The size of a unit in bytes.
    pub unit: usize,
    /// Whether units of zeros are stored as well.
    pub keep_zeros: bool,
}

/// A job that is done.
#[derive(Debug)]
pub struct Done<B> {
    /// What was fetched for it, for other uses.
    pub fetched: Vec<B>,
    /// The piece.
    pub target: B,
    /// Its units, if it was compressed.
    pub units: Option<Units>,
    /// Whether something of it could not be decompressed.
    pub is_damaged: bool,
}

/// What became of the units of a piece, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Units {
    /// The size of a unit in bytes.
    pub size: usize,
    /// The compressed bytes of all.
    pub bytes: Vec<u8>,
    /// What each unit is.
    pub units: Vec<Unit>,
}

/// What became of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// It is zeros.
    Zero,
    /// It is these of the compressed bytes.
    Compressed(Range<usize>),
    /// It got no shorter.
    Plain,
}

/// What does jobs. It has what is dear to make.
#[derive(Debug, Default)]
pub struct Worker {
    filler: Filler,
    encoder: Encoder,
    /// A unit that was compressed.
    unit: Vec<u8>,
}

impl Worker {
    /// Does a job.
    pub fn perform<B: DerefMut<Target = [u8]>>(&mut self, job: Job<B>) -> Done<B> {
        let Job { plan, fetched, mut target, length, compression } = job;
        let piece = target.get_mut(..length).unwrap_or_default();
        let is_damaged = plan.is_some_and(|plan| {
            let sources: Vec<&[u8]> = fetched.iter().map(|buffer| &**buffer).collect();
            self.filler.fill(&plan, &sources, piece).is_err()
        });
        let units = compression.map(|compression| self.compress(compression, piece));
        Done { fetched, target, units, is_damaged }
    }

    fn compress(&mut self, compression: Compression, piece: &[u8]) -> Units {
        let Compression { encoding, unit: size, keep_zeros } = compression;
        let mut bytes = Vec::with_capacity(piece.len() / 2);
        let units = piece.chunks(size).map(|unit| {
            if !keep_zeros && zeros::are_zero(unit) {
                return Unit::Zero;
            }
            if !self.encoder.encode(encoding, unit, &mut self.unit) {
                return Unit::Plain;
            }
            let start = bytes.len();
            bytes.extend_from_slice(&self.unit);
            Unit::Compressed(start..bytes.len())
        });
        let units = units.collect();
        Units { size, bytes, units }
    }
}
