//! Files without a name, for what has no place to lie in.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// Where large files lie for a while if the user does not say: unlike `/tmp` it is on disk
/// everywhere.
const FOLDER: &str = "/var/tmp";

/// A file without a name, in the folder that `TMPDIR` says. It is gone with the program,
/// however that ends.
///
/// # Errors
///
/// If none can be made there; the error says where.
pub fn nameless_file() -> io::Result<File> {
    let folder = std::env::var_os("TMPDIR").filter(|folder| !folder.is_empty());
    let folder = folder.map_or_else(|| PathBuf::from(FOLDER), PathBuf::from);
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    if let Ok(file) = options.custom_flags(libc::O_TMPFILE).open(&folder) {
        return Ok(file);
    }
    // A file system that cannot do that; it may also be that nothing can be made there, and
    // then this says why.
    let name = folder.join(format!(".exuvia.{}.spool", std::process::id()));
    let file = options.create_new(true).custom_flags(0).open(&name).map_err(|error| {
        let folder = folder.display();
        let reason = crate::reasons::reason(&error);
        io::Error::new(error.kind(), format!("no temporary file in {folder} (TMPDIR): {reason}"))
    })?;
    std::fs::remove_file(name)?;
    Ok(file)
}

/// Opens an open file once more, for reading.
///
/// # Errors
///
/// If it cannot be opened.
pub fn open_again(file: BorrowedFd<'_>) -> io::Result<File> {
    File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}
