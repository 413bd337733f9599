//! Where ring 0's tables lie, and what the segments are called.
//!
//! The stubs need these numbers too, so `build.rs` includes this file: it is
//! nothing but constants.

use abi::{layout, processor};

/// The page tables, all seven of them (see `paging.rs`).
pub const PAGE_TABLES: u64 = layout::PAGE_TABLES;

/// How many page tables there are.
pub const PAGE_TABLE_COUNT: u64 = layout::PAGE_TABLE_COUNT;

/// The interrupt descriptors.
pub const INTERRUPTS: u64 = layout::INTERRUPTS;

/// Their size in bytes.
pub const INTERRUPTS_SIZE: u64 = layout::INTERRUPTS_SIZE;

/// The task state.
pub const TASK_STATE: u64 = layout::TASK_STATE;

/// The segment descriptors.
pub const DESCRIPTORS: u64 = layout::DESCRIPTORS;

/// Their size in bytes.
pub const DESCRIPTORS_SIZE: u64 = layout::DESCRIPTORS_SIZE;

/// Set while a trap is being reported: a second one ends the run at once.
pub const REPORTING: u64 = DESCRIPTORS + DESCRIPTORS_SIZE;

/// Where ring 0's stack starts, downwards: at the end of the same page. The
/// processor pushes five words when it takes a trap, a stub pushes two.
pub const SUPERVISOR_STACK_TOP: u64 = DESCRIPTORS + layout::SMALL_PAGE;

/// Ring 0's code segment.
pub const SUPERVISOR_CODE: u16 = 0x08;

/// Ring 3's data segment, without the privilege level in its lowest bits.
pub const USER_DATA: u16 = processor::USER_DATA;

/// Ring 3's code segment, without the privilege level.
pub const USER_CODE: u16 = processor::USER_CODE;

/// The task state segment.
pub const TASK_SEGMENT: u16 = processor::TASK_SEGMENT;
