//! One run of the guest: what goes in, what comes out, how it ends.
//!
//! A [`Job`] is carried out by a backend (`crate::kvm`, `crate::qemu`), which
//! passes what the guest says to a [`Listener`]. Nothing here knows what an
//! operation is about.

use std::fmt;
use std::time::Duration;

use abi::port::ExitCode;
use abi::reply::{Failure, NewFile, Reference, Reply};
use abi::request::Operation;
use abi::wire;
use thiserror::Error;

use crate::devices::DeviceError;
use crate::guest_image::{GuestImage, ImageError};
use crate::host_file::HostFile;
use crate::kvm::KvmError;
use crate::qemu::QemuError;
use crate::timings::Timings;

/// The slot of the console. Files come behind it.
pub const CONSOLE_SLOT: u8 = 0;

/// The slot of the first file.
pub const FIRST_FILE_SLOT: u8 = 1;

/// Something for the guest to do.
#[derive(Debug)]
pub struct Job<'a> {
    /// The image to run.
    pub image: &'a GuestImage,
    /// What to do.
    pub operation: Operation,
    /// The files, in the order of their slots.
    pub files: Vec<HostFile>,
    /// Where the guest's memory ends.
    pub memory_end: u64,
    /// What the guest may use.
    pub budget: Budget,
}

/// What a guest may use before it is stopped.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Time, from the first instruction.
    pub time: Duration,
    /// Whether every sign of life gives it that time anew.
    pub is_renewed: bool,
    /// Bytes of replies.
    pub replies: u64,
}

/// Whoever takes what the guest says.
pub trait Listener {
    /// Takes a reply. [`Reply::Attach`], [`Reply::Failed`] and
    /// [`Reply::Finished`] do not come here.
    fn reply(&mut self, reply: Reply);

    /// Opens a file that the image in `from` refers to, or says why not.
    ///
    /// # Errors
    ///
    /// The reason, in words that do not depend on what exists outside the
    /// folders that references may lead to.
    fn open(&mut self, reference: &Reference, from: &HostFile) -> Result<HostFile, String>;

    /// Makes a further file of the image that gets made, or says why not. It goes into a
    /// slot.
    ///
    /// # Errors
    ///
    /// The reason, in words for the user.
    fn create(&mut self, file: &NewFile, slot: u8) -> Result<HostFile, String> {
        let _ = (file, slot);
        Err("no image is being made".to_owned())
    }
}

/// A run that came to its end.
#[derive(Debug)]
pub struct Outcome {
    /// The files, by slot, those that were attached behind those that were given.
    pub files: Vec<HostFile>,
    /// Where the time went.
    pub timings: Timings,
}

impl Outcome {
    /// The file in a slot.
    #[must_use]
    pub fn file(&self, slot: u8) -> Option<&HostFile> {
        file_in_slot(&self.files, slot)
    }
}

/// The slot behind those of so many files.
#[must_use]
pub fn slot_behind(files: usize) -> u8 {
    FIRST_FILE_SLOT.saturating_add(u8::try_from(files).unwrap_or(u8::MAX))
}

/// The file in a slot.
#[must_use]
pub fn file_in_slot(files: &[HostFile], slot: u8) -> Option<&HostFile> {
    files.get(usize::from(slot.checked_sub(FIRST_FILE_SLOT)?))
}

/// A run that failed.
#[derive(Debug, Error)]
pub enum RunError {
    /// The guest could not do what it was asked.
    #[error("{}", failure.message.as_bytes().escape_ascii())]
    Failed {
        /// What it says about it.
        failure: Box<Failure>,
        /// The files, to tell which one it is about.
        files: Vec<HostFile>,
    },
    /// What is read or written in order cannot be had as a file.
    #[error("{name}: {reason}")]
    StandIn {
        /// What it is called, fit for a terminal.
        name: String,
        /// Why not.
        reason: String,
    },
    /// The guest broke down.
    #[error("the guest broke down: {0}")]
    Guest(GuestError),
    /// The guest image is no good.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// KVM did not do what it should.
    #[error(transparent)]
    Kvm(#[from] KvmError),
    /// QEMU did not do what it should.
    #[error(transparent)]
    Qemu(#[from] QemuError),
}

/// How a guest can break down.
#[derive(Debug, Error)]
pub enum GuestError {
    /// It ended before it had said how.
    #[error("{end}{serial}")]
    Ended {
        /// How it ended.
        end: End,
        /// What it said on the serial port.
        serial: SerialLog,
    },
    /// It broke the rules of a device.
    #[error("{0}")]
    Device(#[from] DeviceError),
    /// What it said is no reply.
    #[error("{0}")]
    Reply(#[from] wire::WireError),
    /// It said too much.
    #[error("its replies exceed {0} bytes")]
    TooManyReplies(u64),
    /// The host could not serve it.
    #[error("the host cannot wait for it: {0}")]
    Host(#[source] std::io::Error),
    /// It took too long.
    #[error("it was not done after {} seconds", .0.as_secs())]
    TimedOut(Duration),
}

/// How a guest ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// By the exit port.
    Exit(ExitCode),
    /// By the exit port, with a code that means nothing.
    UnknownExit,
    /// It was stopped.
    Stopped,
    /// It accessed an address where nothing is.
    StrayAccess(u64),
    /// It halted for ever.
    Halted,
    /// It lost control.
    TripleFault,
    /// It said more on the serial port than a report has.
    TooTalkative,
    /// The processor stopped for a reason that no good guest gives.
    Unexpected(String),
}

impl fmt::Display for End {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(ExitCode::Finished) => formatter.write_str("it ended without a result"),
            Self::Exit(ExitCode::Panicked | ExitCode::Faulted) => Ok(()),
            Self::Exit(ExitCode::DoubleFaulted) => {
                formatter.write_str("it faulted and could not report it")
            }
            Self::UnknownExit => formatter.write_str("it ended with an unknown code"),
            Self::Stopped => formatter.write_str("it was stopped"),
            Self::StrayAccess(address) => write!(formatter, "it accessed nothing at {address:#x}"),
            Self::Halted => formatter.write_str("it halted"),
            Self::TripleFault => formatter.write_str("it lost control of the processor"),
            Self::TooTalkative => formatter.write_str("it said too much on the serial port"),
            Self::Unexpected(exit) => write!(formatter, "unexpected exit {exit}"),
        }
    }
}

/// What a guest said on the serial port: a report of a failure, if anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SerialLog(Vec<u8>);

/// The guest said more than a report has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl SerialLog {
    /// The most bytes that are kept. A report has a few hundred.
    pub const LIMIT: usize = 8 << 10;

    /// Adds what the guest says.
    ///
    /// # Errors
    ///
    /// [`TooLong`] beyond the limit.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        let room = Self::LIMIT.saturating_sub(self.0.len());
        self.0.extend(bytes.iter().take(room));
        if bytes.len() <= room { Ok(()) } else { Err(TooLong) }
    }
}

