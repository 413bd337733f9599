//! What guest and host agree on.
//!
//! Everything that crosses the wall between the host (`vmm`) and the guest
//! (`kernel`) is defined here and nowhere else: where things lie in guest
//! memory, how the guest learns of them, what it is asked, and what it may
//! answer. The crate depends on no other crate of the workspace, holds no
//! `unsafe`, and does nothing: it is data.
//!
//! The two directions are trusted differently. The guest believes the host.
//! The host believes nothing: a guest that parses a hostile image may be
//! running the attacker's code, so every reply has a bound on each field
//! ([`text`]), on each message and on the whole stream ([`wire`]).
//!
//! Reading order: [`layout`] (guest-physical addresses), [`processor`] and
//! [`pvh`] (how the guest is started), [`port`], [`device`] (what is plugged in where),
//! [`holes`] and [`arrival`] (what can be asked of it), [`request`], [`reply`], [`source`]
//! (which image), [`info`], [`map`], [`convert`], [`compare`], [`measure`] and [`copy`]
//! (the vocabulary of operations), [`wire`] (bytes).

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod arrival;
pub mod compare;
pub mod convert;
pub mod copy;
pub mod device;
pub mod holes;
pub mod info;
pub mod layout;
pub mod map;
pub mod measure;
pub mod port;
pub mod processor;
pub mod pvh;
pub mod reply;
pub mod request;
pub mod source;
pub mod text;
pub mod wire;

/// The version of everything in this crate.
///
/// It leads every request; a guest that finds another version refuses to run.
/// The image is embedded in the host program, so the two differ only when
/// somebody pairs them by hand (`exuvia --guest-image`).
pub const VERSION: u32 = 3;
