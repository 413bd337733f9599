//! What comes back from QEMU: replies on the console, reports on the serial
//! port, complaints on standard error.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::process::ChildStderr;
use std::time::{Duration, Instant};

use abi::reply::Reply;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::command::HostEnds;
use crate::run::{Budget, End, GuestError, ReplyStream, SerialLog};

/// The most bytes that are read at a time.
const PIECE: usize = 64 << 10;

/// The most bytes of QEMU's complaints that are kept.
const COMPLAINT_LIMIT: usize = 4 << 10;

/// How often the console is looked at while nothing else happens. A file cannot
/// say that it has grown.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// One conversation with a guest in QEMU.
pub(super) struct Conversation {
    console: File,
    /// How much of the console has been read, in bytes.
    position: u64,
    /// What QEMU holds open until it ends.
    serial: Option<UnixStream>,
    errors: Option<ChildStderr>,
    replies: ReplyStream,
    said: Said,
}

/// What was said besides replies.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// By the guest, on the serial port.
    pub(super) serial: SerialLog,
    /// By QEMU, on standard error.
    pub(super) complaint: Vec<u8>,
}

impl Conversation {
    /// A conversation over these ends, with so many bytes of replies at most.
    pub(super) fn new(ends: HostEnds, errors: Option<ChildStderr>, limit: u64) -> Self {
        Self {
            console: ends.console,
            position: 0,
            serial: Some(ends.serial),
            errors,
            replies: ReplyStream::new(limit),
            said: Said::default(),
        }
    }

    /// Listens until QEMU has ended. Says whether it did in time.
    pub(super) fn run(
        &mut self,
        budget: Budget,
        hear: &mut dyn FnMut(Reply),
    ) -> Result<bool, GuestError> {
        let mut buffer = vec![0; PIECE];
        let mut talks = false;
        let mut deadline = Instant::now() + budget.time;
        while self.serial.is_some() || self.errors.is_some() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let pause = if talks { Duration::ZERO } else { left.min(LOOK_EVERY) };
            let [serial, errors] = self.wait(pause);
            if serial {
                self.read_serial(&mut buffer)?;
            }
            if errors {
                self.read_errors(&mut buffer);
            }
            talks = self.read_console(&mut buffer, hear)?;
            if talks && budget.is_renewed {
                deadline = Instant::now() + budget.time;
            }
        }
        // It has ended, so there is an end to what it said.
        while self.read_console(&mut buffer, hear)? {}
        Ok(true)
    }

    /// What was said besides replies.
    pub(super) fn said(self) -> Said {
        self.said
    }

    /// Waits until the serial port or standard error has something, or ends.
    fn wait(&self, longest: Duration) -> [bool; 2] {
        let serial = self.serial.as_ref().map(AsFd::as_fd);
        let errors = self.errors.as_ref().map(AsFd::as_fd);
        let mut polled: Vec<_> = [serial, errors]
            .into_iter()
            .flatten()
            .map(|file| PollFd::from_borrowed_fd(file, PollFlags::IN))
            .collect();
        let timeout = Timespec::try_from(longest).ok();
        // If the call is interrupted, nothing is ready, and the caller comes back.
        let count = poll(&mut polled, timeout.as_ref()).unwrap_or(0);
        let mut ready = polled.iter().map(|file| count > 0 && !file.revents().is_empty());
        [serial, errors].map(|file| file.is_some() && ready.next().unwrap_or(false))
    }

    fn read_serial(&mut self, buffer: &mut [u8]) -> Result<(), GuestError> {
        let bytes = read(self.serial.as_mut(), buffer);
        if bytes.is_empty() {
            self.serial = None;
        }
        if self.said.serial.push(bytes).is_err() {
            let serial = self.said.serial.clone();
            return Err(GuestError::Ended { end: End::TooTalkative, serial });
        }
        Ok(())
    }

    fn read_errors(&mut self, buffer: &mut [u8]) {
        let bytes = read(self.errors.as_mut(), buffer);
        if bytes.is_empty() {
            self.errors = None;
        }
        let room = COMPLAINT_LIMIT.saturating_sub(self.said.complaint.len());
        self.said.complaint.extend(bytes.iter().take(room));
    }

    /// Takes the next piece of what the guest has said. Says whether there was one.
    fn read_console(
        &mut self,
        buffer: &mut [u8],
        hear: &mut dyn FnMut(Reply),
    ) -> Result<bool, GuestError> {
        let count = self.console.read_at(buffer, self.position).map_err(GuestError::Host)?;
        let bytes = buffer.get(..count).unwrap_or_default();
        self.position += bytes.len() as u64;
        self.replies.push(bytes)?;
        while let Some(reply) = self.replies.next_reply()? {
            hear(reply);
        }
        Ok(count > 0)
    }
}

/// What a source has to say now. Nothing means that it has ended: QEMU may go
/// down with a socket in disorder, which counts as the same.
fn read<'buffer>(source: Option<&mut impl Read>, buffer: &'buffer mut [u8]) -> &'buffer [u8] {
    let count = source.and_then(|source| source.read(buffer).ok()).unwrap_or(0);
    buffer.get(..count).unwrap_or_default()
}