/// The report on one line, behind whatever is in front of it. The guest may be
/// hostile, so nothing of it reaches a terminal as it is.
impl fmt::Display for SerialLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.trim_ascii();
        write!(formatter, "{}", text.escape_ascii())
    }
}

/// Puts the guest's output together again and takes it apart into replies.
#[derive(Debug)]
pub struct ReplyStream {
    pending: Vec<u8>,
    /// How much of that has been taken, in bytes.
    taken: usize,
    total: u64,
    limit: u64,
}

impl ReplyStream {
    /// A stream of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self { pending: Vec::new(), taken: 0, total: 0, limit }
    }

    /// Adds output.
    ///
    /// # Errors
    ///
    /// If the guest exceeds its limit.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), GuestError> {
        self.total = self.total.saturating_add(bytes.len() as u64);
        if self.total > self.limit {
            return Err(GuestError::TooManyReplies(self.limit));
        }
        self.pending.drain(..self.taken);
        self.taken = 0;
        self.pending.extend_from_slice(bytes);
        Ok(())
    }

    /// Takes the next reply, if it is there in whole.
    ///
    /// # Errors
    ///
    /// If the output is no reply.
    pub fn next_reply(&mut self) -> Result<Option<Reply>, GuestError> {
        let pending = self.pending.get(self.taken..).unwrap_or_default();
        let Some((prefix, rest)) = pending.split_first_chunk() else {
            return Ok(None);
        };
        let length = wire::message_length(*prefix)?;
        let Some(message) = rest.get(..length) else {
            return Ok(None);
        };
        let reply = wire::decode_reply(message)?;
        self.taken += wire::PREFIX + length;
        Ok(Some(reply))
    }
}

#[cfg(test)]
mod tests {
    use abi::reply::Marks;

    use super::*;

    fn finished() -> Vec<u8> {
        wire::encode_reply(&Reply::Finished(Marks::default())).unwrap()
    }

    #[test]
    fn replies_come_out_however_the_bytes_come_in() {
        let bytes = [finished(), finished()].concat();
        for piece in 1..bytes.len() {
            let mut stream = ReplyStream::new(1000);
            let mut replies = 0;
            for bytes in bytes.chunks(piece) {
                stream.push(bytes).unwrap();
                while stream.next_reply().unwrap().is_some() {
                    replies += 1;
                }
            }
            assert_eq!(replies, 2, "in pieces of {piece}");
        }
    }

    #[test]
    fn the_stream_is_bounded_at_below_and_above() {
        let bytes = finished();
        let length = bytes.len() as u64;
        for (limit, good) in [(length + 1, true), (length, true), (length - 1, false)] {
            assert_eq!(ReplyStream::new(limit).push(&bytes).is_ok(), good);
        }
    }

    #[test]
    fn a_message_that_is_too_long_is_an_error_before_it_arrives() {
        let mut stream = ReplyStream::new(u64::MAX);
        stream.push(&u32::MAX.to_le_bytes()).unwrap();
        assert!(matches!(stream.next_reply(), Err(GuestError::Reply(_))));
    }

    #[test]
    fn a_serial_report_is_escaped_and_bounded() {
        let mut log = SerialLog::default();
        log.push(b"guest panic: \x1b[2J\n").unwrap();
        assert_eq!(log.to_string(), r"guest panic: \x1b[2J");
        assert_eq!(log.push(&[b'x'; SerialLog::LIMIT]), Err(TooLong));
        assert_eq!(log.0.len(), SerialLog::LIMIT);
    }
}
