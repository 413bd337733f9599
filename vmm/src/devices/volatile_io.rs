//! Reads from files straight into guest memory.
#![expect(unsafe_code, reason = "passes guest memory to the kernel")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use vm_memory::VolatileSlice;

/// Fills guest memory from a file at an offset.
///
/// # Errors
///
/// If the file ends before that, or cannot be read.
pub fn read_exact_at(
    file: BorrowedFd<'_>,
    target: &VolatileSlice<'_>,
    offset: u64,
) -> io::Result<()> {
    let guard = target.ptr_guard_mut();
    let mut done = 0;
    while done < target.len() {
        let position = libc::off_t::try_from(offset + done as u64)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        let place = guard.as_ptr().wrapping_add(done).cast();
        // SAFETY: the slice is guest memory, mapped for as long as the guard
        // lives, and what the kernel writes stays inside of it. The guest may
        // write there at the same time, but no reference to it exists.
        let count = unsafe { libc::pread(file.as_raw_fd(), place, target.len() - done, position) };
        match usize::try_from(count) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => done += count,
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
    }
    Ok(())
}
