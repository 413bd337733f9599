//! The host: a virtual machine monitor that moves bytes and enforces policy,
//! and the `exuvia` command on top of it.
//!
//! **The host never interprets a byte of an image.** This crate depends on
//! neither `formats` nor `ops`, and a test holds that: what it knows of an image
//! is what the guest replies, and the guest is not believed. It opens files,
//! shows them to the guest as block devices, and prints.
//!
//! Unsafe code is confined to the modules that say so at their top: guest
//! memory, what is mapped into it, and a few system calls.
//!
//! Reading order: [`cli`] (from arguments to a [`run::Job`]), [`run`] (what goes
//! into a run and what comes out), [`backend`] (which machine runs it), [`kvm`]
//! with [`devices`] (ours), [`qemu`] (theirs), [`host_file`] and [`references`]
//! (which files a guest may see), [`info`], [`picture`] and [`output`] (what is printed).

pub mod backend;
pub mod cli;
pub mod creation;
pub mod devices;
pub mod file_name;
pub mod guest_image;
pub mod host_file;
pub mod image_name;
pub mod info;
pub mod interruption;
pub mod kvm;
pub mod output;
pub mod picture;
pub mod progress;
pub mod qemu;
pub mod reasons;
pub mod references;
pub mod run;
pub mod target_file;
pub mod timings;
