//! Page tables for the regions of `abi::layout`: identity-mapped, by 2 MiB
//! pages, except for the lowest 2 MiB, where page 0 must be left out.

use abi::layout::{self, LARGE_PAGE, Region, SMALL_PAGE};
use x86_64::structures::paging::PageTableFlags as Flags;

use super::places::{PAGE_TABLE_COUNT, PAGE_TABLES};

/// How many entries a table has.
const ENTRIES: usize = 512;

/// Address space that a directory maps: 1 GiB.
const DIRECTORY_SPAN: u64 = LARGE_PAGE * ENTRIES as u64;

/// Directories: one for each of the lowest four gigabytes.
const DIRECTORIES: usize = 4;

/// A page table of any level.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct Table(pub [u64; ENTRIES]);

/// The tables of the guest's one address space.
#[derive(Debug)]
#[repr(C)]
pub struct PageTables {
    /// Level 4: one entry.
    pub top: Table,
    /// Level 3: an entry a directory.
    pub pointers: Table,
    /// Level 2: 2 MiB pages.
    pub directories: [Table; DIRECTORIES],
    /// Level 1, for the lowest 2 MiB.
    pub low: Table,
}

const _: () = assert!(size_of::<PageTables>() as u64 == PAGE_TABLE_COUNT * SMALL_PAGE);

/// The address of the n-th table in [`PageTables`].
const fn table_address(index: u64) -> u64 {
    PAGE_TABLES + index * SMALL_PAGE
}

const POINTERS: u64 = table_address(1);
const FIRST_DIRECTORY: u64 = table_address(2);
const LOW: u64 = table_address(2 + DIRECTORIES as u64);

/// The flags of an entry that leads to another table. Rights are cut down at
/// the last level only, so that there is one place to read them from.
const LINK: Flags =
    Flags::PRESENT.union(Flags::WRITABLE).union(Flags::USER_ACCESSIBLE).union(Flags::ACCESSED);

/// The flags of a page in a region. Accessed and dirty are set from the start:
/// the processor need not write to the tables, which lie in read-only memory.
const fn page_flags(region: &Region) -> u64 {
    let mut flags = Flags::PRESENT.union(Flags::ACCESSED).union(Flags::DIRTY);
    if region.access.user {
        flags = flags.union(Flags::USER_ACCESSIBLE);
    }
    if region.access.write {
        flags = flags.union(Flags::WRITABLE);
    }
    if !region.access.execute {
        flags = flags.union(Flags::NO_EXECUTE);
    }
    if !region.access.cached {
        flags = flags.union(Flags::NO_CACHE).union(Flags::WRITE_THROUGH);
    }
    flags.bits()
}

impl PageTables {
    /// The tables for [`layout::REGIONS`].
    #[must_use]
    pub const fn new() -> Self {
        const EMPTY: Table = Table([0; ENTRIES]);
        let mut tables =
            Self { top: EMPTY, pointers: EMPTY, directories: [EMPTY; DIRECTORIES], low: EMPTY };
        tables.top.0[0] = POINTERS | LINK.bits();
        let mut index = 0;
        while index < DIRECTORIES {
            let address = FIRST_DIRECTORY + index as u64 * SMALL_PAGE;
            tables.pointers.0[index] = address | LINK.bits();
            index += 1;
        }
        let mut index = 0;
        while index < layout::REGIONS.len() {
            tables.map(&layout::REGIONS[index]);
            index += 1;
        }
        tables
    }

    const fn map(&mut self, region: &Region) {
        if region.start < LARGE_PAGE {
            return self.map_low(region);
        }
        let large = Flags::HUGE_PAGE.bits();
        let mut address = region.start;
        while address < region.end {
            let directory = (address / DIRECTORY_SPAN) as usize;
            let entry = (address % DIRECTORY_SPAN / LARGE_PAGE) as usize;
            self.directories[directory].0[entry] = address | page_flags(region) | large;
            address += LARGE_PAGE;
        }
    }

    const fn map_low(&mut self, region: &Region) {
        assert!(region.end <= LARGE_PAGE);
        self.directories[0].0[0] = LOW | LINK.bits();
        let mut address = region.start;
        while address < region.end {
            self.low.0[(address / SMALL_PAGE) as usize] = address | page_flags(region);
            address += SMALL_PAGE;
        }
    }
}

impl Default for PageTables {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last-level entry for an address, if it is mapped.
    fn entry(tables: &PageTables, address: u64) -> Option<Flags> {
        let directory = usize::try_from(address / DIRECTORY_SPAN).unwrap();
        let slot = usize::try_from(address % DIRECTORY_SPAN / LARGE_PAGE).unwrap();
        let large = tables.directories[directory].0[slot];
        let entry = if address < LARGE_PAGE {
            tables.low.0[usize::try_from(address / SMALL_PAGE).unwrap()]
        } else {
            large
        };
        let flags = Flags::from_bits_truncate(entry);
        flags.contains(Flags::PRESENT).then_some(flags)
    }

    #[test]
    fn every_page_has_the_rights_of_its_region_and_gaps_have_none() {
        let tables = PageTables::new();
        for address in (0..DIRECTORIES as u64 * DIRECTORY_SPAN).step_by(64 << 10) {
            let region = layout::REGIONS.iter().find(|region| region.contains(address));
            let flags = entry(&tables, address);
            assert_eq!(flags.is_some(), region.is_some(), "{address:#x}");
            if let (Some(flags), Some(region)) = (flags, region) {
                let access = region.access;
                assert_eq!(flags.contains(Flags::USER_ACCESSIBLE), access.user, "{region:?}");
                assert_eq!(flags.contains(Flags::WRITABLE), access.write, "{region:?}");
                assert_eq!(flags.contains(Flags::NO_EXECUTE), !access.execute, "{region:?}");
                assert_eq!(flags.contains(Flags::NO_CACHE), !access.cached, "{region:?}");
            }
        }
    }

    #[test]
    fn page_zero_is_not_mapped_and_the_next_is() {
        let tables = PageTables::new();
        assert!(entry(&tables, 0).is_none());
        assert!(entry(&tables, SMALL_PAGE).is_some());
    }
}
