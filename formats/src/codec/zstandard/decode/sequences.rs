//! The sequences of a block (RFC 8878, section 3.1.1.3.2): each is some literals, and a
//! match.

use super::bits::Bits;
use super::{Part, copy};
use crate::codec::CodecError;
use crate::codec::zstandard::FIRST_OFFSETS;
use crate::codec::zstandard::codes::{self, Kind};
use crate::codec::zstandard::fse::{Distribution, STATES};

/// If the bits that follow the codes of a sequence are more than this, they and those of
/// the next states are not in one refill: the states take 26 bits.
const FEW_BITS: u32 = 31;

/// Reads the sequences of one block after the other.
#[derive(Default)]
pub(super) struct Sequences {
    literal_lengths: Table,
    offsets: Table,
    match_lengths: Table,
    /// The offsets of the last matches, the last one first.
    recent: [usize; 3],
}

/// A state of one of the codes.
#[derive(Clone, Copy, Default)]
struct State {
    /// The least number that the code stands for.
    base: u32,
    /// The least of the next states.
    next: u16,
    /// How many bits say which number it is.
    bits: u8,
    /// How many say which state is next.
    next_bits: u8,
}

/// A code that is in use.
struct Table {
    states: [State; STATES],
    /// There are 2 to the power of this many.
    log: u32,
    /// Whether the frame has had one.
    is_known: bool,
    /// Whether it is the default one.
    is_default: bool,
}

impl Default for Table {
    fn default() -> Self {
        Self { states: [State::default(); STATES], log: 0, is_known: false, is_default: false }
    }
}

impl Table {
    /// Reads a table in one of the modes (section 3.1.1.3.2.1), and takes it off the
    /// front of the bytes.
    fn read(&mut self, mode: u8, kind: &Kind, bytes: &mut &[u8]) -> Result<(), CodecError> {
        match mode {
            0 => {
                // It is the same in every frame.
                if !self.is_default {
                    self.fill(&Distribution::default_of(kind), kind);
                    self.is_default = true;
                }
                self.is_known = true;
            }
            1 => {
                let (symbol, rest) = bytes.split_first().ok_or(CodecError::Short)?;
                *bytes = rest;
                let code = kind.codes.get(usize::from(*symbol)).ok_or(CodecError::Damaged)?;
                let [first, ..] = &mut self.states;
                *first = State { base: code.0, bits: code.1, next: 0, next_bits: 0 };
                (self.log, self.is_known, self.is_default) = (0, true, false);
            }
            2 => {
                let symbols = kind.codes.len();
                self.fill(&Distribution::read(bytes, symbols, kind.most_log)?, kind);
                (self.is_known, self.is_default) = (true, false);
            }
            _ if self.is_known => {}
            _ => return Err(CodecError::Damaged),
        }
        Ok(())
    }

    fn fill(&mut self, distribution: &Distribution, kind: &Kind) {
        let states = &mut self.states;
        distribution.states(|number, symbol, next_bits, next| {
            let (base, bits) = kind.codes.get(usize::from(symbol)).copied().unwrap_or_default();
            if let Some(state) = states.get_mut(number) {
                *state =
                    State { base, next, bits, next_bits: u8::try_from(next_bits).unwrap_or(0) };
            }
        });
        self.log = distribution.log;
    }

    #[inline(always)]
    fn get(&self, state: usize) -> State {
        self.states.get(state & (STATES - 1)).copied().unwrap_or_default()
    }
}

impl State {
    /// The state after this one.
    #[inline(always)]
    fn advance(self, bits: &mut Bits<'_>) -> usize {
        usize::from(self.next).wrapping_add(bits.take(self.next_bits.into()))
    }

    /// The number that it stands for.
    #[inline(always)]
    fn number(self, bits: &mut Bits<'_>) -> usize {
        let base = usize::try_from(self.base).unwrap_or(usize::MAX);
        base.wrapping_add(bits.take(self.bits.into()))
    }
}

impl Sequences {
    /// Begins with a frame.
    pub(super) fn begin(&mut self) {
        for table in [&mut self.literal_lengths, &mut self.offsets, &mut self.match_lengths] {
            table.is_known = false;
        }
        self.recent = FIRST_OFFSETS;
    }

