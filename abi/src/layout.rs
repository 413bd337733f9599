//! Guest-physical memory: who lives where.
//!
//! Memory is identity-mapped, so these are virtual addresses as well. Every
//! region starts on a 2 MiB boundary and is mapped by 2 MiB pages of one kind,
//! which makes W^X a property of this table: no page is ever shared between two
//! kinds. A region costs address space only; the host backs what is touched.
//!
//! `kernel/src/tables` turns [`REGIONS`] into page tables at compile time, the
//! script in `linker/` pins the image's sections to it, and the host places
//! memory slots by it.
//!
//! ```text
//!    0          page 0: not mapped
//!    4 KiB      boot information as QEMU leaves it, read-only
//!    2 MiB      supervisor text        R-X  boot and trap stubs
//!    4 MiB      supervisor constants   R--  page tables, IDT, TSS
//!    6 MiB      supervisor data        RW-  GDT, ring-0 stack
//!    8 MiB      text                   R-X  everything written in Rust
//!   10 MiB      constants              R--
//!   12 MiB      data                   RW-
//!   14 MiB      guard                  not mapped
//!   16 MiB      fault stack            RW-
//!   18 MiB      guard                  not mapped
//!   20 MiB      stack                  RW-
//!   22 MiB      guard                  not mapped
//!   24 MiB      worker stacks          RW-  seven, each with a guard behind it
//!   52 MiB      shared with devices    RW-  boot information, request, rings
//!   54 MiB      heap                   RW-  to the end of memory
//!  ...
//! 4074 MiB      device window          RW-  virtio-mmio registers, uncached
//! ```

/// The size of the pages that map every region but the first: 2 MiB.
pub const LARGE_PAGE: u64 = 2 << 20;

/// The size of the pages in the lowest region: 4 KiB.
pub const SMALL_PAGE: u64 = 4 << 10;

/// How a region is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Ring 3 may reach it.
    pub user: bool,
    /// It may be written.
    pub write: bool,
    /// It may be executed.
    pub execute: bool,
    /// It is memory rather than device registers.
    pub cached: bool,
}

impl Access {
    const READ: Self = Self { user: true, write: false, execute: false, cached: true };
    const WRITE: Self = Self { write: true, ..Self::READ };
    const EXECUTE: Self = Self { execute: true, ..Self::READ };
    const DEVICE: Self = Self { cached: false, ..Self::WRITE };

    const fn supervisor(self) -> Self {
        Self { user: false, ..self }
    }
}

/// A range of guest-physical addresses mapped in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Its name, for error messages and tests.
    pub name: &'static str,
    /// The first address, in bytes.
    pub start: u64,
    /// The first address after it, in bytes.
    pub end: u64,
    /// How it is mapped.
    pub access: Access,
}

impl Region {
    const fn new(name: &'static str, start: u64, end: u64, access: Access) -> Self {
        Self { name, start, end, access }
    }

    /// How many bytes of address space it takes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.end - self.start
    }

    /// Whether an address lies in it.
    #[must_use]
    pub const fn contains(&self, address: u64) -> bool {
        address >= self.start && address < self.end
    }
}

const MIB: u64 = 1 << 20;

/// Where a PVH loader such as QEMU's leaves its boot information. Page 0 is
/// left out, so that a null pointer faults.
pub const LOW: Region = Region::new("low memory", SMALL_PAGE, 2 * MIB, Access::READ);

/// Boot and trap stubs: the only code that runs in ring 0.
pub const SUPERVISOR_TEXT: Region =
    Region::new("supervisor text", 2 * MIB, 4 * MIB, Access::EXECUTE.supervisor());

/// Page tables, interrupt descriptors and task state: constants in the image.
pub const SUPERVISOR_RODATA: Region =
    Region::new("supervisor constants", 4 * MIB, 6 * MIB, Access::READ.supervisor());

/// What ring 0 writes: the GDT (loading the task register marks it busy) and
/// its stack.
pub const SUPERVISOR_DATA: Region =
    Region::new("supervisor data", 6 * MIB, 8 * MIB, Access::WRITE.supervisor());

/// Everything that is compiled from Rust.
pub const TEXT: Region = Region::new("text", 8 * MIB, 10 * MIB, Access::EXECUTE);

/// Its constants.
pub const RODATA: Region = Region::new("constants", 10 * MIB, 12 * MIB, Access::READ);

/// Its variables.
pub const DATA: Region = Region::new("data", 12 * MIB, 14 * MIB, Access::WRITE);

/// The stack on which a fault is reported, fresh whatever happened to the other.
pub const FAULT_STACK: Region = Region::new("fault stack", 16 * MIB, 18 * MIB, Access::WRITE);

/// The stack. Deflate encoders need more than 64 KiB; 2 MiB is one page and
/// costs only what is touched.
pub const STACK: Region = Region::new("stack", 20 * MIB, 22 * MIB, Access::WRITE);

/// How many processors can compute beside the first. Each costs a region of address
/// space, and memory only if it is used.
pub const MAX_WORKERS: u8 = 7;

