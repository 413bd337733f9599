//! What a processor exception was about, in words.

use core::fmt;

use abi::layout;

use crate::exit;

/// What the trap stub knows of an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which exception.
    pub vector: u64,
    /// Its error code, or zero.
    pub error: u64,
    /// Where it happened.
    pub instruction: u64,
    /// For a page fault, what was accessed.
    pub address: u64,
}

/// Reports an exception on the serial port.
pub fn report(fault: &Fault) {
    exit::say(format_args!("guest fault: {fault}"));
}

/// The vector of a page fault.
const PAGE_FAULT: u64 = 14;

/// Bits of a page fault's error code (Intel SDM, volume 3, section 5.7).
const ERROR_PRESENT: u64 = 1;
const ERROR_WRITE: u64 = 2;
const ERROR_FETCH: u64 = 16;

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.vector == PAGE_FAULT {
            self.describe_page_fault(formatter)?;
        } else {
            write!(formatter, "{} (vector {}", name(self.vector), self.vector)?;
            if self.error != 0 {
                write!(formatter, ", error {:#x}", self.error)?;
            }
            formatter.write_str(")")?;
        }
        write!(formatter, ", instruction at {:#x}", self.instruction)
    }
}

impl Fault {
    fn describe_page_fault(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let access = if self.error & ERROR_FETCH != 0 {
            "execution of"
        } else if self.error & ERROR_WRITE != 0 {
            "write to"
        } else {
            "read of"
        };
        let place = if self.address < layout::SMALL_PAGE {
            "the null page"
        } else if (layout::FAULT_STACK.end..layout::STACK.start).contains(&self.address) {
            "the guard below the stack: stack overflow"
        } else {
            let region = layout::REGIONS.iter().find(|region| region.contains(self.address));
            region.map_or("nothing", |region| region.name)
        };
        write!(formatter, "{access} {:#x} ({place})", self.address)?;
        if self.error & ERROR_PRESENT != 0 {
            formatter.write_str(", which is forbidden")?;
        }
        Ok(())
    }
}

/// The name of an exception (Intel SDM, volume 3, table 7-1).
fn name(vector: u64) -> &'static str {
    match vector {
        0 => "divide error",
        1 => "debug exception",
        2 => "non-maskable interrupt",
        3 => "breakpoint",
        4 => "overflow",
        5 => "bound range exceeded",
        6 => "invalid instruction",
        7 => "no coprocessor",
        8 => "double fault",
        10 => "invalid task state",
        11 => "segment not present",
        12 => "stack segment fault",
        13 => "general protection fault",
        16 => "x87 error",
        17 => "alignment check",
        18 => "machine check",
        19 => "SIMD error",
        20 => "virtualization exception",
        21 => "control protection exception",
        _ => "unknown exception",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_in_words() {
        let fault =
            |vector, error, address| Fault { vector, error, instruction: 0x80_0123, address };
        for (fault, expected) in [
            (fault(14, 4, 0), "read of 0x0 (the null page), instruction at 0x800123"),
            (
                fault(14, 7, layout::TEXT.start),
                "write to 0x800000 (text), which is forbidden, instruction at 0x800123",
            ),
            (
                fault(14, 0x15, layout::HEAP.start),
                "execution of 0x3600000 (heap), which is forbidden, instruction at 0x800123",
            ),
            (
                fault(14, 6, layout::STACK.start - 8),
                "write to 0x13ffff8 (the guard below the stack: stack overflow), \
                 instruction at 0x800123",
            ),
            (
                fault(14, 4, u64::MAX),
                "read of 0xffffffffffffffff (nothing), instruction at 0x800123",
            ),
            (
                fault(13, 0x18, 0),
                "general protection fault (vector 13, error 0x18), instruction at 0x800123",
            ),
            (fault(0, 0, 0), "divide error (vector 0), instruction at 0x800123"),
        ] {
            assert_eq!(fault.to_string(), expected);
        }
    }
}