    /// Carries out the sequences of a block: fills the unit from a place on with literals
    /// and matches. Returns where the block ends.
    pub(super) fn decode(
        &mut self,
        mut block: &[u8],
        literals: &Part<'_>,
        unit: &mut [u8],
        place: usize,
    ) -> Result<usize, CodecError> {
        let count = read_count(&mut block)?;
        if count == 0 {
            return if block.is_empty() {
                finish(literals, 0, unit, place)
            } else {
                Err(CodecError::Damaged)
            };
        }
        let (modes, mut rest) = block.split_first().ok_or(CodecError::Short)?;
        if modes & 3 != 0 {
            return Err(CodecError::Damaged);
        }
        self.literal_lengths.read(modes >> 6, &codes::LITERAL_LENGTHS, &mut rest)?;
        self.offsets.read((modes >> 4) & 3, &codes::OFFSETS, &mut rest)?;
        self.match_lengths.read((modes >> 2) & 3, &codes::MATCH_LENGTHS, &mut rest)?;
        let (place, from) = self.run(count, Bits::new(rest)?, literals, unit, place)?;
        finish(literals, from, unit, place)
    }

    /// Carries out so many sequences. Returns where they end, in the unit and in the
    /// literals.
    fn run(
        &mut self,
        count: usize,
        bits: Bits<'_>,
        literals: &Part<'_>,
        unit: &mut [u8],
        place: usize,
    ) -> Result<(usize, usize), CodecError> {
        let (mut place, mut from) = (place, 0_usize);
        let mut rest = literals.bytes;
        let mut bits = bits;
        let mut recent = self.recent;
        let mut start = |table: &Table| bits.take(table.log);
        let mut literal_state = start(&self.literal_lengths);
        let mut offset_state = start(&self.offsets);
        let mut match_state = start(&self.match_lengths);
        for left in (0..count).rev() {
            let literal = self.literal_lengths.get(literal_state);
            let offset = self.offsets.get(offset_state);
            let matched = self.match_lengths.get(match_state);
            bits.refill();
            let has_many = u32::from(literal.bits)
                .wrapping_add(offset.bits.into())
                .wrapping_add(matched.bits.into())
                > FEW_BITS;
            let offset_number = offset.number(&mut bits);
            if has_many {
                bits.refill();
            }
            let match_length = matched.number(&mut bits);
            let literal_length = literal.number(&mut bits);
            let distance = if offset.bits > 1 {
                // Offsets are written as three more than they are.
                let distance = offset_number.wrapping_sub(3);
                recent = [distance, recent[0], recent[1]];
                distance
            } else {
                again(&mut recent, offset_number, literal_length == 0)
            };
            // The last states have no next ones.
            if left > 0 {
                if has_many {
                    bits.refill();
                }
                literal_state = literal.advance(&mut bits);
                match_state = matched.advance(&mut bits);
                offset_state = offset.advance(&mut bits);
            }
            // None is longer than 128 KiB, nor are all literals together.
            let here = place.wrapping_add(literal_length);
            let there = from.wrapping_add(literal_length);
            let end = here.wrapping_add(match_length);
            if there > literals.length || distance.wrapping_sub(1) >= here {
                return Err(CodecError::Damaged);
            }
            if end > unit.len() {
                return Err(CodecError::Long);
            }
            copy::sequence(unit, place, rest, literal_length, distance, match_length);
            rest = rest.get(literal_length..).unwrap_or_default();
            (place, from) = (end, there);
        }
        self.recent = recent;
        if bits.is_done() { Ok((place, from)) } else { Err(CodecError::Damaged) }
    }
}

/// Takes one of the offsets of the last matches (section 3.1.1.5). Returns 0 for one
/// that cannot be.
#[inline(always)]
fn again(recent: &mut [usize; 3], number: usize, is_without_literals: bool) -> usize {
    let [first, second, third] = *recent;
    // Without literals the last one would make the last match longer: it is left out,
    // and one less than it comes last.
    let number = number.wrapping_add(is_without_literals.into());
    match number {
        1 => {}
        2 => *recent = [second, first, third],
        3 => *recent = [third, first, second],
        _ => *recent = [first.wrapping_sub(1), first, second],
    }
    recent[0]
}

/// How many sequences there are (section 3.1.1.3.2.1).
fn read_count(block: &mut &[u8]) -> Result<usize, CodecError> {
    let (count, rest) = match *block {
        [first @ ..128, rest @ ..] => (usize::from(*first), rest),
        [255, second, third, rest @ ..] => {
            (usize::from(u16::from_le_bytes([*second, *third])).wrapping_add(0x7f00), rest)
        }
        [first @ 128..=254, second, rest @ ..] => {
            (usize::from(u16::from_be_bytes([first & 0x7f, *second])), rest)
        }
        _ => return Err(CodecError::Short),
    };
    *block = rest;
    Ok(count)
}

/// Copies the literals that are left behind the last match. Returns where they end.
fn finish(
    literals: &Part<'_>,
    from: usize,
    unit: &mut [u8],
    place: usize,
) -> Result<usize, CodecError> {
    let rest = literals.bytes.get(from..literals.length).ok_or(CodecError::Damaged)?;
    let end = place.wrapping_add(rest.len());
    unit.get_mut(place..end).ok_or(CodecError::Long)?.copy_from_slice(rest);
    Ok(end)
}
