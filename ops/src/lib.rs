//! The operations.
//!
//! An operation is what the user asked for, in terms of formats: it knows no
//! registers and no files, only a [`Session`]. Each is a module with one
//! function, and [`run`] picks it by the tag in the request. What an operation
//! says is in the words of `abi`, what it learns is in the words of `formats`;
//! this crate is where the two meet.
//!
//! Reading order: [`session`] (the world of an operation), [`open`] and [`cache`] (images),
//! [`info`]; then [`disk`] (a chain of images is a disk), [`transfer`] and [`engine`] (how
//! its bytes are moved), [`map`], [`convert`], [`compare`], [`measure`](mod@measure), [`copy`],
//! [`recreate`] (what comes before a copy into an image that is there).

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod cache;
pub mod compare;
pub mod convert;
pub mod copy;
pub mod disk;
pub mod engine;
pub mod info;
pub mod map;
pub mod measure;
pub mod open;
pub mod recreate;
pub mod session;
#[cfg(test)]
mod testing;
pub mod transfer;

use abi::request::Operation;

pub use formats::storage;
pub use session::{Error, Session};
pub use transfer::Transfers;

/// Carries out a request. The replies go to the session.
///
/// # Errors
///
/// What the host is to be told has gone wrong.
pub fn run<T: Transfers>(operation: &Operation, session: &T) -> Result<(), Error> {
    match operation {
        Operation::Info(request) => info::run(request, session),
        Operation::Map(request) => map::run(request, session),
        Operation::Convert(request) => convert::run(request, session),
        Operation::Compare(request) => compare::run(request, session),
        Operation::Examine(request) => recreate::examine(request, session),
        Operation::Create(request) => convert::create(request, session),
        Operation::Measure(request) => measure::run(request, session),
        Operation::Copy(request) => copy::run(request, session),
        Operation::SelfTest(_) => Err(Error::request("this image has no self-tests")),
    }
}
