//! The operations.
//!
//! An operation is what the user asked for, in terms of formats: it knows no
//! registers and no files, only a [`Session`]. Each is a module with one
//! function, and [`run`] picks it by the tag in the request. What an operation
//! says is in the words of `abi`, what it learns is in the words of `formats`;
//! this crate is where the two meet.
//!
//! Reading order: [`session`] (the world of an operation), [`cache`], [`info`].

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod cache;
pub mod info;
pub mod session;
#[cfg(test)]
mod testing;

use abi::request::Operation;

pub use formats::storage;
pub use session::{Error, Session};

/// Carries out a request. The replies go to the session.
///
/// # Errors
///
/// What the host is to be told has gone wrong.
pub fn run(operation: &Operation, session: &dyn Session) -> Result<(), Error> {
    match operation {
        Operation::Info(request) => info::run(request, session),
        Operation::SelfTest(_) => Err(Error::request("this image has no self-tests")),
    }
}
