//! Writing in codes by finite state entropy (RFC 8878, section 4.1).
//!
//! Readers go from state to state, and each says which symbol comes. Writers go the
//! other way, from the last symbol to the first: for a symbol and the state after it
//! there is one state, of those that the symbol has, from which readers get there.

use super::bits::Bits;
use crate::codec::zstandard::codes::MOST;
use crate::codec::zstandard::fse::{Distribution, STATES};

/// A code to write in.
pub(super) struct Coder {
    /// The states that each symbol has, one symbol after the other. States are counted
    /// from as many as there are on.
    states: [u16; STATES],
    symbols: [Symbol; MOST],
    log: u32,
}

/// How a symbol is written.
#[derive(Clone, Copy, Default)]
struct Symbol {
    /// With the state added, the bits to write are in the high half.
    bits: u32,
    /// With what is left of the state added, the place of the state before.
    place: u32,
    /// The place of its first state.
    first: u32,
}

impl Default for Coder {
    fn default() -> Self {
        Self { states: [0; STATES], symbols: [Symbol::default(); MOST], log: 0 }
    }
}

impl Coder {
    /// Makes the code of a distribution.
    pub(super) fn fill(&mut self, distribution: &Distribution) {
        let log = distribution.log;
        self.log = log;
        let mut first = 0_u32;
        let mut next = [0_u32; MOST];
        let symbols = self.symbols.iter_mut().zip(&distribution.counts).zip(&mut next);
        for ((symbol, count), next) in symbols {
            let count = u32::from(count.unsigned_abs());
            // A state that is shifted by so many bits is from the count on, up to twice
            // as much. One less is enough for the lower ones.
            let most = match count.wrapping_sub(1).checked_ilog2() {
                Some(bits) if count > 1 => log.wrapping_sub(bits),
                _ => log,
            };
            let bits = (most << 16).wrapping_sub(count.wrapping_shl(most));
            *symbol = Symbol { bits, place: first.wrapping_sub(count), first };
            *next = first;
            first = first.wrapping_add(count);
        }
        let size = 1_u16 << log;
        let states = &mut self.states;
        distribution.states(|number, symbol, _, _| {
            let Some(next) = next.get_mut(usize::from(symbol)) else { return };
            if let Some(state) = states.get_mut(index(*next)) {
                *state = size.wrapping_add(u16::try_from(number).unwrap_or(0));
            }
            *next = next.wrapping_add(1);
        });
    }

    /// The state of the last symbol. It needs a bit at least to get to any next one, so
    /// that readers who look for the end of the bits find it.
    #[inline(always)]
    pub(super) fn start(&self, symbol: u8) -> u32 {
        self.state(self.symbol(symbol).first)
    }

    /// Writes a symbol before those that were written. Returns its state.
    #[inline(always)]
    pub(super) fn put(&self, state: u32, symbol: u8, bits: &mut Bits<'_>) -> u32 {
        let symbol = self.symbol(symbol);
        let count = state.wrapping_add(symbol.bits) >> 16;
        bits.put((state & 1_u32.wrapping_shl(count).wrapping_sub(1)).into(), count);
        self.state(state.wrapping_shr(count).wrapping_add(symbol.place))
    }

    /// Writes where readers begin.
    pub(super) fn finish(&self, state: u32, bits: &mut Bits<'_>) {
        bits.put((state & (1_u32 << self.log).wrapping_sub(1)).into(), self.log);
    }

    #[inline(always)]
    fn state(&self, place: u32) -> u32 {
        self.states.get(index(place) & (STATES - 1)).copied().unwrap_or(0).into()
    }

    #[inline(always)]
    fn symbol(&self, symbol: u8) -> Symbol {
        self.symbols.get(usize::from(symbol)).copied().unwrap_or_default()
    }
}

#[inline(always)]
fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
