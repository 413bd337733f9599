//! Boot information in the PVH form: `hvm_start_info` and its tables.
//!
//! QEMU and our own VMM both start the guest with the address of a
//! [`StartInfo`] in a register. It leads to the memory map and to one module:
//! the request. Layouts are those of Xen's
//! `public/arch-x86/hvm/start_info.h`, version 1.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `StartInfo::magic`: "xEn3" with the top bit of the 'E' set.
pub const START_MAGIC: u32 = 0x336e_c578;

/// The version that has a memory map.
pub const START_VERSION: u32 = 1;

/// A [`MemoryRange`] that holds RAM.
pub const MEMORY_RAM: u32 = 1;

/// The most ranges and modules that the guest looks at. QEMU passes fewer than
/// ten; anything longer is not boot information.
pub const MAX_ENTRIES: u32 = 32;

/// `struct hvm_start_info`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StartInfo {
    /// [`START_MAGIC`].
    pub magic: u32,
    /// [`START_VERSION`] or later.
    pub version: u32,
    /// Unused flags.
    pub flags: u32,
    /// How many modules there are.
    pub module_count: u32,
    /// Address of the first [`Module`].
    pub modules: u64,
    /// Address of the command line, a C string. Unused.
    pub command_line: u64,
    /// Address of the ACPI root pointer. Unused.
    pub acpi_root: u64,
    /// Address of the first [`MemoryRange`].
    pub memory_map: u64,
    /// How many ranges there are.
    pub memory_range_count: u32,
    /// Zero.
    pub reserved: u32,
}

/// `struct hvm_modlist_entry`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Module {
    /// Where it lies.
    pub address: u64,
    /// How long it is, in bytes.
    pub size: u64,
    /// Address of its command line. QEMU leaves this undefined.
    pub command_line: u64,
    /// Zero.
    pub reserved: u64,
}

/// `struct hvm_memmap_table_entry`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MemoryRange {
    /// Where it starts.
    pub address: u64,
    /// How long it is, in bytes. QEMU may end the table with an empty range.
    pub size: u64,
    /// What is there: [`MEMORY_RAM`] or something that is none of our business.
    pub kind: u32,
    /// Zero.
    pub reserved: u32,
}

/// The boot information that our own VMM leaves at
/// [`layout::START_INFO`](crate::layout::START_INFO): the three structures in a
/// row, so that one copy places them.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct BootBlock {
    /// The head, which points at the two others.
    pub start: StartInfo,
    /// The request.
    pub module: Module,
    /// All memory.
    pub memory: MemoryRange,
}

impl BootBlock {
    /// Boot information for a block at `address`, a request at `request` of
    /// `request_size` bytes, and memory up to `memory_end`.
    #[must_use]
    pub const fn new(address: u64, request: u64, request_size: u64, memory_end: u64) -> Self {
        let modules = address + size_of::<StartInfo>() as u64;
        let memory_map = modules + size_of::<Module>() as u64;
        Self {
            start: StartInfo {
                magic: START_MAGIC,
                version: START_VERSION,
                flags: 0,
                module_count: 1,
                modules,
                command_line: 0,
                acpi_root: 0,
                memory_map,
                memory_range_count: 1,
                reserved: 0,
            },
            module: Module { address: request, size: request_size, command_line: 0, reserved: 0 },
            memory: MemoryRange { address: 0, size: memory_end, kind: MEMORY_RAM, reserved: 0 },
        }
    }
}

const _: () = {
    assert!(size_of::<StartInfo>() == 56);
    assert!(size_of::<Module>() == 32);
    assert!(size_of::<MemoryRange>() == 24);
    assert!(
        crate::layout::START_INFO + size_of::<BootBlock>() as u64 <= crate::layout::REQUEST,
        "the boot information runs into the request"
    );
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_block_points_into_itself() {
        let block = BootBlock::new(0x1000, 0x2000, 77, 0x10_0000);
        let bytes = block.as_bytes();
        let at = |address: u64| usize::try_from(address - 0x1000).unwrap();

        let module = &bytes[at(block.start.modules)..][..size_of::<Module>()];
        let module = Module::read_from_bytes(module).unwrap();
        assert_eq!((module.address, module.size), (0x2000, 77));

        let memory = &bytes[at(block.start.memory_map)..][..size_of::<MemoryRange>()];
        let memory = MemoryRange::read_from_bytes(memory).unwrap();
        assert_eq!((memory.size, memory.kind), (0x10_0000, MEMORY_RAM));
    }
}
