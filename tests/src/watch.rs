//! Watching who opens a file, by the kernel's own account (inotify).

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use rustix::io::Errno;

/// A watch on some files.
#[derive(Debug)]
pub struct Watch(OwnedFd);

impl Watch {
    /// Watches these files from now on.
    ///
    /// # Panics
    ///
    /// If one of them cannot be watched.
    #[must_use]
    pub fn files(files: &[&Path]) -> Self {
        let watch = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC);
        let watch = watch.expect("files can be watched");
        for file in files {
            inotify::add_watch(&watch, *file, WatchFlags::OPEN).expect("a file can be watched");
        }
        Self(watch)
    }

    /// How often they were opened since the last look.
    ///
    /// # Panics
    ///
    /// If the kernel does not say.
    #[must_use]
    pub fn opened(&self) -> usize {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.0, &mut buffer);
        let mut count = 0;
        loop {
            match reader.next() {
                Ok(_) => count += 1,
                Err(Errno::AGAIN) => return count,
                Err(error) => panic!("events cannot be read: {error}"),
            }
        }
    }
}
