//! What is written from the start to the end: a pipe, or standard output.
//!
//! There is no going back. What is left out are zeros, which have to be written here.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustix::event::{PollFd, PollFlags, poll};

use super::pace::Pace;

/// How much is written at a time where it is not guest memory, in bytes.
const PIECE: usize = 256 << 10;

/// Something that is written in order.
#[derive(Debug)]
pub struct Stream {
    to: File,
    /// How much was written, in bytes.
    position: Mutex<u64>,
    /// How fast it may be written.
    pace: OnceLock<Arc<Pace>>,
}

impl Stream {
    /// Writes to a file from where it is now on.
    #[must_use]
    pub fn new(to: File) -> Self {
        Self { to, position: Mutex::new(0), pace: OnceLock::new() }
    }

    /// Has zeros and what is poured written no faster than this.
    pub fn set_pace(&self, pace: &Arc<Pace>) {
        // There is one.
        let _ = self.pace.set(Arc::clone(pace));
    }

    /// Has `write` write the bytes from an offset up to an end, behind zeros for what was
    /// left out.
    ///
    /// # Errors
    ///
    /// If they cannot be written, or something behind the offset was written already.
    pub fn write(
        &self,
        offset: u64,
        end: u64,
        write: impl FnOnce(BorrowedFd<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut position = self.position.lock().unwrap_or_else(PoisonError::into_inner);
        if offset < *position {
            let message = format!("it needs seeking back to byte {offset}");
            return Err(io::Error::other(message));
        }
        let zeros = vec![0; PIECE.min(usize::try_from(offset - *position).unwrap_or(PIECE))];
        while *position < offset {
            let left = usize::try_from(offset - *position).unwrap_or(PIECE).min(PIECE);
            self.write_all(zeros.get(..left).unwrap_or_default())?;
            *position += left as u64;
        }
        write(self.to.as_fd())?;
        *position = end;
        Ok(())
    }

    /// Writes zeros up to an end, if it is not there already.
    ///
    /// # Errors
    ///
    /// If they cannot be written.
    pub fn fill(&self, end: u64) -> io::Result<()> {
        self.write(end, end, |_| Ok(()))
    }

    /// Writes the first bytes of a file.
    ///
    /// # Errors
    ///
    /// If they cannot be read or written.
    pub fn pour(&self, from: &File, length: u64) -> io::Result<()> {
        self.write(0, length, |_| {
            let mut buffer = vec![0; PIECE];
            let mut done = 0;
            while done < length {
                let left = usize::try_from(length - done).unwrap_or(PIECE).min(PIECE);
                let piece = buffer.get_mut(..left).unwrap_or_default();
                from.read_exact_at(piece, done)?;
                self.write_all(piece)?;
                done += left as u64;
            }
            Ok(())
        })
    }

    fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        if let Some(pace) = self.pace.get() {
            pace.wait_for(bytes.len() as u64);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            match rustix::io::write(&self.to, rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) => wait_for_room(self.to.as_fd(), error.into())?,
            }
        }
        Ok(())
    }
}

/// Waits until a file takes more, if that is why it did not: whoever shares it with us may
/// have it not wait by itself.
///
/// # Errors
///
/// The error, if it is another.
pub fn wait_for_room(file: BorrowedFd<'_>, error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::Interrupted => Ok(()),
        io::ErrorKind::WouldBlock => {
            // If the call is interrupted, the caller comes back.
            let _ = poll(&mut [PollFd::from_borrowed_fd(file, PollFlags::OUT)], None);
            Ok(())
        }
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    /// What comes out of a pipe that is written to so.
    fn written(write: impl FnOnce(&Stream) -> io::Result<()>) -> (io::Result<()>, Vec<u8>) {
        let (mut reader, writer) = io::pipe().unwrap();
        let stream = Stream::new(File::from(std::os::fd::OwnedFd::from(writer)));
        let reader = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).unwrap();
            bytes
        });
        let result = write(&stream);
        drop(stream);
        (result, reader.join().unwrap())
    }

    fn put(stream: &Stream, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = offset + bytes.len() as u64;
        stream.write(offset, end, |to| File::from(to.try_clone_to_owned()?).write_all(bytes))
    }

    #[test]
    fn what_is_left_out_is_zeros() {
        let (result, bytes) = written(|stream| {
            put(stream, 2, b"ab")?;
            put(stream, 4, b"c")?;
            put(stream, 1 << 20, b"d")?;
            stream.fill((1 << 20) + 3)
        });
        result.unwrap();
        let mut expected = vec![0; (1 << 20) + 3];
        expected[2..5].copy_from_slice(b"abc");
        expected[1 << 20] = b'd';
        assert_eq!(bytes, expected);
    }

    #[test]
    fn there_is_no_going_back() {
        let (result, bytes) = written(|stream| {
            put(stream, 0, b"abc")?;
            put(stream, 2, b"x")
        });
        let message = "it needs seeking back to byte 2";
        assert_eq!(result.unwrap_err().to_string(), message);
        assert_eq!(bytes, b"abc");
    }

    #[test]
    fn a_file_is_poured_out() {
        let mut file = super::super::spool::nameless_file().unwrap();
        let content: Vec<u8> = (0..=255).cycle().take(PIECE + 1000).collect();
        file.write_all(&content).unwrap();
        let (result, bytes) = written(|stream| stream.pour(&file, content.len() as u64 - 1));
        result.unwrap();
        assert_eq!(bytes, content[..content.len() - 1]);
    }
}
