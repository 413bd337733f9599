//! The KVM backend: a VM of our own making.
//!
//! This thread makes the VM, then serves the guest's devices and listens to its
//! replies. Another makes the vCPU meanwhile and runs it. Outputs have a thread of their
//! own, and so has each further vCPU that the guest asks for.
//! There is no interrupt controller and no interrupt: guest and host poll the
//! rings while there is work, and ring a doorbell or ask to wait when there is
//! none.
//!
//! Reading order: `memory.rs` (what the guest sees), `cpuid.rs` and `vcpu.rs`
//! (how it starts and what its exits mean), `signals.rs` (how the two threads
//! wake each other), `service.rs` (devices and replies).

mod cpuid;
mod memory;
mod service;
mod signals;
mod vcpu;

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use abi::device::{Device, Kind, Wiring};
use abi::layout;
use abi::pvh::BootBlock;
use abi::request::{References, Request};
use abi::wire;
use kvm_bindings::KVM_API_VERSION;
use kvm_ioctls::{Kvm, VmFd};
use thiserror::Error;
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};
use vmm_sys_util::signal::{Killable, SIGRTMIN, register_signal_handler};
use zerocopy::IntoBytes;

use self::memory::Memory;
use self::service::Service;
use self::signals::Signals;
use self::vcpu::{Ended, Start, Vcpu};
use crate::devices::block;
use crate::devices::queue::FEATURES;
use crate::host_file::HostFile;
use crate::reasons::reason;
use crate::run::{CONSOLE_SLOT, End, FIRST_FILE_SLOT, Job, Listener, Outcome, RunError};
use crate::timings::{Moment, Timings};

/// The stack of the vCPU's thread, in bytes. It only sees to exits.
const VCPU_STACK: usize = 128 << 10;

