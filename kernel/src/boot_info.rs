//! What the boot loader left: the end of memory, and the request.
//!
//! The loader is the host, which the guest believes. It is checked all the
//! same, because a mistake there should end in a message.
#![expect(unsafe_code, reason = "reads memory that the boot loader filled")]

use core::ops::Range;

use abi::layout;
use abi::pvh::{
    MAX_ENTRIES, MEMORY_RAM, MemoryRange, Module, START_MAGIC, START_VERSION, StartInfo,
};
use zerocopy::FromBytes;

/// What the boot loader left.
#[derive(Debug)]
pub struct BootInfo {
    heap: Range<u64>,
    request: Range<u64>,
}

/// Boot information that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootError {
    /// There is none at the address.
    NotFound(u64),
    /// A table lies where nothing is mapped for reading.
    Unreachable(u64),
    /// There is no request.
    NoRequest,
    /// Memory ends before the heap would start.
    MemoryTooSmall(u64),
}

impl core::fmt::Display for BootError {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotFound(address) => write!(formatter, "no boot information at {address:#x}"),
            Self::Unreachable(address) => {
                write!(formatter, "boot information out of reach at {address:#x}")
            }
            Self::NoRequest => formatter.write_str("the boot information has no request"),
            Self::MemoryTooSmall(end) => {
                write!(formatter, "memory ends at {end:#x}, before the heap")
            }
        }
    }
}

impl BootInfo {
    /// Reads the boot information at an address.
    ///
    /// # Safety
    ///
    /// Memory must be mapped as the layout says, and what lies in the low and in
    /// the shared region, and above, must not be written meanwhile.
    ///
    /// # Errors
    ///
    /// If it makes no sense.
    pub unsafe fn read(address: u64) -> Result<Self, BootError> {
        // SAFETY: the caller's promise is the one that is asked for.
        let start = unsafe { bytes(address, size_of::<StartInfo>() as u64) }?;
        let start = StartInfo::read_from_bytes(start).map_err(|_| BootError::NotFound(address))?;
        if start.magic != START_MAGIC || start.version < START_VERSION {
            return Err(BootError::NotFound(address));
        }
        // SAFETY: as above.
        let modules = unsafe { table(start.modules, start.module_count) }?;
        // SAFETY: as above.
        let memory = unsafe { table(start.memory_map, start.memory_range_count) }?;
        Self::from_tables(modules, memory)
    }

    fn from_tables(
        mut modules: impl Iterator<Item = Module>,
        memory: impl Iterator<Item = MemoryRange>,
    ) -> Result<Self, BootError> {
        let module = modules.next().filter(|module| module.size > 0);
        let module = module.ok_or(BootError::NoRequest)?;
        let request = module.address..module.address.saturating_add(module.size);
        if !is_readable(&request) {
            return Err(BootError::Unreachable(module.address));
        }
        let mut end = memory
            .filter(|range| range.kind == MEMORY_RAM && range.address <= layout::HEAP.start)
            .map(|range| range.address.saturating_add(range.size))
            .fold(0, u64::max)
            .min(layout::HEAP.end);
        // QEMU puts the request at the top of memory.
        if request.end > layout::HEAP.start {
            end = end.min(request.start);
        }
        // Large pages map the heap, and the host backs it by them where it can.
        end -= end % layout::SMALL_PAGE;
        if end < layout::MIN_MEMORY_END {
            return Err(BootError::MemoryTooSmall(end));
        }
        Ok(Self { heap: layout::HEAP.start..end, request })
    }

    /// The memory for the heap.
    #[must_use]
    pub fn heap(&self) -> Range<u64> {
        self.heap.clone()
    }

    /// The request, as it came.
    #[must_use]
    pub fn request(&self) -> &'static [u8] {
        let length = usize::try_from(self.request.end - self.request.start).unwrap_or(0);
        // SAFETY: `from_tables` has checked that the range is mapped, it is not
        // part of the heap, and nobody writes to it once the guest runs.
        unsafe { core::slice::from_raw_parts(pointer(self.request.start), length) }
    }
}

fn pointer<T>(address: u64) -> *const T {
    core::ptr::with_exposed_provenance(usize::try_from(address).unwrap_or(0))
}

