//! The machines that a guest can run on.

use std::sync::LazyLock;

use vmm::backend::{Backend, Choice};

use crate::skip;
use crate::tool::is_installed;

/// A machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// Our own, under KVM.
    Kvm,
    /// QEMU's, translating instructions.
    Tcg,
}

impl Machine {
    /// What `--backend` calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }

    /// The machines that this host has. Says which it has not.
    ///
    /// # Panics
    ///
    /// If it has none.
    #[must_use]
    pub fn all() -> Vec<Self> {
        static ALL: LazyLock<Vec<Machine>> = LazyLock::new(|| {
            let mut machines = Vec::new();
            match vmm::kvm::Hypervisor::open() {
                Ok(_) => machines.push(Machine::Kvm),
                Err(error) => skip("every test on the machine kvm", &error.to_string()),
            }
            if is_installed("qemu-system-x86_64") {
                machines.push(Machine::Tcg);
            } else {
                skip("every test on the machine tcg", "qemu-system-x86_64 is not installed");
            }
            assert!(!machines.is_empty(), "neither KVM nor QEMU can be used here");
            machines
        });
        ALL.clone()
    }

    /// The machine, ready to run guests in this process.
    ///
    /// # Panics
    ///
    /// If this host does not have it.
    #[must_use]
    pub fn backend(self) -> Backend {
        let choice = match self {
            Self::Kvm => Choice::Kvm,
            Self::Tcg => Choice::Tcg,
        };
        Backend::select(choice).expect("the machine is there").0
    }
}
