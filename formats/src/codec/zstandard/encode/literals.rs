//! Writing the literals of a block (RFC 8878, sections 3.1.1.3.1 and 4.2).

use super::bits::Bits;
use super::distribution::Counts;
use super::states::Coder;
use crate::codec::huffman::lengths;
use crate::codec::zstandard::codes::MOST;
use crate::codec::zstandard::fse::Distribution;
use crate::codec::zstandard::{LONGEST_WORD, WEIGHT_LOG};

/// Fewer literals than this are not worth a code.
const FEWEST: usize = 64;

/// From so many literals on they are in four streams.
const FOUR_STREAMS: usize = 256;

/// Words between two flushes: at most 55 bits.
const ROUND: usize = 5;

/// Words by symbol: the bits, and above [`SHIFT`] how many they are.
type Words = [u32; 256];
const SHIFT: u32 = 16;

/// A code, and how it is written.
struct Plan {
    lengths: [u8; 256],
    /// The length of the longest word.
    longest: u8,
    tree: [u8; TREE],
    tree_length: usize,
    /// Bytes of everything, roughly.
    size: usize,
}

/// The most bytes of a tree: the first, and 128 weights in half a byte each; and some
/// more, for it to be written in words.
const TREE: usize = 65 + 64;

/// How literals are written.
#[derive(Clone, Copy)]
enum Kind {
    Raw = 0,
    Run = 1,
    Coded = 2,
}

/// Writes literals to the front of a buffer. Returns how many bytes they take, if there
/// is room.
pub(super) fn write(literals: &[u8], bytes: &mut [u8]) -> Option<usize> {
    let count = literals.len();
    if count < FEWEST {
        return write_raw(literals, bytes);
    }
    let counts = histogram(literals);
    let most = counts.iter().max().copied().unwrap_or(0);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    if most == count {
        let length = write_header(Kind::Run, count, bytes)?;
        *bytes.get_mut(length)? = *literals.first()?;
        return length.checked_add(1);
    }
    // Every byte comes about as often as any other, or a code does not save enough.
    let least_gain = (count >> 6).wrapping_add(2);
    if most <= (count >> 7).wrapping_add(4) {
        return write_raw(literals, bytes);
    }
    match plan(&counts) {
        Some(plan) if plan.size.wrapping_add(least_gain) < count => {
            write_coded(literals, &plan, bytes)
        }
        _ => write_raw(literals, bytes),
    }
}

fn write_raw(literals: &[u8], bytes: &mut [u8]) -> Option<usize> {
    let length = write_header(Kind::Raw, literals.len(), bytes)?;
    let end = length.checked_add(literals.len())?;
    bytes.get_mut(length..end)?.copy_from_slice(literals);
    Some(end)
}

/// Writes the header of literals that are not in a code.
fn write_header(kind: Kind, count: usize, bytes: &mut [u8]) -> Option<usize> {
    // The length, the number of bits before it, and what those are.
    let (length, skipped, format) = match count {
        ..0x20 => (1, 3, 0),
        0x20..0x1000 => (2, 4, 1),
        _ => (3, 4, 3),
    };
    put_header(bytes, length, (count << skipped) | (format << 2) | kind as usize)
}

fn put_header(bytes: &mut [u8], length: usize, header: usize) -> Option<usize> {
    bytes.get_mut(..length)?.copy_from_slice(header.to_le_bytes().get(..length)?);
    Some(length)
}

/// How often each byte comes. Bytes that are the same often follow each other: they are
/// counted apart, so as not to wait for each other.
fn histogram(literals: &[u8]) -> [u32; 256] {
    let mut parts = [[0_u32; 256]; 4];
    let (chunks, rest) = literals.as_chunks::<4>();
    for chunk in chunks {
        for (counts, byte) in parts.iter_mut().zip(chunk) {
            increment(counts, *byte);
        }
    }
    let [mut counts, others @ ..] = parts;
    rest.iter().for_each(|byte| increment(&mut counts, *byte));
    for other in others {
        for (count, more) in counts.iter_mut().zip(other) {
            *count = count.wrapping_add(more);
        }
    }
    counts
}

#[inline(always)]
fn increment(counts: &mut [u32; 256], byte: u8) {
    if let Some(count) = counts.get_mut(usize::from(byte)) {
        *count = count.wrapping_add(1);
    }
}

/// The code for bytes that come so often, if it can be written.
fn plan(counts: &[u32; 256]) -> Option<Plan> {
    let lengths = lengths(counts, usize::try_from(LONGEST_WORD).unwrap_or(0));
    let longest = lengths.iter().max().copied()?;
    let last = counts.iter().rposition(|count| *count > 0)?;
    let bits = counts.iter().zip(&lengths).fold(0_usize, |sum, (count, length)| {
        let count = usize::try_from(*count).unwrap_or(0);
        sum.wrapping_add(count.wrapping_mul(usize::from(*length)))
    });
    // The weight of the last byte that comes is not written: it is what is left.
    let weights = lengths.map(|length| match length {
        0 => 0,
        _ => longest.wrapping_add(1).wrapping_sub(length),
    });
    let weights = weights.get(..last)?;
    let mut tree = [0; TREE];
    let tree_length = write_tree(weights, &mut tree)?;
    // Headers and ends of streams take some more.
    let size = bits.div_ceil(8).wrapping_add(tree_length).wrapping_add(15);
    Some(Plan { lengths, longest, tree, tree_length, size })
}

