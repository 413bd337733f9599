//! The I/O ports that ring 3 may use. They are opened in the task state
//! segment's bitmap (`kernel/src/tables/task.rs`), every other port faults.

/// The first of the eight ports of the 16550 that carries the last words of a
/// failing guest.
pub const SERIAL: u16 = 0x3f8;

/// How many ports the 16550 has.
pub const SERIAL_PORTS: u16 = 8;

/// Ends the run: a 32-bit write of an [`ExitCode`]. QEMU's `isa-debug-exit`
/// device listens on the same port.
pub const EXIT: u16 = 0xf4;

/// Gives the processor away until a device has finished something. A hint: it
/// may return at once, and on QEMU it always does.
pub const WAIT: u16 = 0xf8;

/// Wakes every other processor that has given itself away.
pub const WAKE: u16 = 0xfc;

/// How a run ended, as the guest sees it. The host only tells [`Finished`]
/// from the rest; everything else is for people.
///
/// [`Finished`]: ExitCode::Finished
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ExitCode {
    /// The operation ended and said so in its last reply.
    Finished = 0x10,
    /// Rust code panicked; the message is on the serial port.
    Panicked = 0x11,
    /// Ring 3 took a processor exception; the report is on the serial port.
    Faulted = 0x12,
    /// Ring 0 faulted, or the fault report did: there is no report.
    DoubleFaulted = 0x13,
}

impl ExitCode {
    /// Every code, for tests and for decoding.
    pub const ALL: [Self; 4] = [Self::Finished, Self::Panicked, Self::Faulted, Self::DoubleFaulted];

    /// The code as it is written to [`EXIT`].
    #[must_use]
    pub const fn bits(self) -> u32 {
        self as u32
    }

    /// The code that was written to [`EXIT`], if it is one.
    #[must_use]
    pub fn from_bits(bits: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.bits() == bits)
    }

    /// The exit status of a QEMU process whose guest wrote this code to
    /// `isa-debug-exit`: the value shifted left by one, with the lowest bit set.
    #[must_use]
    pub const fn qemu_status(self) -> u32 {
        (self.bits() << 1) | 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_survive_the_port_and_fit_an_exit_status() {
        for code in ExitCode::ALL {
            assert_eq!(ExitCode::from_bits(code.bits()), Some(code));
            assert!(code.qemu_status() < 128, "{code:?} would look like a signal");
        }
        assert_eq!(ExitCode::from_bits(0), None);
    }
}
