//! Ends of the run, and the last words before them.
#![expect(unsafe_code, reason = "uses I/O ports")]

use core::fmt::{self, Write as _};

use abi::port::{self, ExitCode};
use drivers::serial::Serial;
use x86_64::instructions::port::PortWriteOnly;

/// Ends the run. The host stops the VM at the port access, so this does not
/// come back.
pub fn exit(code: ExitCode) -> ! {
    let mut port = PortWriteOnly::<u32>::new(port::EXIT);
    loop {
        // SAFETY: the port is open to ring 3, and writing it ends the VM.
        unsafe { port.write(code.bits()) };
    }
}

/// Ends the run with a reason, on the serial port.
pub fn give_up(reason: fmt::Arguments<'_>) -> ! {
    say(format_args!("guest panic: {reason}"));
    exit(ExitCode::Panicked)
}

/// Gives the processor away until a device may have finished something.
pub fn wait() {
    let mut port = PortWriteOnly::<u32>::new(port::WAIT);
    // SAFETY: the port is open to ring 3; writing it at most takes time.
    unsafe { port.write(0) };
}

/// Wakes the other processors that have given themselves away.
pub fn wake() {
    let mut port = PortWriteOnly::<u32>::new(port::WAKE);
    // SAFETY: the port is open to ring 3; writing it at most takes time.
    unsafe { port.write(0) };
}

/// Says something on the serial port, as one line. For failures only: each byte
/// costs an exit to the host.
pub fn say(message: fmt::Arguments<'_>) {
    // SAFETY: the ports are open to ring 3, and nobody uses them meanwhile: who
    // speaks here ends the run next.
    let serial = unsafe { Serial::at_port(port::SERIAL) };
    if let Some(mut serial) = serial {
        // There is nobody left to tell if this fails.
        let _ = write!(OneLine(&mut serial), "{message}");
        let _ = serial.write_char('\n');
    }
}

/// Turns line breaks into spaces: a report is one line, and Rust's panic
/// messages have two.
struct OneLine<W: fmt::Write>(W);

impl<W: fmt::Write> fmt::Write for OneLine<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let one_line = text.chars().map(|letter| if letter == '\n' { ' ' } else { letter });
        for letter in one_line {
            self.0.write_char(letter)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_one_line() {
        let mut report = String::new();
        write!(OneLine(&mut report), "panicked at x.rs:{}:\nwhy\n", 1).unwrap();
        assert_eq!(report, "panicked at x.rs:1: why ");
    }
}
