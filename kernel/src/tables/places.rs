//! Where ring 0's tables lie, and what the segments are called.
//!
//! The stubs need these numbers too, so `build.rs` includes this file: it is
//! nothing but constants.

use abi::layout;

/// The page tables, all seven of them (see `paging.rs`).
pub const PAGE_TABLES: u64 = layout::PAGE_TABLES;

/// How many page tables there are.
pub const PAGE_TABLE_COUNT: u64 = 7;

/// The interrupt descriptors: behind the page tables.
pub const INTERRUPTS: u64 = PAGE_TABLES + PAGE_TABLE_COUNT * layout::SMALL_PAGE;

/// The size of the interrupt descriptors in bytes, 16 each.
pub const INTERRUPTS_SIZE: u64 = layout::TRAP_VECTORS * 16;

/// The task state: behind the interrupt descriptors.
pub const TASK_STATE: u64 = INTERRUPTS + INTERRUPTS_SIZE;

/// The segment descriptors. They lie in memory that ring 0 may write, because
/// loading the task register marks a descriptor as busy.
pub const DESCRIPTORS: u64 = layout::SUPERVISOR_DATA.start;

/// The size of the segment descriptors in bytes: seven entries, of which the
/// task's takes two.
pub const DESCRIPTORS_SIZE: u64 = 7 * 8;

/// Set while a trap is being reported: a second one ends the run at once.
pub const REPORTING: u64 = DESCRIPTORS + DESCRIPTORS_SIZE;

/// Where ring 0's stack starts, downwards: at the end of the same page. The
/// processor pushes five words when it takes a trap, a stub pushes two.
pub const SUPERVISOR_STACK_TOP: u64 = DESCRIPTORS + layout::SMALL_PAGE;

/// Ring 0's code segment.
pub const SUPERVISOR_CODE: u16 = 0x08;

/// Ring 3's data segment, without the privilege level in its lowest bits.
pub const USER_DATA: u16 = 0x18;

/// Ring 3's code segment, without the privilege level.
pub const USER_CODE: u16 = 0x20;

/// The task state segment.
pub const TASK_SEGMENT: u16 = 0x28;
