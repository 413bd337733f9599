//! Interrupt descriptors: one gate for each exception, leading to its stub
//! (Intel SDM, volume 3, section 7.14.1).
//!
//! No device interrupts, ever: drivers poll. The gates are closed to ring 3, so
//! an `int` instruction there is a fault as well.

use abi::layout::{TRAP_STUB_SIZE, TRAP_STUBS, TRAP_VECTORS};

use super::places::{INTERRUPTS_SIZE, SUPERVISOR_CODE};

/// A gate of the interrupt descriptor table.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Gate(pub [u64; 2]);

const _: () = assert!(size_of::<Gate>() as u64 * TRAP_VECTORS == INTERRUPTS_SIZE);

/// Present, privilege level 0, 64-bit interrupt gate.
const INTERRUPT_GATE: u64 = 0x8e << 40;

/// The gates of all vectors.
#[must_use]
pub const fn gates() -> [Gate; TRAP_VECTORS as usize] {
    let mut gates = [Gate([0; 2]); TRAP_VECTORS as usize];
    let mut vector = 0;
    while vector < gates.len() {
        gates[vector] = gate(TRAP_STUBS + vector as u64 * TRAP_STUB_SIZE);
        vector += 1;
    }
    gates
}

const fn gate(handler: u64) -> Gate {
    let low = handler & 0xffff
        | (SUPERVISOR_CODE as u64) << 16
        | INTERRUPT_GATE
        | (handler >> 16 & 0xffff) << 48;
    Gate([low, handler >> 32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_lead_to_the_stubs_in_ring_0() {
        for (vector, Gate([low, high])) in (0_u64..).zip(gates()) {
            let handler = low & 0xffff | (low >> 48) << 16 | high << 32;
            assert_eq!(handler, TRAP_STUBS + vector * TRAP_STUB_SIZE);
            assert_eq!(low >> 16 & 0xffff, u64::from(SUPERVISOR_CODE));
            assert_eq!(low >> 45 & 3, 0, "ring 3 may not call vector {vector}");
        }
    }
}
