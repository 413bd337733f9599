//! The serial port: the last words of a guest that fails.
//!
//! Every byte costs an exit to the host, so nothing but the panic path uses it.

use core::fmt;

use uart_16550::Uart16550;
use uart_16550::backend::{Backend, PioBackend};

/// How often a byte is offered before the port counts as dead. An emulated port
/// takes it at once unless whoever reads the other end has fallen behind.
const ATTEMPTS: u32 = 1 << 20;

/// A 16550 that is written to and never read.
///
/// It is not initialised: both our VMM and QEMU ignore line settings, and a
/// failing guest should do as little as it can.
pub struct Serial<B: Backend = PioBackend>(Uart16550<B>);

impl Serial {
    /// The 16550 at an I/O port, or nothing if no port can have that number.
    ///
    /// # Safety
    ///
    /// A 16550 must answer at `port` and the seven ports behind it, they must
    /// be open to the current ring, and nobody else may use them.
    #[expect(unsafe_code, reason = "takes an I/O port")]
    #[must_use]
    pub unsafe fn at_port(port: u16) -> Option<Self> {
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { Uart16550::new_port(port) }.ok().map(Self)
    }
}

impl<B: Backend> fmt::Write for Serial<B> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Not `send_bytes_exact`, which waits for ever for a port that never
        // gets ready: a guest that fails must end.
        for byte in text.bytes() {
            let sent = (0..ATTEMPTS).any(|_| self.0.try_send_byte(byte).is_ok());
            if !sent {
                return Err(fmt::Error);
            }
        }
        Ok(())
    }
}

impl<B: Backend> fmt::Debug for Serial<B> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Serial")
    }
}

#[cfg(test)]
#[expect(unsafe_code, reason = "implements the backend of a 16550")]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// A port that takes bytes whenever `ready` says so.
    struct Fake {
        sent: Vec<u8>,
        ready: bool,
    }

    const LINE_STATUS: u8 = 5;
    const TRANSMITTER_EMPTY: u8 = 0x60;

    impl Backend for Fake {
        unsafe fn read(&mut self, register: u8) -> u8 {
            if register == LINE_STATUS && self.ready { TRANSMITTER_EMPTY } else { 0 }
        }

        unsafe fn write(&mut self, register: u8, value: u8) {
            if register == 0 {
                self.sent.push(value);
            }
        }
    }

    fn serial(ready: bool) -> Serial<Fake> {
        // SAFETY: the fake backend accepts every register.
        Serial(unsafe { Uart16550::new_with_backend(Fake { sent: Vec::new(), ready }) })
    }

    #[test]
    fn every_byte_goes_out_in_order() {
        let mut serial = serial(true);
        write!(serial, "vector {} at {:#x}", 14, 0xdead).unwrap();
        assert_eq!(serial.0.backend().sent, b"vector 14 at 0xdead");
    }

    #[test]
    fn a_dead_port_is_given_up_on() {
        assert!(write!(serial(false), "x").is_err());
    }
}
