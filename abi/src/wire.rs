//! Messages as bytes.
//!
//! A value is encoded with postcard. A request starts with [`VERSION`], and a
//! reply with its length, because a console is a stream of bytes: both numbers
//! are 32 bits, little-endian.
//!
//! The host gets replies from a guest that may be hostile. Decoding never
//! recurses (no type refers to itself), never allocates more than the message
//! is long times a small constant, and these limits end a run that talks too
//! much.

use alloc::vec::Vec;

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::VERSION;
use crate::reply::Reply;
use crate::request::{Answer, Request};

/// The longest reply, in bytes, without its length. The longest that a sane
/// guest sends names a file or carries a message: a few kilobytes.
pub const MAX_MESSAGE: usize = 16 << 10;

/// The most bytes of replies in a run of `info`. An image with 65,535 snapshots,
/// each with the longest name, makes 27 MiB.
pub const MAX_STREAM: u64 = 64 << 20;

/// The length of the number in front of a message, in bytes.
pub const PREFIX: usize = 4;

/// A message that is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// The request is for another version of the guest.
    #[error("the request has version {found}, this guest has version {VERSION}")]
    Version {
        /// The version in the request.
        found: u32,
    },
    /// The bytes end too early, or they say what no value says.
    #[error("the message cannot be decoded")]
    Malformed,
    /// There are bytes behind the value.
    #[error("the message has {0} bytes too many")]
    Trailing(usize),
    /// The message is longer than it may be.
    #[error("the message has {length} bytes, at most {limit} are allowed")]
    TooLong {
        /// Its length in bytes.
        length: u64,
        /// The most it may have.
        limit: u64,
    },
}

/// Encodes a request.
///
/// # Errors
///
/// [`WireError::TooLong`] if it does not fit where the host puts it.
pub fn encode_request(request: &Request) -> Result<Vec<u8>, WireError> {
    let mut bytes = VERSION.to_le_bytes().to_vec();
    bytes.extend(encode(request)?);
    check_length(bytes.len(), crate::layout::REQUEST_MAX)?;
    Ok(bytes)
}

/// Decodes a request.
///
/// # Errors
///
/// If the version is another, or the rest is not a request.
pub fn decode_request(bytes: &[u8]) -> Result<Request, WireError> {
    let (version, rest) = bytes.split_first_chunk().ok_or(WireError::Malformed)?;
    match u32::from_le_bytes(*version) {
        VERSION => decode(rest),
        found => Err(WireError::Version { found }),
    }
}

/// Encodes a reply, with its length in front.
///
/// # Errors
///
/// [`WireError::TooLong`] beyond [`MAX_MESSAGE`].
pub fn encode_reply(reply: &Reply) -> Result<Vec<u8>, WireError> {
    with_length(reply)
}

/// Decodes a reply, without its length.
///
/// # Errors
///
/// If the bytes are not exactly one reply.
pub fn decode_reply(bytes: &[u8]) -> Result<Reply, WireError> {
    check_length(bytes.len(), MAX_MESSAGE as u64)?;
    decode(bytes)
}

/// Encodes the answer to a reference, with its length in front.
///
/// # Errors
///
/// [`WireError::TooLong`] beyond [`MAX_MESSAGE`].
pub fn encode_answer(answer: &Answer) -> Result<Vec<u8>, WireError> {
    with_length(answer)
}

/// Decodes the answer to a reference, with its length in front.
///
/// # Errors
///
/// If the bytes are not exactly one answer.
pub fn decode_answer(bytes: &[u8]) -> Result<Answer, WireError> {
    let (length, message) = bytes.split_first_chunk().ok_or(WireError::Malformed)?;
    if message_length(*length)? != message.len() {
        return Err(WireError::Malformed);
    }
    decode(message)
}

/// The length of a message from the number in front of it.
///
/// # Errors
///
/// [`WireError::TooLong`] beyond [`MAX_MESSAGE`].
pub fn message_length(prefix: [u8; PREFIX]) -> Result<usize, WireError> {
    let length = u32::from_le_bytes(prefix) as usize;
    check_length(length, MAX_MESSAGE as u64)?;
    Ok(length)
}