/// Writes weights, in the shorter one of two ways. Returns how many bytes that takes.
fn write_tree(weights: &[u8], bytes: &mut [u8; TREE]) -> Option<usize> {
    let direct = weights.len().div_ceil(2).checked_add(1)?;
    let (first, rest) = bytes.split_first_mut()?;
    if let Some(length) = write_weights(weights, rest)
        && length < 128
        && (length < direct || weights.len() > 128)
    {
        *first = u8::try_from(length).ok()?;
        return length.checked_add(1);
    }
    // As many as can be said of.
    if weights.len() > 128 {
        return None;
    }
    *first = u8::try_from(weights.len().checked_add(127)?).ok()?;
    for (pair, byte) in weights.chunks(2).zip(rest) {
        *byte = match pair {
            [high, low] => (high << 4) | low,
            [high] => high << 4,
            _ => 0,
        };
    }
    Some(direct)
}

/// Writes weights in a code of their own (section 4.2.1.2). Returns how many bytes that
/// takes, if it can be done.
fn write_weights(weights: &[u8], bytes: &mut [u8]) -> Option<usize> {
    let mut counts: Counts = [0; MOST];
    for weight in weights {
        let count = counts.get_mut(usize::from(*weight))?;
        *count = count.wrapping_add(1);
    }
    let kinds = counts.iter().filter(|count| **count > 0).count();
    let ((last, second), before) = match weights {
        [before @ .., second, last] if kinds > 1 => ((*last, *second), before),
        _ => return None,
    };
    let distribution = Distribution::closest(&counts, WEIGHT_LOG);
    let length = distribution.write(bytes)?;
    let mut coder = Coder::default();
    coder.fill(&distribution);
    let mut bits = Bits::new(bytes.get_mut(length..)?);
    // Two states take turns. The first weight is the first one's.
    let (mut current, mut other) = (coder.start(second), coder.start(last));
    for weight in before.iter().rev() {
        (current, other) = (coder.put(other, *weight, &mut bits), current);
        bits.flush();
    }
    coder.finish(other, &mut bits);
    coder.finish(current, &mut bits);
    bits.close()?.checked_add(length)
}

/// Writes literals in a code.
fn write_coded(literals: &[u8], plan: &Plan, bytes: &mut [u8]) -> Option<usize> {
    let count = literals.len();
    let words = words(plan);
    let has_four_streams = count >= FOUR_STREAMS;
    // The length of the header, of a number in it, and what says so.
    let (header, width, format) = match count {
        _ if !has_four_streams => (3, 10, 0),
        ..0x400 => (3, 10, 1),
        0x400..0x4000 => (4, 14, 2),
        _ => (5, 18, 3),
    };
    let tree = bytes.get_mut(header..)?.get_mut(..plan.tree_length)?;
    tree.copy_from_slice(plan.tree.get(..plan.tree_length)?);
    let start = plan.tree_length.checked_add(header)?;
    let rest = bytes.get_mut(start..)?;
    let length = if has_four_streams {
        let (sizes, mut rest) = rest.split_first_chunk_mut::<6>()?;
        let mut length = 6_usize;
        let mut sizes = sizes.chunks_mut(2);
        for part in literals.chunks(count.div_ceil(4)) {
            let size = write_stream(part, &words, rest)?;
            // The size of the last one is what is left.
            if let Some(place) = sizes.next() {
                place.copy_from_slice(&u16::try_from(size).ok()?.to_le_bytes());
            }
            rest = rest.get_mut(size..)?;
            length = length.checked_add(size)?;
        }
        length
    } else {
        write_stream(literals, &words, rest)?
    };
    let written = length.checked_add(plan.tree_length)?;
    let sizes = (written << width | count) << 4;
    put_header(bytes, header, sizes | (format << 2) | Kind::Coded as usize)?;
    start.checked_add(length)
}

/// The words of a code: the longest ones come first, in the order of what they are for
/// (section 4.2.1).
fn words(plan: &Plan) -> Words {
    let mut words = [0; 256];
    let mut next = 0_u32;
    for length in (1..=plan.longest).rev() {
        let shift = u32::from(plan.longest.wrapping_sub(length));
        let with = words.iter_mut().zip(&plan.lengths).filter(|(_, other)| **other == length);
        for (word, _) in with {
            *word = next.wrapping_shr(shift) | (u32::from(length) << SHIFT);
            next = next.wrapping_add(1_u32.wrapping_shl(shift));
        }
    }
    words
}

/// Writes a stream. It is read from its end, so that the last literal comes first.
fn write_stream(literals: &[u8], words: &Words, bytes: &mut [u8]) -> Option<usize> {
    let mut bits = Bits::new(bytes);
    let (rest, rounds) = literals.as_rchunks::<ROUND>();
    for round in rounds.iter().rev() {
        round.iter().rev().for_each(|literal| put(words, *literal, &mut bits));
        bits.flush();
    }
    rest.iter().rev().for_each(|literal| put(words, *literal, &mut bits));
    bits.flush();
    bits.close()
}

#[inline(always)]
fn put(words: &Words, literal: u8, bits: &mut Bits<'_>) {
    let word = words.get(usize::from(literal)).copied().unwrap_or(0);
    bits.put((word & 0xffff).into(), word >> SHIFT);
}
