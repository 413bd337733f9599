//! Reads from files straight into guest memory, and writes straight from it.
#![expect(unsafe_code, reason = "passes guest memory to the kernel")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use vm_memory::VolatileSlice;

use crate::host_file::stream::wait_for_room;

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
    move_all(target.len(), offset, io::ErrorKind::UnexpectedEof, |done, position| {
        let place = guard.as_ptr().wrapping_add(done).cast();
        // SAFETY: the slice is guest memory, mapped for as long as the guard
        // lives, and what the kernel writes stays inside of it. The guest may
        // write there at the same time, but no reference to it exists.
        unsafe { libc::pread(file.as_raw_fd(), place, target.len() - done, position) }
    })
}

/// Writes guest memory to a file at an offset.
///
/// # Errors
///
/// If it cannot be written.
pub fn write_all_at(
    file: BorrowedFd<'_>,
    source: &VolatileSlice<'_>,
    offset: u64,
) -> io::Result<()> {
    let guard = source.ptr_guard();
    move_all(source.len(), offset, io::ErrorKind::WriteZero, |done, position| {
        let place = guard.as_ptr().wrapping_add(done).cast();
        // SAFETY: the slice is guest memory, mapped for as long as the guard
        // lives, and the kernel reads no more than it. The guest may write there
        // at the same time, so that anything may be written, but no reference to
        // it exists.
        unsafe { libc::pwrite(file.as_raw_fd(), place, source.len() - done, position) }
    })
}

/// Writes guest memory to a file from where that is now on.
///
/// # Errors
///
/// If it cannot be written.
pub fn write_all(file: BorrowedFd<'_>, source: &VolatileSlice<'_>) -> io::Result<()> {
    let guard = source.ptr_guard();
    let mut done = 0;
    while done < source.len() {
        let place = guard.as_ptr().wrapping_add(done).cast();
        // SAFETY: as for `write_all_at`.
        let count = unsafe { libc::write(file.as_raw_fd(), place, source.len() - done) };
        match usize::try_from(count) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => done += count,
            Err(_) => wait_for_room(file, io::Error::last_os_error())?,
        }
    }
    Ok(())
}

/// Calls `step` with what is done and where to go on in the file, until all is done.
fn move_all(
    length: usize,
    offset: u64,
    end: io::ErrorKind,
    mut step: impl FnMut(usize, libc::off_t) -> libc::ssize_t,
) -> io::Result<()> {
    let mut done = 0;
    while done < length {
        let position = libc::off_t::try_from(offset + done as u64)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        match usize::try_from(step(done, position)) {
            Ok(0) => return Err(end.into()),
            Ok(count) => done += count,
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
    }
    Ok(())
}