/// KVM did not do what it should.
#[derive(Debug, Error)]
pub enum KvmError {
    /// It cannot be used at all.
    #[error("/dev/kvm cannot be used: {}", reason(&std::io::Error::from(*.0)))]
    Unusable(vmm_sys_util::errno::Error),
    /// It speaks another language.
    #[error("/dev/kvm cannot be used: its interface has version {0}, not {KVM_API_VERSION}")]
    Version(u32),
    /// A call failed.
    #[error("{call} failed: {}", reason(&std::io::Error::from(*.source)))]
    Ioctl {
        /// Which call.
        call: &'static str,
        /// Why.
        source: vmm_sys_util::errno::Error,
    },
    /// The guest's memory cannot be mapped.
    #[error("cannot map the guest's memory")]
    Mapping(#[source] vm_memory::mmap::MmapRegionError),
    /// There is no address space for it.
    #[error("the guest's memory is too large")]
    MemoryTooLarge,
    /// The processor cannot be described.
    #[error("the processor cannot be described to KVM")]
    Processor,
    /// The request cannot be encoded.
    #[error("cannot encode the request")]
    Request(#[from] wire::WireError),
    /// A thread or an event cannot be made.
    #[error("cannot {what}")]
    Host {
        /// What cannot be made.
        what: &'static str,
        /// Why not.
        source: std::io::Error,
    },
}

impl KvmError {
    fn ioctl(call: &'static str) -> impl FnOnce(vmm_sys_util::errno::Error) -> Self {
        move |source| Self::Ioctl { call, source }
    }

    fn host(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Host { what, source }
    }
}

/// KVM, in working order.
#[derive(Debug)]
pub struct Hypervisor {
    kvm: Kvm,
    /// The first VM, made to see whether one can be made, and how long it took.
    first: RefCell<Option<(VmFd, Duration)>>,
}

impl Hypervisor {
    /// Opens KVM.
    ///
    /// # Errors
    ///
    /// If there is none, or none that we may use and that makes a VM.
    pub fn open() -> Result<Self, KvmError> {
        let kvm = Kvm::new().map_err(KvmError::Unusable)?;
        match u32::try_from(kvm.get_api_version()) {
            Ok(KVM_API_VERSION) => {}
            Ok(other) => return Err(KvmError::Version(other)),
            Err(_) => return Err(KvmError::Unusable(vmm_sys_util::errno::Error::last())),
        }
        let hypervisor = Self { kvm, first: RefCell::new(None) };
        hypervisor.first.replace(Some(hypervisor.make_vm().map_err(KvmError::Unusable)?));
        Ok(hypervisor)
    }

    /// A VM, and how long it took to make.
    fn vm(&self) -> Result<(VmFd, Duration), KvmError> {
        let made = self.first.take().map_or_else(|| self.make_vm(), Ok);
        made.map_err(KvmError::ioctl("KVM_CREATE_VM"))
    }

    fn make_vm(&self) -> Result<(VmFd, Duration), vmm_sys_util::errno::Error> {
        let started = Moment::now();
        let vm = self.kvm.create_vm()?;
        Ok((vm, Moment::now() - started))
    }

    /// Carries out a job in a VM of its own.
    ///
    /// # Errors
    ///
    /// If the job fails, the guest breaks down, or KVM does.
    pub fn run(&self, job: Job<'_>, listener: &mut dyn Listener) -> Result<Outcome, RunError> {
        let (vm, making) = self.vm()?;
        run(vm, making, job, listener)
    }
}

/// Carries out a job in a VM that took so long to make.
fn run(
    vm: VmFd,
    making: Duration,
    job: Job<'_>,
    listener: &mut dyn Listener,
) -> Result<Outcome, RunError> {
    let created = Moment::now();
    let vm = Arc::new(vm);
    let event = || EventFd::new(EFD_NONBLOCK).map_err(KvmError::host("make an event"));
    let outputs = (FIRST_FILE_SLOT..).zip(&job.files).filter(|(_, file)| file.output().is_some());
    let outputs = outputs.fold(0, |bits: u128, (slot, _)| bits | 1 << slot);
    let (inputs, written) = (event()?, event()?);
    for pipe in job.files.iter().filter_map(HostFile::pipe) {
        pipe.wake(inputs.try_clone().map_err(KvmError::host("share an event"))?);
    }
    let signals = Arc::new(Signals::new(inputs, written, outputs));
    // The vCPU takes as long to make as the rest of the machine.
    let vcpu = VcpuThread::start(&vm, &signals, Start::First(job.image.entry()))?;

    let mut memory = Memory::new(job.memory_end, job.image)?;
    write_request(&mut memory, &job)?;
    add_slots(&vm, &memory)?;
    let mut workers = Workers { vm: &vm, signals: &signals, threads: Vec::new() };
    let service =
        Service::new(memory.devices(), &signals, job.files, job.budget, listener, &mut workers);
    let mut service = service.map_err(|error| RunError::Guest(error.into()))?;
    let ready = Moment::now();

    vcpu.enter();
    let served = service.run();
    let by_force = served.is_err() || service.workers_ended();
    let ended = vcpu.end(&signals, by_force)?;
    let ended = service.end_workers(ended)?;
    let left = Moment::now();

    let (marks, files) = service.finish(served, &ended)?;
    // The VM must go before its memory.
    drop(vm);
    drop(memory);
    let gone = Moment::now();

    let [entered, exited] = ended.moments;
    let mut timings = Timings::default();
    timings.add("create the VM", making);
    timings.add("load memory, make the vCPU", ready - created);
    timings.add("enter the guest", entered - ready);
    timings.add_guest(&marks, ended.moments);
    timings.add("take the reply", left - exited);
    timings.add("tear the VM down", gone - left);
    Ok(Outcome { files, timings })
}

/// Leaves boot information and the request where the guest looks for them.
fn write_request(memory: &mut Memory, job: &Job<'_>) -> Result<(), KvmError> {
    let wiring = Wiring::Ready { features: FEATURES };
    let console = Device { slot: CONSOLE_SLOT, kind: Kind::Console, wiring };
    let files = (FIRST_FILE_SLOT..).zip(&job.files);
    let ready = Wiring::Ready { features: block::FEATURES };
    let disks = files.map(|(slot, file)| file.as_device(slot, ready));
    let request = Request {
        devices: std::iter::once(console).chain(disks).collect(),
        references: References::Live,
        operation: job.operation.clone(),
    };
    let request = wire::encode_request(&request)?;
    let boot =
        BootBlock::new(layout::START_INFO, layout::REQUEST, request.len() as u64, job.memory_end);
    memory.write(layout::START_INFO, boot.as_bytes());
    memory.write(layout::REQUEST, &request);
    Ok(())
}

/// Shows the guest its memory.
#[expect(unsafe_code, reason = "gives memory to a guest")]
fn add_slots(vm: &VmFd, memory: &Memory) -> Result<(), KvmError> {
    for slot in memory.slots() {
        // SAFETY: the slot is a part of `memory` or of this program's constants,
        // and `run` drops the VM before the memory.
        let added = unsafe { vm.set_user_memory_region(*slot) };
        added.map_err(KvmError::ioctl("KVM_SET_USER_MEMORY_REGION"))?;
    }
    Ok(())
}

/// Further vCPUs, which the guest gets when it asks for them.
struct Workers<'run> {
    vm: &'run Arc<VmFd>,
    signals: &'run Arc<Signals>,
    threads: Vec<VcpuThread>,
}

impl Workers<'_> {
    /// Starts as many as the host has further processors, at an address that the guest
    /// chose. Says how many there are.
    fn start(&mut self, entry: u64) -> Result<u8, KvmError> {
        if self.threads.is_empty() {
            let processors = std::thread::available_parallelism().map_or(1, usize::from);
            let count = u8::try_from(processors - 1).unwrap_or(u8::MAX).min(layout::MAX_WORKERS);
            for number in 0..count {
                let start = Start::Worker(number, entry);
                let thread = VcpuThread::start(self.vm, self.signals, start)?;
                thread.enter();
                self.threads.push(thread);
            }
        }
        Ok(u8::try_from(self.threads.len()).unwrap_or(0))
    }