/// Where the first worker's stack starts.
const WORKER_STACKS: u64 = 24 * MIB;

/// The stack of a worker, and the guard behind it.
const WORKER_STRIDE: u64 = 4 * MIB;

/// The stack of the worker with a number.
#[must_use]
pub const fn worker_stack(number: u8) -> Region {
    let start = WORKER_STACKS + WORKER_STRIDE * number as u64;
    Region::new("worker stack", start, start + LARGE_PAGE, Access::WRITE)
}

/// Memory that the host and its devices write while the guest runs: boot
/// information, the request, and the rings of every device.
pub const SHARED: Region = Region::new("shared", 52 * MIB, 54 * MIB, Access::WRITE);

/// The heap: from here to the end of memory, which the boot information gives.
pub const HEAP: Region = Region::new("heap", 54 * MIB, MAX_MEMORY_END, Access::WRITE);

/// The page with the virtio-mmio registers.
pub const DEVICES: Region = Region::new("device window", 0xfea0_0000, 0xfec0_0000, Access::DEVICE);

/// Every mapped region, by address. What lies between two of them is a guard.
pub const REGIONS: [Region; 12 + MAX_WORKERS as usize] = [
    LOW,
    SUPERVISOR_TEXT,
    SUPERVISOR_RODATA,
    SUPERVISOR_DATA,
    TEXT,
    RODATA,
    DATA,
    FAULT_STACK,
    STACK,
    worker_stack(0),
    worker_stack(1),
    worker_stack(2),
    worker_stack(3),
    worker_stack(4),
    worker_stack(5),
    worker_stack(6),
    SHARED,
    HEAP,
    DEVICES,
];

/// The end of the largest guest: the page tables map no memory beyond it. It
/// keeps clear of the hole below 4 GiB in which QEMU puts devices.
pub const MAX_MEMORY_END: u64 = 3 << 30;

/// The end of the smallest guest: the heap gets at least 2 MiB.
pub const MIN_MEMORY_END: u64 = HEAP.start + LARGE_PAGE;

const _: () = {
    let mut index = 0;
    while index < REGIONS.len() {
        let region = &REGIONS[index];
        assert!(region.start < region.end, "a region is empty");
        assert!(!(region.access.write && region.access.execute), "a region breaks W^X");
        // Only the lowest region starts inside a large page: behind page 0.
        assert!(region.start.is_multiple_of(LARGE_PAGE) || index == 0);
        assert!(region.end.is_multiple_of(LARGE_PAGE));
        if index + 1 < REGIONS.len() {
            assert!(region.end <= REGIONS[index + 1].start, "two regions overlap");
        }
        index += 1;
    }
    assert!(DATA.end < FAULT_STACK.start, "the fault stack has no guard below");
    assert!(FAULT_STACK.end < STACK.start, "the stack has no guard below");
    assert!(STACK.end < SHARED.start, "the stack has no guard above");
    assert!(STACK.size() >= MIB, "the stack is too small for a deflate encoder");
};

/// Where each trap stub starts: `TRAP_STUBS + vector * TRAP_STUB_SIZE`. The
/// addresses are pinned so that the interrupt descriptors, which scatter an
/// address over three fields, can be computed at compile time.
pub const TRAP_STUBS: u64 = SUPERVISOR_TEXT.start;

/// The size of a trap stub in bytes.
pub const TRAP_STUB_SIZE: u64 = 16;

/// How many vectors have a stub: the exceptions that the processor defines.
pub const TRAP_VECTORS: u64 = 32;

/// The top-level page table: what CR3 holds.
pub const PAGE_TABLES: u64 = SUPERVISOR_RODATA.start;

/// How many page tables there are.
pub const PAGE_TABLE_COUNT: u64 = 7;

/// The interrupt descriptors: behind the page tables.
pub const INTERRUPTS: u64 = PAGE_TABLES + PAGE_TABLE_COUNT * SMALL_PAGE;

/// The size of the interrupt descriptors in bytes, 16 each.
pub const INTERRUPTS_SIZE: u64 = TRAP_VECTORS * 16;

/// The task state: behind the interrupt descriptors.
pub const TASK_STATE: u64 = INTERRUPTS + INTERRUPTS_SIZE;

/// The size of the task state in bytes: the segment, a bit for each of 1,024 ports, and
/// a byte that ends them, in whole words of 32 bits.
pub const TASK_STATE_SIZE: u64 = (104 + 128 + 1_u64).next_multiple_of(4);

/// The segment descriptors. They lie in memory that ring 0 may write, because
/// loading the task register marks a descriptor as busy.
pub const DESCRIPTORS: u64 = SUPERVISOR_DATA.start;

/// The size of the segment descriptors in bytes: seven entries, of which the
/// task's takes two.
pub const DESCRIPTORS_SIZE: u64 = 7 * 8;

/// The distance between the register windows of two devices, as on QEMU's
/// microvm machine.
pub const DEVICE_STRIDE: u64 = 0x200;