/// Whether a range lies in one region that the boot loader may have filled.
fn is_readable(range: &Range<u64>) -> bool {
    [layout::LOW, layout::SHARED, layout::HEAP]
        .iter()
        .any(|region| range.start >= region.start && range.end <= region.end)
}

/// Bytes that the boot loader left.
///
/// # Safety
///
/// As for [`BootInfo::read`].
unsafe fn bytes(address: u64, length: u64) -> Result<&'static [u8], BootError> {
    let unreachable = BootError::Unreachable(address);
    let end = address.checked_add(length).ok_or(unreachable)?;
    if !is_readable(&(address..end)) {
        return Err(unreachable);
    }
    let length = usize::try_from(length).map_err(|_| unreachable)?;
    // SAFETY: the range is mapped for reading, and the caller promises that
    // nobody writes there.
    Ok(unsafe { core::slice::from_raw_parts(pointer(address), length) })
}

/// A table of `count` structures. QEMU does not align them.
///
/// # Safety
///
/// As for [`BootInfo::read`].
unsafe fn table<T: FromBytes>(
    address: u64,
    count: u32,
) -> Result<impl Iterator<Item = T>, BootError> {
    let length = u64::from(count.min(MAX_ENTRIES)) * size_of::<T>() as u64;
    // SAFETY: the caller's promise is the one that is asked for.
    let bytes = unsafe { bytes(address, length) }?;
    Ok(bytes.chunks_exact(size_of::<T>()).filter_map(|entry| T::read_from_bytes(entry).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ram(address: u64, size: u64) -> MemoryRange {
        MemoryRange { address, size, kind: MEMORY_RAM, reserved: 0 }
    }

    fn module(address: u64, size: u64) -> Module {
        Module { address, size, ..Module::default() }
    }

    const MIB: u64 = 1 << 20;

    fn boot(modules: &[Module], memory: &[MemoryRange]) -> Result<BootInfo, BootError> {
        BootInfo::from_tables(modules.iter().copied(), memory.iter().copied())
    }

    #[test]
    fn the_heap_ends_where_memory_ends() {
        let request = module(layout::REQUEST, 100);
        let info = boot(&[request], &[ram(0, 96 * MIB)]).unwrap();
        assert_eq!(info.heap(), layout::HEAP.start..96 * MIB);
    }

    #[test]
    fn the_heap_ends_at_a_request_above_it() {
        let request = module(95 * MIB + 1234, 100);
        let info = boot(&[request], &[ram(0, 96 * MIB)]).unwrap();
        assert_eq!(info.heap().end, 95 * MIB, "rounded down to a page");
    }

    #[test]
    fn only_memory_counts_and_only_where_the_heap_starts() {
        let reserved = MemoryRange { kind: 2, ..ram(0, 1 << 40) };
        let map = [reserved, ram(0, MIB), ram(MIB, 79 * MIB), ram(1 << 32, MIB), ram(0, 0)];
        let info = boot(&[module(layout::REQUEST, 1)], &map).unwrap();
        assert_eq!(info.heap().end, 80 * MIB);
    }

    #[test]
    fn memory_beyond_what_is_mapped_is_not_used() {
        let map = [ram(0, 1 << 40)];
        let info = boot(&[module(layout::REQUEST, 1)], &map).unwrap();
        assert_eq!(info.heap().end, layout::MAX_MEMORY_END);
    }

    #[test]
    fn nonsense_is_an_error() {
        let map = [ram(0, 96 * MIB)];
        let cases = [
            (boot(&[], &map), BootError::NoRequest),
            (boot(&[module(layout::REQUEST, 0)], &map), BootError::NoRequest),
            (boot(&[module(0, 8)], &map), BootError::Unreachable(0)),
            (
                boot(&[module(layout::TEXT.start, 8)], &map),
                BootError::Unreachable(layout::TEXT.start),
            ),
            (
                boot(&[module(layout::REQUEST, 8)], &[ram(0, 26 * MIB)]),
                BootError::MemoryTooSmall(26 * MIB),
            ),
        ];
        for (result, expected) in cases {
            assert_eq!(result.unwrap_err(), expected);
        }
    }
}