    /// Whether one has ended by itself, which ends the run.
    fn have_ended(&self) -> bool {
        self.threads.iter().any(|thread| thread.thread.is_finished())
    }

    /// Makes all end. If one had ended by itself, it is why the run did.
    fn end(&mut self, first: Ended) -> Result<Ended, KvmError> {
        let mut ended = first;
        for thread in self.threads.drain(..) {
            let worker = thread.end(self.signals, true)?;
            if worker.end != End::Stopped {
                ended = Ended { moments: ended.moments, ..worker };
            }
        }
        Ok(ended)
    }
}

/// The thread of a vCPU.
struct VcpuThread {
    thread: JoinHandle<Result<Ended, KvmError>>,
    enter: Sender<()>,
}

impl VcpuThread {
    /// Starts the thread. It makes the vCPU and waits.
    fn start(vm: &Arc<VmFd>, signals: &Arc<Signals>, start: Start) -> Result<Self, KvmError> {
        let (enter, entered) = channel();
        let (vm, signals) = (Arc::clone(vm), Arc::clone(signals));
        let body = move || {
            let result = Vcpu::new(vm, Arc::clone(&signals), start).and_then(|vcpu| {
                // If there is nothing to enter for, the machine was not finished.
                if entered.recv().is_err() {
                    return Ok(Ended::before_it_began());
                }
                vcpu.run()
            });
            signals.stop();
            result
        };
        let thread = std::thread::Builder::new().name("vcpu".into()).stack_size(VCPU_STACK);
        let thread = thread.spawn(body).map_err(KvmError::host("start the vCPU's thread"))?;
        Ok(Self { thread, enter })
    }

    /// Lets the vCPU enter the guest.
    fn enter(&self) {
        // If the thread has ended already, `end` says why.
        let _ = self.enter.send(());
    }

    /// Waits for the vCPU to end, or makes it end.
    fn end(self, signals: &Signals, by_force: bool) -> Result<Ended, KvmError> {
        if by_force {
            signals.stop();
            self.interrupt()?;
        }
        match self.thread.join() {
            Ok(ended) => ended,
            // Panics abort, so a thread that ends has returned.
            Err(_) => Err(KvmError::Processor),
        }
    }

    /// Gets the vCPU out of the guest. The signal can come in the moment before
    /// it enters, so it is repeated until the thread is gone.
    fn interrupt(&self) -> Result<(), KvmError> {
        extern "C" fn do_nothing(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {}

        register_signal_handler(SIGRTMIN(), do_nothing).map_err(KvmError::ioctl("sigaction"))?;
        while !self.thread.is_finished() {
            self.thread.kill(SIGRTMIN()).map_err(KvmError::ioctl("pthread_kill"))?;
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}
