//! The guest image: the entry in ring 3, and the statics that need a place.
//!
//! Ring 0 (`boot/start.S`) comes here by one `iretq`. See `lib.rs` for the map.

#![no_std]
#![no_main]
#![expect(unsafe_code, reason = "is entered from assembly and places statics")]

extern crate alloc;

mod memory;

use core::panic::PanicInfo;

use abi::port::ExitCode;
use kernel::tables::SupervisorConstants;
use kernel::tables::segments::Descriptors;
use kernel::{boot_info, exit, fault, heap, machine, session};

/// What ring 0 only reads: `SUPERVISOR_RODATA` in the layout.
// SAFETY: the section holds nothing else, and the linker script places it.
#[unsafe(link_section = ".supervisor.rodata")]
#[used]
static SUPERVISOR_CONSTANTS: SupervisorConstants = SupervisorConstants::new();

/// The segment descriptors: `SUPERVISOR_DATA` in the layout. Ring 3 can
/// neither read nor write them.
// SAFETY: the section holds nothing else, and the linker script places it.
#[unsafe(link_section = ".supervisor.data")]
#[used]
static DESCRIPTORS: Descriptors = Descriptors::new();

#[global_allocator]
static HEAP: heap::Heap = heap::Heap::empty();

/// The first Rust that runs: in ring 3, on the stack, with the address of the
/// boot information.
// SAFETY: no other function has this name; only the start stub calls it.
#[unsafe(no_mangle)]
extern "C" fn user_entry(start_info: u64) -> ! {
    let entered = machine::ticks();
    // SAFETY: the start stub passes on the address that the boot loader gave,
    // and nothing has used memory yet.
    let boot = unsafe { boot_info::BootInfo::read(start_info) };
    let boot = match boot {
        Ok(boot) => boot,
        Err(error) => exit::give_up(format_args!("{error}")),
    };
    // SAFETY: the boot information says that this is memory, the layout says
    // that it is heap, and this is the only call.
    unsafe { HEAP.init(boot.heap()) };
    match session::run(boot.request(), entered) {
        Ok(()) => exit::exit(ExitCode::Finished),
        Err(error) => exit::give_up(format_args!("{error}")),
    }
}

/// Where a trap ends up: in ring 3 again, on the fault stack.
// SAFETY: no other function has this name; only the trap stub calls it.
#[unsafe(no_mangle)]
extern "C" fn fault_entry(vector: u64, error: u64, instruction: u64, address: u64) -> ! {
    fault::report(&fault::Fault { vector, error, instruction, address });
    exit::exit(ExitCode::Faulted)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    exit::give_up(format_args!("{info}"))
}

/// The prebuilt core and alloc name this in their unwind tables, which are not
/// linked.
// SAFETY: nothing calls it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// The landing pads of the prebuilt core and alloc end here. No panic unwinds,
/// so none is ever entered.
// SAFETY: nothing calls it.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    exit::exit(ExitCode::Panicked)
}
