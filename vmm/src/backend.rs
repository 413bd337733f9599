//! Which machine runs the guest.

use thiserror::Error;

use crate::kvm::{Hypervisor, KvmError};
use crate::qemu::{Accelerator, Qemu, QemuError};
use crate::run::{Job, Listener, Outcome, RunError};

/// What the user wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Choice {
    /// KVM if it can be used, else QEMU.
    #[default]
    Auto,
    /// Our own machine, under KVM.
    Kvm,
    /// QEMU, with KVM if it can be used.
    Qemu,
    /// QEMU, translating instructions.
    Tcg,
}

/// A machine that is there to be used.
#[derive(Debug)]
pub enum Backend {
    /// Our own, under KVM.
    Kvm(Hypervisor),
    /// QEMU's.
    Qemu(Qemu),
}

/// How much a guest may have written that QEMU writes at the pace that it is told, in bytes.
/// The guest says nothing meanwhile.
const UNDER_WAY: u64 = 64 << 20;

/// There is no machine to be had.
#[derive(Debug, Error)]
pub enum BackendError {
    /// KVM was asked for.
    #[error("{0}; load the kvm module and make /dev/kvm readable and writable for you")]
    Kvm(KvmError),
    /// QEMU was asked for.
    #[error("{0}; install the package qemu-system-x86")]
    Qemu(QemuError),
    /// Neither is there.
    #[error(
        "{kvm}, and {qemu}; either load the kvm module and make /dev/kvm readable and writable \
         for you, or install the package qemu-system-x86"
    )]
    Neither {
        /// What is wrong with KVM.
        kvm: KvmError,
        /// What is wrong with QEMU.
        qemu: QemuError,
    },
}

impl Backend {
    /// The machine that the user wants, and a remark if it is another than he
    /// might expect.
    ///
    /// # Errors
    ///
    /// If there is none; the error says what to do about it.
    pub fn select(choice: Choice) -> Result<(Self, Option<String>), BackendError> {
        let kvm = || Hypervisor::open().map(Self::Kvm);
        let qemu = |accelerator| Qemu::find(accelerator).map(Self::Qemu);
        match choice {
            Choice::Kvm => Ok((kvm().map_err(BackendError::Kvm)?, None)),
            Choice::Tcg => Ok((qemu(Accelerator::Tcg).map_err(BackendError::Qemu)?, None)),
            Choice::Qemu => {
                let accelerator = if kvm().is_ok() { Accelerator::Kvm } else { Accelerator::Tcg };
                Ok((qemu(accelerator).map_err(BackendError::Qemu)?, None))
            }
            Choice::Auto => match kvm() {
                Ok(backend) => Ok((backend, None)),
                Err(kvm) => match qemu(Accelerator::Tcg) {
                    Ok(backend) => Ok((backend, Some(format!("{kvm}: using QEMU")))),
                    Err(qemu) => Err(BackendError::Neither { kvm, qemu }),
                },
            },
        }
    }

    /// Carries out a job.
    ///
    /// # Errors
    ///
    /// If the job fails, the guest breaks down, or the machine does.
    pub fn run(&self, job: Job<'_>, listener: &mut dyn Listener) -> Result<Outcome, RunError> {
        match self {
            Self::Kvm(hypervisor) => hypervisor.run(job, listener),
            Self::Qemu(qemu) => {
                let mut job = job;
                for file in &mut job.files {
                    file.stand_in()
                        .map_err(|reason| RunError::StandIn { name: file.shown_name(), reason })?;
                    if let Some(pace) = file.output().and_then(|output| output.pace()) {
                        job.budget.time = job.budget.time.saturating_add(pace.time_for(UNDER_WAY));
                    }
                }
                qemu.run(job, listener)
            }
        }
    }
}
