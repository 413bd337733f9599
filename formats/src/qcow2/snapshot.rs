//! Internal snapshots (specification, "Snapshots"). The snapshot table has one entry
//! after the other, each as long as it has to be.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

use zerocopy::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use super::Qcow2Error;
use super::layout::{L1_ENTRY_SIZE, Layout, SECTOR, SNAPSHOT_L1_TABLE};
use super::table::{Table, check_inside};
use crate::error::Error;
use crate::image::{MAX_DISK, Part, Snapshot, SnapshotChoice, Visitor};
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
/// Where [`Extra::disk_size`] ends, in bytes.
const DISK_SIZE_END: usize = 16;
/// Where [`Extra::instruction_count`] ends, in bytes.
const INSTRUCTION_COUNT_END: usize = 24;

/// Hands out all snapshots of an image, reading as it goes.
///
/// # Errors
///
/// If the table is damaged or cannot be read, or the visitor wants no more.
pub fn visit(storage: &dyn Storage, layout: &Layout, visit: &mut Visitor<'_>) -> Result<(), Error> {
    visit_entries(storage, layout, &mut |read| visit(Part::Snapshot(read.snapshot(storage)?)))
}

/// The layout of an image as it was when a snapshot was taken.
///
/// # Errors
///
/// If there is no such snapshot, or its L1 table is not in the file, or the table of
/// snapshots is damaged.
pub fn layout(
    storage: &dyn Storage,
    layout: &Layout,
    wanted: &SnapshotChoice,
) -> Result<Layout, Error> {
    let found = match wanted {
        SnapshotChoice::Either(text) => match find(storage, layout, Some(text), None)? {
            None => find(storage, layout, None, Some(text))?,
            found => found,
        },
        SnapshotChoice::Exactly { id, name } => {
            find(storage, layout, id.as_deref(), name.as_deref())?
        }
    };
    let found = found.ok_or(Qcow2Error::NoSuchSnapshot)?;
    let table = found.l1_table(storage, layout.cluster_size);
    let l1_table = table.map_err(|error| Qcow2Error::SnapshotTable(Box::new(error)))?;
    let virtual_size = found.disk_size().unwrap_or(layout.virtual_size);
    if virtual_size > MAX_DISK {
        return Err(Qcow2Error::DiskTooLarge.into());
    }
    Ok(Layout { l1_table, virtual_size, ..layout.clone() })
}

/// The first snapshot with an id and a name, as far as these are given.
fn find(
    storage: &dyn Storage,
    layout: &Layout,
    id: Option<&[u8]>,
    name: Option<&[u8]>,
) -> Result<Option<Read>, Error> {
    let mut found = None;
    visit_entries(storage, layout, &mut |read| {
        let has_id = id.map_or(Ok(true), |id| is_text(storage, read.id(), id));
        if found.is_none() && has_id? {
            let has_name = name.map_or(Ok(true), |name| is_text(storage, read.name(), name));
            found = has_name?.then_some(read);
        }
        Ok(())
    })?;
    Ok(found)
}

/// Takes one entry of the snapshot table after the other.
fn visit_entries(
    storage: &dyn Storage,
    layout: &Layout,
    visit: &mut dyn FnMut(Read) -> Result<(), Error>,
) -> Result<(), Error> {
    let start = layout.snapshot_table.offset;
    let mut end = start;
    for number in 0..layout.snapshot_count {
        let read = Read::at(storage, end.next_multiple_of(ALIGNMENT), number)?;
        end = read.name().end;
        if end.saturating_sub(start) > MAX_TABLE {
            return Err(Qcow2Error::SnapshotTableTooBig.into());
        }
        visit(read)?;
    }
    Ok(())
}

/// An entry that was read.
struct Read {
    /// Where it starts, in bytes.
    offset: u64,
    entry: Entry,
    extra: Extra,
}

