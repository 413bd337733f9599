//! The tables that the processor reads, as constants.
//!
//! Ring 0 does not compute: page tables, segment and interrupt descriptors and
//! the task state are worked out by the compiler and lie finished in the image.
//! What they say follows from `abi::layout` alone, and `tests/` walks the built
//! image to see that they say it.
//!
//! Reading order: `places.rs` (where they are), `paging.rs`, `segments.rs`,
//! `task.rs`, `interrupts.rs`. `main.rs` gives each its section.

#![expect(
    clippy::cast_possible_truncation,
    reason = "constants of a 64-bit machine, computed by the compiler"
)]

pub mod interrupts;
pub mod paging;
pub mod places;
pub mod segments;
pub mod task;

use self::interrupts::Gate;
use self::paging::PageTables;
use self::task::TaskState;

/// What ring 0 only reads, in the order that `places.rs` says.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct SupervisorConstants {
    page_tables: PageTables,
    interrupts: [Gate; abi::layout::TRAP_VECTORS as usize],
    task: TaskState,
}

impl SupervisorConstants {
    /// The finished tables.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            page_tables: PageTables::new(),
            interrupts: interrupts::gates(),
            task: TaskState::new(),
        }
    }
}

impl Default for SupervisorConstants {
    fn default() -> Self {
        Self::new()
    }
}

const _: () = {
    use core::mem::offset_of;
    let start = places::PAGE_TABLES as usize;
    assert!(offset_of!(SupervisorConstants, page_tables) == 0);
    assert!(start + offset_of!(SupervisorConstants, interrupts) == places::INTERRUPTS as usize);
    assert!(start + offset_of!(SupervisorConstants, task) == places::TASK_STATE as usize);
};
