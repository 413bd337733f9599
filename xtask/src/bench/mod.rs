//! `cargo xtask bench`: figures, not verdicts.
//!
//! Absolute times depend on the machine and on its mood, so both programs run in turn in one
//! run, and what counts is the ratio.
//!
//! Reading order: this file (what can be measured), [`process`] and [`spread`] (a time),
//! [`start`] (a run with nothing to do), then runs with much to do: [`content`] (what is on
//! the disks), [`place`] (images, made as they are needed), [`pairs`] (two programs in turn),
//! [`work`] (the work of the first table), [`sizes`] and [`chains`] (the other two).

mod chains;
mod content;
mod pairs;
mod place;
mod process;
mod sizes;
mod spread;
mod start;
mod work;

use anyhow::Result;

use crate::{build, setup};

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The whole process: exuvia info over qemu-img info, on a small qcow2.
    Info(start::Args),
    /// From the VM's creation to the first reply, and the image's size.
    Boot(start::Args),
    /// Work that moves data, exuvia over qemu-img: time, memory, and what was aimed at.
    ///
    /// Three tables: every conversion and comparison there is, of 1 GiB; the same work with
    /// 1, 4 and 16 GiB, which should take as long for each; and a chain of 32 images over one
    /// with the same disk. All images are made for this, always with the same content, in
    /// /dev/shm, and are gone afterwards. It takes a quarter of an hour.
    Convert(work::Args),
}

/// Measures.
pub(crate) fn run(arguments: &Args) -> Result<()> {
    setup::for_tests()?;
    let exuvia = build::exuvia()?;
    match &arguments.what {
        What::Info(arguments) => start::info(arguments, &exuvia),
        What::Boot(arguments) => start::boot(arguments, &exuvia),
        What::Convert(arguments) => work::run(arguments, &exuvia),
    }
}