impl Read {
    /// Reads the entry with a number.
    fn at(storage: &dyn Storage, offset: u64, number: u32) -> Result<Self, Error> {
        check_inside(storage, WHAT, offset, ENTRY_SIZE)?;
        let entry: Entry = storage::read_struct(storage, offset)?;
        if entry.extra_length.get() > MAX_EXTRA {
            return Err(Qcow2Error::TooMuchSnapshotExtra { number }.into());
        }
        let mut read = Self { offset, entry, extra: Extra::new_zeroed() };
        check_inside(storage, WHAT, offset, read.name().end.saturating_sub(offset))?;
        let place = read.extra_offset();
        let there = read.extra_there();
        storage.read_at(place, read.extra.as_mut_bytes().get_mut(..there).unwrap_or_default())?;
        Ok(read)
    }

    fn extra_offset(&self) -> u64 {
        self.offset.saturating_add(ENTRY_SIZE)
    }

    /// How much of the extra data that is known is there, in bytes.
    fn extra_there(&self) -> usize {
        let all = size_of::<Extra>();
        usize::try_from(self.entry.extra_length.get()).map_or(all, |length| length.min(all))
    }

    /// Where the id is.
    fn id(&self) -> Range<u64> {
        let start = self.extra_offset().saturating_add(self.entry.extra_length.get().into());
        start..start.saturating_add(self.entry.id_length.get().into())
    }

    /// Where the name is.
    fn name(&self) -> Range<u64> {
        let start = self.id().end;
        start..start.saturating_add(self.entry.name_length.get().into())
    }

    /// Where the L1 table is.
    fn l1_table(&self, storage: &dyn Storage, cluster_size: u64) -> Result<Table, Qcow2Error> {
        let (offset, entries) = (self.entry.l1_table_offset.get(), self.entry.l1_entries.get());
        let table = Table::new(offset, entries, L1_ENTRY_SIZE, cluster_size, SNAPSHOT_L1_TABLE)?;
        table.check_inside(storage, "L1 table of the snapshot")?;
        Ok(table)
    }

    /// The size of the disk in bytes, whole sectors, if the entry has it.
    fn disk_size(&self) -> Option<u64> {
        let size = self.extra.disk_size.get();
        let sectors = (self.extra_there() >= DISK_SIZE_END).then_some(size / SECTOR)?;
        Some(sectors.saturating_mul(SECTOR))
    }

    /// What is said of the snapshot.
    fn snapshot(&self, storage: &dyn Storage) -> Result<Snapshot, Error> {
        let Self { entry, extra, .. } = self;
        let there = self.extra_there();
        let instruction_count = extra.instruction_count.get();
        let counted = there >= INSTRUCTION_COUNT_END && instruction_count != u64::MAX;
        Ok(Snapshot {
            id: text(storage, self.id(), SHOWN_ID)?,
            name: text(storage, self.name(), SHOWN_NAME)?,
            vm_state_size: if there >= VM_STATE_SIZE_END {
                extra.vm_state_size.get()
            } else {
                entry.vm_state_size.get().into()
            },
            date_seconds: entry.date_seconds.get(),
            date_nanoseconds: entry.date_nanoseconds.get(),
            vm_clock: entry.vm_clock.get(),
            instruction_count: counted.then_some(instruction_count),
        })
    }
}

/// What an entry is called in messages.
const WHAT: &str = "entry of the snapshot table";

/// The first bytes of a text, at most so many.
fn text(storage: &dyn Storage, place: Range<u64>, most: usize) -> Result<Vec<u8>, Error> {
    let length = usize::try_from(place.end.saturating_sub(place.start)).unwrap_or(most);
    let text = storage::read_bytes(storage, place.start, length.min(most))?;
    Ok(until_nul(&text).to_vec())
}

/// Whether a text is this one.
fn is_text(storage: &dyn Storage, place: Range<u64>, expected: &[u8]) -> Result<bool, Error> {
    Ok(text(storage, place, expected.len().saturating_add(1))? == expected)
}

#[cfg(test)]
mod tests;
