//! What qemu asks of a file besides its length: who else uses it, and how the
//! file system lays it out.
#![expect(unsafe_code, reason = "calls fcntl and ioctl")]

use std::os::fd::{AsRawFd, BorrowedFd};

/// Where qemu keeps the locks that say what a process does to an image: a byte
/// for each permission, from here on.
const PERMISSION_LOCKS: libc::off_t = 100;

/// The permissions that a reader cannot share, and qemu's names for them.
const UNSHARED: [(libc::off_t, &str); 2] = [(1, "write"), (3, "resize")];

/// What another process does to a file that a reader should not be exposed to,
/// in qemu's words.
#[must_use]
pub fn conflict(file: BorrowedFd<'_>) -> Option<&'static str> {
    UNSHARED.into_iter().find_map(|(permission, name)| {
        is_locked(file, PERMISSION_LOCKS + permission).then_some(name)
    })
}

/// Whether another process holds a lock on a byte. A file system without locks
/// has none.
fn is_locked(file: BorrowedFd<'_>, byte: libc::off_t) -> bool {
    let mut lock = libc::flock {
        l_type: lock_kind(libc::F_WRLCK),
        l_whence: lock_kind(libc::SEEK_SET),
        l_start: byte,
        l_len: 1,
        l_pid: 0,
    };
    // SAFETY: the call reads and writes `lock`, which is ours.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) };
    result == 0 && lock.l_type != lock_kind(libc::F_UNLCK)
}

/// The constants of `flock` are declared wider than its fields.
fn lock_kind(constant: libc::c_int) -> libc::c_short {
    libc::c_short::try_from(constant).unwrap_or(0)
}

/// `struct fsxattr` of `linux/fs.h`.
#[derive(Default)]
#[repr(C)]
struct ExtendedAttributes {
    flags: u32,
    extent_size: u32,
    extents: u32,
    project: u32,
    copy_on_write_extent_size: u32,
    padding: [u8; 8],
}

/// `FS_IOC_FSGETXATTR` of `linux/fs.h`: `_IOR('X', 31, struct fsxattr)`.
const GET_EXTENDED_ATTRIBUTES: libc::c_ulong = 0x801c_581f;

/// The size in which the file system is asked to allocate, in bytes, if it is.
#[must_use]
pub fn extent_size_hint(file: BorrowedFd<'_>) -> Option<u32> {
    let mut attributes = ExtendedAttributes::default();
    // SAFETY: the call writes `attributes`, which is ours and has the layout
    // that it expects.
    let result =
        unsafe { libc::ioctl(file.as_raw_fd(), GET_EXTENDED_ATTRIBUTES, &raw mut attributes) };
    (result == 0 && attributes.extent_size != 0).then_some(attributes.extent_size)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn the_locks_of_a_writer_are_seen_by_others_only() {
        let path = std::env::temp_dir().join(format!("exuvia-{}-locks", std::process::id()));
        let writer = File::create(&path).unwrap();
        let reader = File::open(&path).unwrap();
        assert_eq!(conflict(reader.as_fd()), None);
        for (permission, name) in UNSHARED {
            let mut lock = libc::flock {
                l_type: lock_kind(libc::F_WRLCK),
                l_whence: lock_kind(libc::SEEK_SET),
                l_start: PERMISSION_LOCKS + permission,
                l_len: 1,
                l_pid: 0,
            };
            let mut lock_as = |kind| {
                lock.l_type = lock_kind(kind);
                // SAFETY: the call reads `lock`, which is ours.
                unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) }
            };
            assert_eq!(lock_as(libc::F_WRLCK), 0);
            assert_eq!(conflict(reader.as_fd()), Some(name));
            assert_eq!(conflict(writer.as_fd()), None, "its own lock is no conflict");
            assert_eq!(lock_as(libc::F_UNLCK), 0);
        }
        std::fs::remove_file(path).unwrap();
    }
}
