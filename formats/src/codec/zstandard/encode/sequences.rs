//! Writing the sequences of a block (RFC 8878, section 3.1.1.3.2).

use alloc::vec::Vec;

use super::bits::Bits;
use super::distribution::{BIT, Counts};
use super::sequence::Sequence;
use super::states::Coder;
use crate::codec::zstandard::codes::{
    self, Kind, MOST, literal_length_code, match_length_code, offset_code,
};
use crate::codec::zstandard::fse::Distribution;

/// If the bits that follow the codes of a sequence are more than this, they and those of
/// the codes are not in one flush: the codes take 26 bits.
const FEW_BITS: u32 = 30;

/// Room for a distribution.
const DISTRIBUTION: usize = 128;

/// Writes the sequences of one block after the other.
pub(super) struct Writer {
    literal_lengths: Table,
    offsets: Table,
    match_lengths: Table,
    /// The codes of sequences, in the same order.
    codes: Vec<[u8; 3]>,
}

/// A code to write numbers in.
struct Table {
    kind: &'static Kind,
    default: Distribution,
    in_default: Coder,
    own: Coder,
    counts: Counts,
}

/// How a table is written.
struct Plan<'a> {
    coder: &'a Coder,
    /// Section 3.1.1.3.2.1.
    mode: u8,
    written: [u8; DISTRIBUTION],
    length: usize,
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            literal_lengths: Table::new(&codes::LITERAL_LENGTHS),
            offsets: Table::new(&codes::OFFSETS),
            match_lengths: Table::new(&codes::MATCH_LENGTHS),
            codes: Vec::new(),
        }
    }
}

impl Table {
    fn new(kind: &'static Kind) -> Self {
        let default = Distribution::default_of(kind);
        let mut in_default = Coder::default();
        in_default.fill(&default);
        Self { kind, default, in_default, own: Coder::default(), counts: [0; MOST] }
    }

    #[inline(always)]
    fn count(&mut self, code: u8) {
        if let Some(count) = self.counts.get_mut(usize::from(code)) {
            *count = count.wrapping_add(1);
        }
    }

    /// Chooses what takes the least room.
    fn plan(&mut self) -> Option<Plan<'_>> {
        let counts = &self.counts;
        let in_default = self.default.cost(counts);
        let mut written = [0; DISTRIBUTION];
        let first = counts.iter().position(|count| *count > 0)?;
        let is_only = counts.iter().filter(|count| **count > 0).count() == 1;
        let (own, mode, length, cost) = if is_only {
            let [place, ..] = &mut written;
            *place = u8::try_from(first).ok()?;
            (Distribution::only(first), 1, 1, 0)
        } else {
            let own = Distribution::closest(counts, self.kind.most_log);
            let length = own.write(&mut written)?;
            let cost = own.cost(counts)?;
            (own, 2, length, cost)
        };
        let cost = cost.wrapping_add((length as u64).wrapping_mul(8 * BIT));
        if in_default.is_some_and(|default| default <= cost) {
            return Some(Plan { coder: &self.in_default, mode: 0, written, length: 0 });
        }
        self.own.fill(&own);
        Some(Plan { coder: &self.own, mode, written, length })
    }
}

impl Writer {
    /// Writes sequences to the front of a buffer. Returns how many bytes they take, if
    /// there is room.
    pub(super) fn write(&mut self, sequences: &[Sequence], bytes: &mut [u8]) -> Option<usize> {
        let mut length = write_count(sequences.len(), bytes)?;
        if sequences.is_empty() {
            return Some(length);
        }
        self.count(sequences);
        let literal_lengths = self.literal_lengths.plan()?;
        let offsets = self.offsets.plan()?;
        let match_lengths = self.match_lengths.plan()?;
        let modes = (literal_lengths.mode << 6) | (offsets.mode << 4) | (match_lengths.mode << 2);
        *bytes.get_mut(length)? = modes;
        length = length.checked_add(1)?;
        for plan in [&literal_lengths, &offsets, &match_lengths] {
            let end = length.checked_add(plan.length)?;
            bytes.get_mut(length..end)?.copy_from_slice(plan.written.get(..plan.length)?);
            length = end;
        }
        let coders = [literal_lengths.coder, offsets.coder, match_lengths.coder];
        let bits = Bits::new(bytes.get_mut(length..)?);
        write_bits(sequences, &self.codes, coders, bits)?.checked_add(length)
    }

