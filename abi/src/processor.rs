//! The state in which the host starts the processor.
//!
//! Our VMM enters the image at its ELF entry point in 64-bit mode, ring 0, with
//! flat segments, the registers below, interrupts off, and the address of the
//! boot information in RDI. A PVH loader enters at the 32-bit address in the
//! image's note, whose stub brings the processor into the same state. From
//! there on there is one path: load the descriptor tables, go to ring 3.
//!
//! A further processor starts in ring 3, where the guest says, on a stack of its own,
//! with its number in RDI. Its descriptor tables and its task register are set to the
//! image's; ring 0 runs on it only when it traps.

/// Ring 3's data segment, without the privilege level in its lowest bits.
pub const USER_DATA: u16 = 0x18;

/// Ring 3's code segment, without the privilege level.
pub const USER_CODE: u16 = 0x20;

/// The task state segment.
pub const TASK_SEGMENT: u16 = 0x28;

/// CR0: protected mode (0), coprocessor monitored (1), no FPU emulation (2
/// clear), native FPU errors (5), read-only pages bind ring 0 too (16), paging
/// (31). Bit 4 is always set.
pub const CR0: u64 = 1 | 1 << 1 | 1 << 4 | 1 << 5 | 1 << 16 | 1 << 31;

/// CR4 on every processor: large page-table entries (5), SSE and its
/// exceptions (9, 10).
pub const CR4: u64 = 1 << 5 | 1 << 9 | 1 << 10;

/// CR4 where the processor has XSAVE.
pub const CR4_OSXSAVE: u64 = 1 << 18;

/// CR4 where the processor can keep ring 0 from executing ring 3's pages.
pub const CR4_SMEP: u64 = 1 << 20;

/// CR4 where it can keep ring 0 from touching them at all.
pub const CR4_SMAP: u64 = 1 << 21;

/// EFER: long mode enabled (8) and active (10), no-execute pages (11).
pub const EFER: u64 = 1 << 8 | 1 << 10 | 1 << 11;

/// XCR0 where the processor has AVX: x87, SSE and AVX registers are usable.
pub const XCR0_AVX: u64 = 0b111;

/// XCR0 where it has XSAVE but no AVX.
pub const XCR0_SSE: u64 = 0b011;

/// CPUID leaf 1, ECX: XSAVE.
pub const CPUID_1_ECX_XSAVE: u32 = 1 << 26;

/// CPUID leaf 1, ECX: AVX.
pub const CPUID_1_ECX_AVX: u32 = 1 << 28;

/// CPUID leaf 7, EBX: SMEP.
pub const CPUID_7_EBX_SMEP: u32 = 1 << 7;

/// CPUID leaf 7, EBX: SMAP.
pub const CPUID_7_EBX_SMAP: u32 = 1 << 20;
