//! Internal snapshots (specification, "Snapshots"). The snapshot table has one entry
//! after the other, each as long as it has to be.

use alloc::vec::Vec;

use zerocopy::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use super::Qcow2Error;
use super::layout::Layout;
use super::table::check_inside;
use crate::error::Error;
use crate::image::{Part, Snapshot, Visitor};
use crate::storage::{self, Storage};
use crate::text::until_nul;

/// The most snapshots, as with qemu-img.
pub const MAX_SNAPSHOTS: u64 = 65_536;

/// The longest snapshot table in bytes: 1 KiB for each snapshot.
pub const MAX_TABLE: u64 = 64 << 20;

/// The most extra data of a snapshot in bytes. 24 bytes are in use.
pub const MAX_EXTRA: u32 = 1024;

/// The longest id of a snapshot that is shown, in bytes, as with qemu-img.
const SHOWN_ID: usize = 127;

/// The longest name of a snapshot that is shown, in bytes, as with qemu-img.
const SHOWN_NAME: usize = 255;

/// The unit of the length of an entry, in bytes.
const ALIGNMENT: u64 = 8;

/// What an entry starts with. Extra data, id and name follow.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Entry {
    /// Where its L1 table is, in bytes.
    pub l1_table_offset: U64,
    /// Entries in its L1 table.
    pub l1_entries: U32,
    /// The length of the id in bytes.
    pub id_length: U16,
    /// The length of the name in bytes.
    pub name_length: U16,
    /// When it was taken, in seconds since 1970.
    pub date_seconds: U32,
    /// And nanoseconds.
    pub date_nanoseconds: U32,
    /// How long the machine had run, in nanoseconds.
    pub vm_clock: U64,
    /// The size of the machine's saved state in bytes; the extra data can have a
    /// larger one.
    pub vm_state_size: U32,
    /// The length of the extra data in bytes.
    pub extra_length: U32,
}

/// The size of [`Entry`] in bytes.
pub const ENTRY_SIZE: u64 = size_of::<Entry>() as u64;

/// The extra data that is known. There can be less of it, and more behind it.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Extra {
    /// The size of the machine's saved state in bytes.
    pub vm_state_size: U64,
    /// The size of the disk in bytes.
    pub disk_size: U64,
    /// How many instructions the machine had executed; all ones if that was not
    /// counted.
    pub instruction_count: U64,
}

/// Where [`Extra::vm_state_size`] ends, in bytes.
const VM_STATE_SIZE_END: usize = 8;
/// Where [`Extra::instruction_count`] ends, in bytes.
const INSTRUCTION_COUNT_END: usize = 24;

/// Hands out all snapshots of an image, reading as it goes.
///
/// # Errors
///
/// If the table is damaged or cannot be read, or the visitor wants no more.
pub fn visit(storage: &dyn Storage, layout: &Layout, visit: &mut Visitor<'_>) -> Result<(), Error> {
    let start = layout.snapshot_table.offset;
    let mut end = start;
    for number in 0..layout.snapshot_count {
        let place = end.next_multiple_of(ALIGNMENT);
        let (snapshot, length) = read(storage, place, number)?;
        end = place.saturating_add(length);
        if end.saturating_sub(start) > MAX_TABLE {
            return Err(Qcow2Error::SnapshotTableTooBig.into());
        }
        visit(Part::Snapshot(snapshot))?;
    }
    Ok(())
}

/// Reads the snapshot with a number, and the length of its entry.
fn read(storage: &dyn Storage, offset: u64, number: u32) -> Result<(Snapshot, u64), Error> {
    check_inside(storage, WHAT, offset, ENTRY_SIZE)?;
    let entry: Entry = storage::read_struct(storage, offset)?;
    let extra_length = entry.extra_length.get();
    if extra_length > MAX_EXTRA {
        return Err(Qcow2Error::TooMuchSnapshotExtra { number }.into());
    }
    let (id_length, name_length) = (entry.id_length.get(), entry.name_length.get());
    let extra_offset = offset.saturating_add(ENTRY_SIZE);
    let id_offset = extra_offset.saturating_add(extra_length.into());
    let name_offset = id_offset.saturating_add(id_length.into());
    let length = name_offset.saturating_add(name_length.into()).saturating_sub(offset);
    check_inside(storage, WHAT, offset, length)?;

    let mut extra = Extra::new_zeroed();
    let bytes = extra.as_mut_bytes();
    let there = usize::try_from(extra_length).map_or(bytes.len(), |all| all.min(bytes.len()));
    storage.read_at(extra_offset, bytes.get_mut(..there).unwrap_or_default())?;
    let instruction_count = extra.instruction_count.get();
    let counted = there >= INSTRUCTION_COUNT_END && instruction_count != u64::MAX;
    let snapshot = Snapshot {
        id: text(storage, id_offset, id_length, SHOWN_ID)?,
        name: text(storage, name_offset, name_length, SHOWN_NAME)?,
        vm_state_size: if there >= VM_STATE_SIZE_END {
            extra.vm_state_size.get()
        } else {
            entry.vm_state_size.get().into()
        },
        date_seconds: entry.date_seconds.get(),
        date_nanoseconds: entry.date_nanoseconds.get(),
        vm_clock: entry.vm_clock.get(),
        instruction_count: counted.then_some(instruction_count),
    };
    Ok((snapshot, length))
}

/// What an entry is called in messages.
const WHAT: &str = "entry of the snapshot table";

/// The first bytes of a text, at most so many.
fn text(storage: &dyn Storage, offset: u64, length: u16, most: usize) -> Result<Vec<u8>, Error> {
    let text = storage::read_bytes(storage, offset, most.min(length.into()))?;
    Ok(until_nul(&text).to_vec())
}

#[cfg(test)]
mod tests;