    /// Finds the codes, and how often each comes.
    fn count(&mut self, sequences: &[Sequence]) {
        for table in [&mut self.literal_lengths, &mut self.offsets, &mut self.match_lengths] {
            table.counts = [0; MOST];
        }
        self.codes.clear();
        self.codes.extend(sequences.iter().map(|sequence| {
            let literals = literal_length_code(sequence.literals);
            let offset = offset_code(sequence.offset);
            let matched = match_length_code(sequence.length);
            self.literal_lengths.count(literals);
            self.offsets.count(offset);
            self.match_lengths.count(matched);
            [literals, offset, matched]
        }));
    }
}

/// Writes sequences, from the last to the first: they are read from the end.
fn write_bits(
    sequences: &[Sequence],
    codes: &[[u8; 3]],
    coders: [&Coder; 3],
    mut bits: Bits<'_>,
) -> Option<usize> {
    let [literal_lengths, offsets, match_lengths] = coders;
    let mut both = sequences.iter().zip(codes).rev();
    let (sequence, [literals, offset, matched]) = both.next()?;
    let mut match_state = match_lengths.start(*matched);
    let mut offset_state = offsets.start(*offset);
    let mut literal_state = literal_lengths.start(*literals);
    put_numbers(sequence, [*literals, *offset, *matched], &mut bits);
    bits.flush();
    for (sequence, [literals, offset, matched]) in both {
        offset_state = offsets.put(offset_state, *offset, &mut bits);
        match_state = match_lengths.put(match_state, *matched, &mut bits);
        literal_state = literal_lengths.put(literal_state, *literals, &mut bits);
        put_numbers(sequence, [*literals, *offset, *matched], &mut bits);
        bits.flush();
    }
    match_lengths.finish(match_state, &mut bits);
    offsets.finish(offset_state, &mut bits);
    literal_lengths.finish(literal_state, &mut bits);
    bits.flush();
    bits.close()
}

/// Writes which numbers of their codes they are.
#[inline(always)]
fn put_numbers(sequence: &Sequence, codes: [u8; 3], bits: &mut Bits<'_>) {
    let [literals, offset, matched] = codes;
    let (literal_base, literal_bits) = code(&codes::LITERAL_LENGTH_CODES, literals);
    let (match_base, match_bits) = code(&codes::MATCH_LENGTH_CODES, matched);
    let offset_bits = u32::from(offset);
    let has_many = literal_bits.wrapping_add(match_bits).wrapping_add(offset_bits) > FEW_BITS;
    if has_many {
        bits.flush();
    }
    bits.put(sequence.literals.wrapping_sub(literal_base).into(), literal_bits);
    bits.put(sequence.length.wrapping_sub(match_base).into(), match_bits);
    if has_many {
        bits.flush();
    }
    let rest = sequence.offset & 1_u32.wrapping_shl(offset_bits).wrapping_sub(1);
    bits.put(rest.into(), offset_bits);
}

#[inline(always)]
fn code<const N: usize>(codes: &[(u32, u8); N], code: u8) -> (u32, u32) {
    let (base, bits) = codes.get(usize::from(code)).copied().unwrap_or_default();
    (base, bits.into())
}

/// Writes how many sequences there are (section 3.1.1.3.2.1).
fn write_count(count: usize, bytes: &mut [u8]) -> Option<usize> {
    let [low, high, ..] = count.to_le_bytes();
    let (written, length) = match count {
        ..0x80 => ([low, 0, 0], 1),
        0x80..0x7f00 => ([high | 0x80, low, 0], 2),
        _ => {
            let [low, high] = u16::try_from(count.checked_sub(0x7f00)?).ok()?.to_le_bytes();
            ([255, low, high], 3)
        }
    };
    bytes.get_mut(..length)?.copy_from_slice(written.get(..length)?);
    Some(length)
}
