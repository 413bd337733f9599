//! What an operation sees of the world.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};

use abi::reply::{Failure, FailureKind, NewFile, Reference, Reply};
use abi::text::Text;
use formats::storage::Storage;

/// The world of an operation: the files that it was given, somebody to reply
/// to, and somebody to ask for more files.
pub trait Session {
    /// The file that is plugged into a slot.
    fn storage(&self, slot: u8) -> Option<Rc<dyn Storage>>;

    /// Sends a reply.
    ///
    /// # Errors
    ///
    /// If nobody takes it.
    fn reply(&self, reply: Reply) -> Result<(), Error>;

    /// Asks for a file that an image refers to. Returns the slot that it is
    /// plugged into.
    ///
    /// # Errors
    ///
    /// [`Attach::Refused`] if it may not or cannot be opened.
    fn attach(&self, reference: Reference) -> Result<u8, Attach>;

    /// Makes room in a file that is going to be written to: up to this length in bytes.
    ///
    /// # Errors
    ///
    /// If there is no room, or the host starts over to make some.
    fn reserve(&self, slot: u8, length: u64) -> Result<(), Error>;

    /// Makes a further file of an image that gets made. Returns the slot that it is plugged
    /// into.
    ///
    /// # Errors
    ///
    /// If it cannot be made, or the host starts over to make it.
    fn create_file(&self, file: NewFile) -> Result<u8, Error>;

    /// The room that a file takes on its file system, in bytes.
    fn room(&self, slot: u8) -> u64;

    /// Whether a file has data at an offset, or a hole, and how far that goes.
    ///
    /// # Errors
    ///
    /// If the slot has no file, or the host does not answer.
    fn allocation(&self, slot: u8, offset: u64) -> Result<Allocation, Error>;
}

/// What a file has at some place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// Whether it is a hole, which reads as zeros.
    pub is_hole: bool,
    /// How far that goes, in bytes, never zero.
    pub length: u64,
}

/// Why a referenced file is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attach {
    /// The host does not open it.
    Refused(String),
    /// The host will start over with the file plugged in: end this run.
    StartOver,
    /// The host did not answer.
    Broken(Error),
}

/// Why an operation ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// It failed.
    Failed {
        /// The slot of the file to blame.
        device: Option<u8>,
        /// What kind of failure it is.
        kind: FailureKind,
        /// Whether the reason is no more than the system's word for it.
        is_bare: bool,
        /// The reason, for people.
        message: String,
    },
    /// The host starts over: there is nothing to report.
    StartOver,
}

impl Error {
    /// A failure that is about one file.
    #[must_use]
    pub fn about(device: u8, kind: FailureKind, message: String) -> Self {
        Self::Failed { device: Some(device), kind, is_bare: false, message }
    }

    /// A failure that is about the request.
    #[must_use]
    pub fn request(message: &str) -> Self {
        let message = message.to_string();
        Self::Failed { device: None, kind: FailureKind::Request, is_bare: false, message }
    }

    /// The same failure, without a file to blame.
    #[must_use]
    pub fn without_device(self) -> Self {
        match self {
            Self::Failed { kind, is_bare, message, .. } => {
                Self::Failed { device: None, kind, is_bare, message }
            }
            Self::StartOver => Self::StartOver,
        }
    }

    /// The slot has no file.
    #[must_use]
    pub fn empty_slot(slot: u8) -> Self {
        Self::request(&format!("slot {slot} has no file"))
    }

    /// What to tell the host, if anything.
    #[must_use]
    pub fn to_reply(&self) -> Option<Reply> {
        match self {
            Self::Failed { device, kind, is_bare, message } => Some(Reply::Failed(Failure {
                device: *device,
                kind: *kind,
                is_bare: *is_bare,
                message: Text::truncated(message.as_bytes()),
            })),
            Self::StartOver => None,
        }
    }
}
