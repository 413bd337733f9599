//! Deflate (RFC 1951), bare or in the wrapper of zlib (RFC 1950).
//!
//! Compressing is made of three parts: a matcher finds what was there before, codes are
//! made for what it found, and blocks are written in them. The window is a parameter,
//! since qcow2 has one of 4 KiB: a reader need not keep more, so no match may lie
//! further back.
//!
//! Reading order: [`inflate`], then [`compress`] (all of it together), [`matcher`],
//! [`token`] (what it finds), [`huffman`](super::huffman) (codes), [`block`] (how they are written).

mod bits;
mod block;
mod compress;
mod inflate;
mod matcher;
mod token;

pub(super) use compress::Deflate;
pub(super) use inflate::Inflate;

/// What is around a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrapper {
    /// Nothing.
    None,
    /// A header of two bytes, and a checksum at the end.
    Zlib,
}

#[cfg(test)]
mod tests;
