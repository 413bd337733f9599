//! `info`: what the guest says about images, and how it is printed.
//!
//! The guest describes; the host adds what only it knows (file names, lengths,
//! room on disk) and prints. Nothing here looks at a byte of an image.
//!
//! Reading order: [`collect`] (replies become descriptions), [`node`]
//! (descriptions become the tree that qemu-img prints), [`details`] (what only
//! one format has), [`text`] and [`snapshots`] (for people).

pub mod collect;
pub mod details;
pub mod node;
pub mod snapshots;
pub mod text;

pub use self::collect::Collector;
pub use self::node::Node;