fn with_length<T: Serialize>(value: &T) -> Result<Vec<u8>, WireError> {
    let message = encode(value)?;
    check_length(message.len(), MAX_MESSAGE as u64)?;
    let length = u32::try_from(message.len()).map_err(|_| WireError::Malformed)?;
    let mut bytes = Vec::with_capacity(PREFIX + message.len());
    bytes.extend(length.to_le_bytes());
    bytes.extend(message);
    Ok(bytes)
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, WireError> {
    postcard::to_allocvec(value).map_err(|_| WireError::Malformed)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    let (value, rest) = postcard::take_from_bytes(bytes).map_err(|_| WireError::Malformed)?;
    if rest.is_empty() { Ok(value) } else { Err(WireError::Trailing(rest.len())) }
}

fn check_length(length: usize, limit: u64) -> Result<(), WireError> {
    let length = length as u64;
    if length <= limit { Ok(()) } else { Err(WireError::TooLong { length, limit }) }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::info;
    use crate::reply::{Marks, Reference, ReferenceRole};
    use crate::request::{Operation, References, SelfTest};
    use crate::text::Text;

    fn request() -> Request {
        Request {
            devices: vec![],
            references: References::Live,
            operation: Operation::SelfTest(SelfTest::Pass),
        }
    }

    #[test]
    fn a_request_survives_the_wire() {
        let bytes = encode_request(&request()).unwrap();
        assert_eq!(decode_request(&bytes), Ok(request()));
    }

    #[test]
    fn a_request_of_another_version_is_refused() {
        let mut bytes = encode_request(&request()).unwrap();
        bytes[0] ^= 0x80;
        assert_eq!(decode_request(&bytes), Err(WireError::Version { found: VERSION ^ 0x80 }));
    }

    #[test]
    fn replies_survive_the_wire() {
        let reference = Reference {
            from: 1,
            role: ReferenceRole::Backing,
            path: Text::truncated(b"base\xff.img"),
        };
        let snapshot = info::Snapshot {
            id: Text::from("1"),
            name: Text::truncated(&[0x1b; 300]),
            vm_state_size: u64::MAX,
            date_seconds: 1,
            date_nanoseconds: 2,
            vm_clock: 3,
            instruction_count: Some(4),
        };
        for reply in [
            Reply::Attach(reference),
            Reply::Info(info::Reply::Part(info::Part::Snapshot(snapshot))),
            Reply::Finished(Marks::default()),
        ] {
            let bytes = encode_reply(&reply).unwrap();
            let (length, message) = bytes.split_first_chunk().unwrap();
            assert_eq!(message_length(*length), Ok(message.len()));
            assert_eq!(decode_reply(message), Ok(reply));
        }
    }

    #[test]
    fn answers_survive_the_wire() {
        let answer = Answer::Refused("no".into());
        let bytes = encode_answer(&answer).unwrap();
        assert_eq!(decode_answer(&bytes), Ok(answer));
        assert_eq!(decode_answer(&bytes[..bytes.len() - 1]), Err(WireError::Malformed));
    }

    #[test]
    fn message_lengths_are_bounded_at_below_and_above() {
        let limit = u32::try_from(MAX_MESSAGE).unwrap();
        for length in [0, limit - 1, limit] {
            assert_eq!(message_length(length.to_le_bytes()), Ok(length as usize));
        }
        for length in [limit + 1, u32::MAX] {
            assert!(matches!(message_length(length.to_le_bytes()), Err(WireError::TooLong { .. })));
        }
    }

    #[test]
    fn bytes_behind_a_reply_are_an_error() {
        let bytes = encode_reply(&Reply::Finished(Marks::default())).unwrap();
        let mut message = bytes[PREFIX..].to_vec();
        message.push(0);
        assert_eq!(decode_reply(&message), Err(WireError::Trailing(1)));
    }

    #[test]
    fn every_truncation_of_a_reply_is_an_error() {
        let reply = Reply::Failed(crate::reply::Failure {
            device: Some(3),
            kind: crate::reply::FailureKind::Corrupt,
            is_bare: false,
            message: Text::from("L1 table is too large"),
        });
        let bytes = encode_reply(&reply).unwrap();
        for end in PREFIX..bytes.len() {
            assert!(decode_reply(&bytes[PREFIX..end]).is_err(), "cut at {end}");
        }
    }
}
