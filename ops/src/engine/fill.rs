//! Putting a piece together: a pure function over buffers.

use alloc::vec;
use alloc::vec::Vec;

use formats::codec::{CodecError, Decoder};

use super::plan::{Part, Plan, Unit};

/// Puts pieces together, one after the other. It has what is dear to make.
#[derive(Debug, Default)]
pub struct Filler {
    decoder: Decoder,
    /// A unit of which only a part is wanted.
    unit: Vec<u8>,
}

impl Filler {
    /// Fills a piece from what was fetched for it. What is missing at the end of a fetch
    /// reads as zeros.
    ///
    /// # Errors
    ///
    /// If a unit cannot be decompressed.
    pub fn fill(
        &mut self,
        plan: &Plan,
        fetched: &[&[u8]],
        piece: &mut [u8],
    ) -> Result<(), CodecError> {
        let mut position = 0;
        for part in &plan.parts {
            let range = to_usize(part.start)..to_usize(part.start + part.length);
            let gap = piece.get_mut(position..range.start).ok_or(CodecError::Damaged)?;
            gap.fill(0);
            position = range.end;
            let target = piece.get_mut(range).ok_or(CodecError::Damaged)?;
            let source = fetched.get(part.fetch).ok_or(CodecError::Damaged)?;
            let source = source.get(to_usize(part.skip)..).unwrap_or_default();
            match part.unit {
                None => copy(source, target),
                Some(unit) => self.decompress(part, unit, source, target)?,
            }
        }
        if let Some(rest) = piece.get_mut(position..) {
            rest.fill(0);
        }
        Ok(())
    }

    fn decompress(
        &mut self,
        part: &Part,
        unit: Unit,
        source: &[u8],
        target: &mut [u8],
    ) -> Result<(), CodecError> {
        let source = source.get(..to_usize(unit.length)).unwrap_or(source);
        if unit.skip == 0 && unit.size == part.length {
            return self.decoder.decode(unit.codec, source, target);
        }
        let size = to_usize(unit.size);
        if self.unit.len() < size {
            self.unit = vec![0; size];
        }
        let whole = self.unit.get_mut(..size).unwrap_or_default();
        self.decoder.decode(unit.codec, source, whole)?;
        copy(whole.get(to_usize(unit.skip)..).unwrap_or_default(), target);
        Ok(())
    }
}

/// Copies bytes, and zeros for those that are missing.
fn copy(source: &[u8], target: &mut [u8]) {
    let (there, missing) = target.split_at_mut(source.len().min(target.len()));
    there.copy_from_slice(source.get(..there.len()).unwrap_or_default());
    missing.fill(0);
}

fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