/// The register window of the first device, as on QEMU's microvm machine.
pub const FIRST_DEVICE: u64 = 0xfeb0_0000;

/// How many devices there can be: the console, the image, and what a chain of
/// images brings along. The rings of all of them fit in [`SHARED`].
pub const MAX_DEVICES: u8 = 80;

/// The registers of the device in a slot.
#[must_use]
pub const fn device_registers(slot: u8) -> u64 {
    FIRST_DEVICE + DEVICE_STRIDE * slot as u64
}

/// Where the host puts the PVH start information when it is the boot loader.
pub const START_INFO: u64 = SHARED.start;

/// Where it puts the request. It shares the first pages with the boot
/// information, so that a small request touches one page.
pub const REQUEST: u64 = SHARED.start + 0x200;

/// The largest request, in bytes.
pub const REQUEST_MAX: u64 = 128 << 10;

/// Where the rings of the first device lie.
pub const RINGS: u64 = SHARED.start + (256 << 10);

/// The bytes set aside for the rings of one device: a page, so that a device
/// costs one.
pub const RINGS_STRIDE: u64 = SMALL_PAGE;

/// Entries in each queue of a console.
pub const CONSOLE_QUEUE_SIZE: u16 = 64;

/// Entries in the queue of a block device: a request takes three.
pub const BLOCK_QUEUE_SIZE: u16 = 128;

/// Where the parts of a split virtqueue lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rings {
    /// How many entries each part has.
    pub size: u16,
    /// The descriptor table.
    pub descriptors: u64,
    /// The available ring.
    pub available: u64,
    /// The used ring.
    pub used: u64,
}

impl Rings {
    /// Rings of `size` entries one behind the other (virtio 1.2, section 2.7).
    const fn at(start: u64, size: u16) -> Self {
        let entries = size as u64;
        let available = start + 16 * entries;
        let used = (available + 6 + 2 * entries).next_multiple_of(4);
        Self { size, descriptors: start, available, used }
    }

    const fn end(&self) -> u64 {
        self.used + 6 + 8 * self.size as u64
    }
}

/// The request queue of the block device in a slot.
#[must_use]
pub const fn block_queue(slot: u8) -> Rings {
    Rings::at(RINGS + RINGS_STRIDE * slot as u64, BLOCK_QUEUE_SIZE)
}

/// The receive queue and the transmit queue of the console in a slot.
#[must_use]
pub const fn console_queues(slot: u8) -> [Rings; 2] {
    let start = RINGS + RINGS_STRIDE * slot as u64;
    [Rings::at(start, CONSOLE_QUEUE_SIZE), Rings::at(start + RINGS_STRIDE / 2, CONSOLE_QUEUE_SIZE)]
}

const _: () = {
    assert!(device_registers(MAX_DEVICES) <= DEVICES.end);
    assert!(REQUEST + REQUEST_MAX <= RINGS, "the request runs into the rings");
    assert!(RINGS + RINGS_STRIDE * MAX_DEVICES as u64 <= SHARED.end);
    assert!(block_queue(0).end() <= RINGS + RINGS_STRIDE);
    let [receive, transmit] = console_queues(0);
    assert!(receive.end() <= transmit.descriptors, "the console's queues overlap");
    assert!(transmit.end() <= RINGS + RINGS_STRIDE);
    assert!(TRAP_STUBS + TRAP_VECTORS * TRAP_STUB_SIZE < SUPERVISOR_TEXT.end);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_access_is_told_apart() {
        // (region, user, write, execute, cached)
        for (region, rights) in [
            (LOW, [true, false, false, true]),
            (SUPERVISOR_TEXT, [false, false, true, true]),
            (SUPERVISOR_RODATA, [false, false, false, true]),
            (SUPERVISOR_DATA, [false, true, false, true]),
            (TEXT, [true, false, true, true]),
            (RODATA, [true, false, false, true]),
            (DATA, [true, true, false, true]),
            (HEAP, [true, true, false, true]),
            (DEVICES, [true, true, false, false]),
        ] {
            let Access { user, write, execute, cached } = region.access;
            assert_eq!([user, write, execute, cached], rights, "{}", region.name);
        }
    }

    #[test]
    fn device_windows_follow_the_microvm_machine() {
        assert_eq!(device_registers(0), 0xfeb0_0000);
        assert_eq!(device_registers(7), 0xfeb0_0e00);
        assert!(DEVICES.contains(device_registers(MAX_DEVICES - 1) + DEVICE_STRIDE - 1));
    }

    #[test]
    fn rings_are_aligned_as_virtio_wants_them() {
        for slot in [0, 1, MAX_DEVICES - 1] {
            let [receive, transmit] = console_queues(slot);
            for rings in [block_queue(slot), receive, transmit] {
                assert!(rings.descriptors.is_multiple_of(16));
                assert!(rings.available.is_multiple_of(2));
                assert!(rings.used.is_multiple_of(4));
                assert!(SHARED.contains(rings.descriptors) && rings.end() <= SHARED.end);
            }
        }
    }
}
