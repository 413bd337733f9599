//! The task state: the stack for traps, and the I/O ports that ring 3 may use
//! (Intel SDM, volume 3, section 8.7, and volume 1, section 19.5.2).
//!
//! Ports are opened here one by one. The other way, an I/O privilege level of
//! 3, opens all of them, and a host without VMX or SVM drops it silently.

use abi::port;
use x86_64::VirtAddr;
use x86_64::structures::tss::TaskStateSegment;

use super::places::SUPERVISOR_STACK_TOP;

/// Ports that have a bit in the map. Beyond the map every port is closed.
const MAPPED_PORTS: usize = 0x400;

/// The task state segment and the port bitmap behind it.
#[derive(Debug)]
#[repr(C, packed(4))]
pub struct TaskState {
    segment: TaskStateSegment,
    /// A set bit closes a port. The processor reads two bytes at a time, so one
    /// byte more must be there, with all bits set.
    closed_ports: [u8; MAPPED_PORTS / 8 + 1],
}

const _: () = assert!(size_of::<TaskState>() as u64 == abi::layout::TASK_STATE_SIZE);

impl TaskState {
    /// The task state.
    #[must_use]
    pub const fn new() -> Self {
        let mut segment = TaskStateSegment::new();
        segment.privilege_stack_table[0] = VirtAddr::new_truncate(SUPERVISOR_STACK_TOP);
        segment.iomap_base = size_of::<TaskStateSegment>() as u16;
        let closed_ports = [0xff; MAPPED_PORTS / 8 + 1];
        let closed_ports = open(closed_ports, port::SERIAL, port::SERIAL_PORTS);
        // A 32-bit access needs the bits of four ports.
        let closed_ports = open(closed_ports, port::EXIT, 4);
        let closed_ports = open(closed_ports, port::WAIT, 4);
        let closed_ports = open(closed_ports, port::WAKE, 4);
        Self { segment, closed_ports }
    }
}

impl Default for TaskState {
    fn default() -> Self {
        Self::new()
    }
}

const fn open<const N: usize>(mut closed: [u8; N], first: u16, count: u16) -> [u8; N] {
    let mut port = first as usize;
    while port < first as usize + count as usize {
        assert!(port < MAPPED_PORTS);
        closed[port / 8] &= !(1 << (port % 8));
        port += 1;
    }
    closed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_ports_of_the_guest_are_open() {
        let closed = TaskState::new().closed_ports;
        let open: Vec<usize> =
            (0..MAPPED_PORTS).filter(|port| closed[port / 8] & 1 << (port % 8) == 0).collect();
        let expected: Vec<usize> = (0xf4..0x100).chain(0x3f8..0x400).collect();
        assert_eq!(open, expected);
        assert_eq!(closed[MAPPED_PORTS / 8], 0xff, "the byte that ends the map");
    }

    #[test]
    fn the_map_lies_behind_the_segment() {
        let task = TaskState::new();
        let base = usize::from(task.segment.iomap_base);
        assert_eq!(base, core::mem::offset_of!(TaskState, closed_ports));
    }
}
