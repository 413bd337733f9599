//! Reference counts (specification, "Reference counts"): which clusters are in use.

use super::layout::Layout;
use super::reader::OFFSET;
use crate::storage::{Storage, StorageError, read_at_padded};

/// The size of an entry of the refcount table in bytes.
const TABLE_ENTRY_SIZE: u64 = 8;

/// How much of a refcount block is read at a time, in bytes. The smallest block is not
/// longer.
const PIECE: usize = 512;

/// Whether more clusters are in use than the file has room for on its file system, by so
/// many that they must have been given out before there was anything to store in them. qemu
/// decides in the same way; where it cannot be told, there are none.
pub(super) fn has_more_clusters_than_room(
    storage: &dyn Storage,
    layout: &Layout,
    room: u64,
) -> bool {
    let stored = room.checked_div(layout.cluster_size).unwrap_or(0);
    // A tenth more than fits, and no fewer than two.
    let tenth = stored.saturating_mul(10).checked_div(9).unwrap_or(0);
    let enough = tenth.max(stored.saturating_add(2));
    let used = used_clusters(storage, layout, enough);
    used.is_ok_and(|used| used >= enough)
}

/// How many clusters are in use. Does not look for more than are `enough`.
fn used_clusters(storage: &dyn Storage, layout: &Layout, enough: u64) -> Result<u64, StorageError> {
    let Layout { cluster_size, refcount_bits, refcount_table, .. } = layout;
    let counts_in_piece = (PIECE as u64).saturating_mul(8).checked_div(*refcount_bits);
    let counts_in_piece = counts_in_piece.unwrap_or(1).max(1);
    let pieces_in_block = cluster_size.checked_div(PIECE as u64).unwrap_or(1).max(1);
    let counts_in_block = pieces_in_block.saturating_mul(counts_in_piece);
    let clusters = storage.length().div_ceil((*cluster_size).max(1));
    let blocks = clusters.div_ceil(counts_in_block.max(1));
    let blocks = blocks.min(refcount_table.length.checked_div(TABLE_ENTRY_SIZE).unwrap_or(0));
    let mut used = 0_u64;
    for number in 0..blocks {
        let mut entry = [0; 8];
        let place = number.saturating_mul(TABLE_ENTRY_SIZE);
        read_at_padded(storage, refcount_table.offset.saturating_add(place), &mut entry)?;
        let block = u64::from_be_bytes(entry) & OFFSET;
        if block == 0 {
            continue;
        }
        if !block.is_multiple_of(*cluster_size) {
            return Err(StorageError::InputOutput);
        }
        let left = clusters.saturating_sub(number.saturating_mul(counts_in_block));
        for piece in 0..pieces_in_block.min(left.div_ceil(counts_in_piece)) {
            let mut counts = [0; PIECE];
            let place = piece.saturating_mul(PIECE as u64);
            read_at_padded(storage, block.saturating_add(place), &mut counts)?;
            let left = left.saturating_sub(piece.saturating_mul(counts_in_piece));
            used = used.saturating_add(nonzero(&counts, *refcount_bits, left));
            if used >= enough {
                return Ok(used);
            }
        }
    }
    Ok(used)
}

/// How many of the first counts in a piece of a block are not zero. A count has so many
/// bits, a power of two.
fn nonzero(piece: &[u8], bits: u64, first: u64) -> u64 {
    let first = usize::try_from(first).unwrap_or(usize::MAX);
    let used = match usize::try_from(bits / 8) {
        Ok(bytes) if bytes > 0 => {
            let counts = piece.chunks(bytes).take(first);
            counts.filter(|count| count.iter().any(|byte| *byte != 0)).count()
        }
        _ => {
            let bits = u32::try_from(bits).unwrap_or(1);
            let mask = 1_u8.checked_shl(bits).unwrap_or(0).wrapping_sub(1);
            let shifts = (0..u8::BITS).step_by(usize::try_from(bits).unwrap_or(1).max(1));
            let counts = piece.iter().flat_map(|byte| {
                shifts.clone().map(move |shift| byte.checked_shr(shift).unwrap_or(0) & mask)
            });
            counts.take(first).filter(|count| *count != 0).count()
        }
    };
    used as u64
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::qcow2::sample::Sample;

    #[test]
    fn counts_of_every_width_are_counted() {
        for (bits, piece, first, expected) in [
            (1, [0b1010_0101, 0xff], 16, 12),
            (1, [0b1010_0101, 0xff], 9, 5),
            (2, [0b1000_0001, 0], 8, 2),
            (4, [0x10, 0x02], 4, 2),
            (8, [1, 0], 2, 1),
            (16, [0, 1], 1, 1),
            (16, [0, 1], 0, 0),
        ] {
            assert_eq!(nonzero(&piece, bits, first), expected, "{bits} {piece:?} {first}");
        }
        assert_eq!(nonzero(&[0, 0, 0, 1, 0, 0, 0, 0], 32, 9), 1);
        assert_eq!(nonzero(&[0, 0, 0, 1, 0, 0, 0, 0], 64, 9), 1);
    }

    /// A file of so many clusters of which so many are in use.
    fn file(clusters: u64, used: usize) -> (Vec<u8>, Layout) {
        let mut bytes = Sample::default().bytes();
        let layout = Layout::read(&bytes).unwrap();
        let size = layout.cluster_size;
        let block = u64::try_from(bytes.len()).unwrap().next_multiple_of(size);
        bytes.resize(usize::try_from(block + size).unwrap(), 0);
        let table = usize::try_from(layout.refcount_table.offset).unwrap();
        bytes[table..table + 8].copy_from_slice(&block.to_be_bytes());
        let start = usize::try_from(block).unwrap();
        for count in bytes[start..].chunks_mut(2).take(used) {
            count.copy_from_slice(&[0, 1]);
        }
        bytes.resize(usize::try_from(size * clusters).unwrap(), 0);
        (bytes, layout)
    }

    #[test]
    fn two_clusters_and_a_tenth_more_than_there_is_room_for_are_too_many() {
        for (used, stored, expected) in [
            (6, 4, true),
            (5, 4, false),
            (20, 18, true),
            (19, 18, false),
            (40, 36, true),
            (39, 36, false),
            (0, 0, false),
        ] {
            let (bytes, layout) = file(50, used);
            let room = layout.cluster_size * stored + 1;
            let found = has_more_clusters_than_room(&bytes, &layout, room);
            assert_eq!(found, expected, "{used} clusters, room for {stored}");
        }
    }

    #[test]
    fn what_is_behind_the_file_is_not_in_use() {
        let (bytes, layout) = file(10, 50);
        assert_eq!(used_clusters(&bytes, &layout, u64::MAX), Ok(10));
        assert_eq!(used_clusters(&bytes, &layout, 3).map(|used| used >= 3), Ok(true));
    }

    #[test]
    fn damaged_tables_tell_nothing() {
        let (bytes, layout) = file(10, 10);
        let table = usize::try_from(layout.refcount_table.offset).unwrap();
        for value in [0_u64, 512, u64::MAX] {
            let mut bytes = bytes.clone();
            bytes[table..table + 8].copy_from_slice(&value.to_be_bytes());
            assert!(!has_more_clusters_than_room(&bytes, &layout, 0), "{value:#x}");
        }
        assert!(!has_more_clusters_than_room(&vec![0; 512], &layout, 0));
    }
}
