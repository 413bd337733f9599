//! Text and JSON as qemu-img prints them.
//!
//! Callers parse both, so both are interfaces, held to qemu-img's byte for byte.
//! Nothing here knows what it prints.
//!
//! Reading order: [`value`] (a tree, in qemu's peculiar order), [`json`],
//! [`human`], [`size`], [`escape`].

pub mod escape;
pub mod human;
pub mod json;
pub mod size;
pub mod value;
