//! Flags of our own: about the machine that an image is taken apart in, and what it gets
//! to see.

use std::path::PathBuf;
use std::time::Duration;

use abi::layout;
use abi::wire;

use super::Program;
use super::references::ReferenceArgs;
use crate::backend::{Backend, BackendError, Choice};
use crate::guest_image::{GuestImage, ImageError};
use crate::run::Budget;
use crate::timings::Timings;

/// Flags about the machine.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Options of exuvia")]
pub struct MachineArgs {
    /// Which machine takes the image apart: kvm is our own, qemu and tcg are
    /// QEMU's, with KVM if it can be used or without.
    #[arg(long, value_name = "MACHINE", env = "EXUVIA_BACKEND", default_value = "auto")]
    #[arg(hide_env_values = true)]
    pub backend: Choice,

    /// Run another build of the guest kernel than the one in this program.
    #[arg(long, value_name = "FILE")]
    pub guest_image: Option<PathBuf>,

    /// The memory of the machine, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 96)]
    #[arg(value_parser = clap::value_parser!(u64).range(MEMORY_MIB))]
    pub guest_memory: u64,

    /// Say on standard error where the time went.
    #[arg(long)]
    pub timings: bool,

    /// Stop the guest at its first instruction and wait for gdb at this socket;
    /// for the machines of QEMU.
    #[arg(long, value_name = "SOCKET", hide_short_help = true)]
    pub gdb: Option<PathBuf>,

    /// What the guest may ask for.
    #[command(flatten)]
    pub references: ReferenceArgs,
}

/// How much memory a machine can have, in MiB.
const MEMORY_MIB: std::ops::RangeInclusive<u64> =
    layout::MIN_MEMORY_END >> 20..=layout::MAX_MEMORY_END >> 20;

/// How long a guest may take that is being looked into.
const DEBUGGING_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// How long `info` may take: a hundred times what it does take on a slow
/// machine without KVM.
const INFO_TIME: Duration = Duration::from_secs(60);

/// How long a guest may be silent that has much to do: a hundred times what the dearest
/// piece of work takes on a slow machine without KVM.
const SILENCE: Duration = Duration::from_secs(300);

impl MachineArgs {
    /// The machine that the user wants.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn backend(&self, program: &Program) -> Result<Backend, BackendError> {
        let (mut backend, remark) = Backend::select(self.backend)?;
        if let (Backend::Qemu(qemu), Some(socket)) = (&mut backend, &self.gdb) {
            qemu.wait_for_gdb(socket);
        }
        if matches!(backend, Backend::Qemu(_)) {
            program.watch_for_interruption();
        }
        if let Some(remark) = remark {
            program.say(&remark);
        }
        Ok(backend)
    }

    /// The guest image to run.
    ///
    /// # Errors
    ///
    /// If the user names a file that is none.
    pub fn image(&self) -> Result<GuestImage, ImageError> {
        match &self.guest_image {
            Some(path) => GuestImage::from_file(path),
            None => GuestImage::embedded(),
        }
    }

    /// Where the guest's memory ends.
    #[must_use]
    pub fn memory_end(&self) -> u64 {
        self.guest_memory << 20
    }

    /// What a run of `info` may use.
    #[must_use]
    pub fn info_budget(&self) -> Budget {
        let time = if self.gdb.is_some() { DEBUGGING_TIME } else { INFO_TIME };
        Budget { time, is_renewed: false, replies: wire::MAX_STREAM }
    }

    /// What a run may use that takes as long as there is to do.
    #[must_use]
    pub fn long_budget(&self) -> Budget {
        Budget { time: SILENCE, is_renewed: true, replies: u64::MAX }
    }

    /// Says where the time went, if the user wants to know.
    pub fn say_timings(&self, program: &Program, timings: &Timings) {
        for (stage, duration) in timings.iter().filter(|_| self.timings) {
            program.say_plainly(&format!("{:>10.1} us  {stage}", duration.as_secs_f64() * 1e6));
        }
    }
}
