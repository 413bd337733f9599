//! The vCPU: a thread that runs the guest and sees to its exits.

use std::sync::Arc;

use abi::layout::{self, DEVICE_STRIDE, DEVICES, FIRST_DEVICE};
use abi::port::{self, ExitCode};
use abi::processor;
use kvm_bindings::{kvm_dtable, kvm_regs, kvm_segment, kvm_sregs, kvm_xcrs};
use kvm_ioctls::{IoEventAddress, NoDatamatch, SyncReg, VcpuExit, VcpuFd, VmFd};

use super::KvmError;
use super::cpuid::Processor;
use super::signals::Signals;
use crate::run::{End, SerialLog};
use crate::timings::Moment;

/// The doorbell's place among a device's registers (virtio 1.2, section 4.2.2).
const QUEUE_NOTIFY: u64 = 0x50;

/// How many doorbells a device may ring before KVM is asked to turn them into
/// events without an exit.
///
/// An event costs 40 µs less than an exit on the hosts where exits are dear,
/// but a VM that has had one takes 13 ms longer to tear down: the kernel waits
/// for every processor to have noticed. So a device has to ring a few hundred
/// times before it is worth it; the few rings of `info` are not.
const RINGS_BEFORE_EVENT: u32 = 300;

/// The line status register of the 16550, and what it says: ready to send.
const SERIAL_LINE_STATUS: u16 = port::SERIAL + 5;
const SERIAL_READY: u8 = 0x60;

/// A vCPU that is ready to run.
pub(super) struct Vcpu {
    vcpu: VcpuFd,
    vm: Arc<VmFd>,
    signals: Arc<Signals>,
    serial: SerialLog,
    /// How often each device has rung its doorbell by an exit.
    rings: Vec<u32>,
    /// How far the I/O thread had come when the guest last waited.
    seen_batches: u64,
}

/// How a vCPU's run ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// How.
    pub(super) end: End,
    /// What the guest said on the serial port.
    pub(super) serial: SerialLog,
    /// When the guest was entered, and when it was left.
    pub(super) moments: [Moment; 2],
}

impl Ended {
    /// The end of a vCPU that was never entered.
    pub(super) fn before_it_began() -> Self {
        let now = Moment::now();
        Self { end: End::Stopped, serial: SerialLog::default(), moments: [now, now] }
    }
}

/// Where a vCPU starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// The first one, at the image's entry point, in ring 0.
    First(u64),
    /// A worker with this number, where the guest says, in ring 3.
    Worker(u8, u64),
}

impl Vcpu {
    /// Makes a vCPU.
    pub(super) fn new(
        vm: Arc<VmFd>,
        signals: Arc<Signals>,
        start: Start,
    ) -> Result<Self, KvmError> {
        let number = match start {
            Start::First(_) => 0,
            Start::Worker(number, _) => u64::from(number) + 1,
        };
        let mut vcpu = vm.create_vcpu(number).map_err(KvmError::ioctl("KVM_CREATE_VCPU"))?;
        let processor = Processor::detect().ok_or(KvmError::Processor)?;
        vcpu.set_cpuid2(&processor.leaves).map_err(KvmError::ioctl("KVM_SET_CPUID2"))?;
        if let Some(xcr0) = processor.xcr0 {
            let mut registers = kvm_xcrs { nr_xcrs: 1, ..kvm_xcrs::default() };
            registers.xcrs[0].value = xcr0;
            vcpu.set_xcrs(&registers).map_err(KvmError::ioctl("KVM_SET_XCRS"))?;
        }
        // The registers travel in memory that is shared with KVM: it takes them
        // over when it enters the guest, which saves a call for each set.
        let registers = vcpu.sync_regs_mut();
        registers.sregs = system_registers(processor.cr4);
        // Bit 1 is always set; interrupts are off.
        registers.regs = kvm_regs { rflags: 2, ..kvm_regs::default() };
        match start {
            Start::First(entry) => {
                registers.regs.rip = entry;
                registers.regs.rdi = layout::START_INFO;
            }
            Start::Worker(number, entry) => {
                enter_ring_3(&mut registers.sregs);
                registers.regs.rip = entry;
                registers.regs.rdi = u64::from(number);
                // A function expects its stack as after a call.
                registers.regs.rsp = layout::worker_stack(number).end - 8;
            }
        }
        vcpu.set_sync_dirty_reg(SyncReg::Register);
        vcpu.set_sync_dirty_reg(SyncReg::SystemRegister);
        Ok(Self {
            vcpu,
            vm,
            signals,
            serial: SerialLog::default(),
            rings: vec![0; usize::from(layout::MAX_DEVICES)],
            seen_batches: 0,
        })
    }

    /// Runs the guest to its end.
    pub(super) fn run(mut self) -> Result<Ended, KvmError> {
        let entered = Moment::now();
        let end = loop {
            if self.signals.stopped() {
                break End::Stopped;
            }
            if let Some(end) = self.step()? {
                break end;
            }
        };
        Ok(Ended { end, serial: self.serial, moments: [entered, Moment::now()] })
    }

    /// Runs the guest to its next exit.
    fn step(&mut self) -> Result<Option<End>, KvmError> {
        let exit = match self.vcpu.run() {
            Ok(exit) => exit,
            // Somebody wants us to look around.
            Err(error) if error.errno() == libc::EINTR => return Ok(None),
            Err(error) => return Err(KvmError::ioctl("KVM_RUN")(error)),
        };
        match exit {
            VcpuExit::IoOut(port::EXIT, data) => {
                let code = data.try_into().map(u32::from_le_bytes).ok();
                let code = code.and_then(ExitCode::from_bits);
                return Ok(Some(code.map_or(End::UnknownExit, End::Exit)));
            }
            VcpuExit::IoOut(port::WAIT, _) => {
                self.signals.wait_for_batch(&mut self.seen_batches);
            }
            VcpuExit::IoOut(port::WAKE, _) => self.signals.finished_batch(),
            VcpuExit::IoOut(port::SERIAL, data) => {
                if self.serial.push(data).is_err() {
                    return Ok(Some(End::TooTalkative));
                }
            }
            VcpuExit::IoIn(SERIAL_LINE_STATUS, data) => data.fill(SERIAL_READY),
            // The other registers of the 16550 take anything and read as zero.
            VcpuExit::IoOut(port, _) if is_serial(port) => {}
            VcpuExit::IoIn(port, data) if is_serial(port) => data.fill(0),
            VcpuExit::MmioWrite(address, _) => match doorbell(address) {
                Some(slot) => {
                    self.signals.kick_io(self.signals.side(slot));
                    self.count_ring(slot, address)?;
                }
                None => return Ok(Some(End::StrayAccess(address))),
            },
            VcpuExit::MmioRead(address, _) => return Ok(Some(End::StrayAccess(address))),
            VcpuExit::Hlt => return Ok(Some(End::Halted)),
            VcpuExit::Shutdown => return Ok(Some(End::TripleFault)),
            VcpuExit::Intr => {}
            other => return Ok(Some(End::Unexpected(format!("{other:?}")))),
        }
        Ok(None)
    }

    /// Counts an exit for a doorbell, and makes it the last one of its kind if
    /// there have been enough.
    fn count_ring(&mut self, slot: usize, address: u64) -> Result<(), KvmError> {
        let Some(rings) = self.rings.get_mut(slot) else {
            return Ok(());
        };
        *rings += 1;
        if *rings == RINGS_BEFORE_EVENT {
            let address = IoEventAddress::Mmio(address);
            self.vm
                .register_ioevent(self.signals.kick(self.signals.side(slot)), &address, NoDatamatch)
                .map_err(KvmError::ioctl("KVM_IOEVENTFD"))?;
        }
        Ok(())
    }
}

/// The slot whose doorbell lies at an address.
fn doorbell(address: u64) -> Option<usize> {
    let offset = address.checked_sub(FIRST_DEVICE)?;
    let slot = usize::try_from(offset / DEVICE_STRIDE).ok()?;
    let is_doorbell = offset % DEVICE_STRIDE == QUEUE_NOTIFY && address < DEVICES.end;
    (is_doorbell && slot < usize::from(layout::MAX_DEVICES)).then_some(slot)
}

fn is_serial(port: u16) -> bool {
    (port::SERIAL..port::SERIAL + port::SERIAL_PORTS).contains(&port)
}

/// The state that `abi::processor` describes.
fn system_registers(cr4: u64) -> kvm_sregs {
    // A flat segment of ring 0; `type_` 11 is code, 3 is data, both accessed.
    let segment = |selector, type_, long: bool| kvm_segment {
        base: 0,
        limit: u32::MAX,
        selector,
        type_,
        present: 1,
        dpl: 0,
        db: u8::from(!long),
        s: 1,
        l: u8::from(long),
        g: 1,
        ..kvm_segment::default()
    };
    let data = segment(0x10, 3, false);
    // KVM wants a task register even before the guest loads one. Type 11 is a
    // busy 64-bit task state segment.
    let task = kvm_segment { type_: 11, present: 1, limit: 0x67, ..kvm_segment::default() };
    kvm_sregs {
        cs: segment(0x08, 11, true),
        ds: data,
        es: data,
        fs: data,
        gs: data,
        ss: data,
        tr: task,
        cr0: processor::CR0,
        cr3: layout::PAGE_TABLES,
        cr4,
        efer: processor::EFER,
        // What the register holds after a reset: there is no APIC to configure.
        apic_base: 0xfee0_0900,
        ..kvm_sregs::default()
    }
}

/// The same state as the image's stub leaves when it goes to ring 3.
fn enter_ring_3(registers: &mut kvm_sregs) {
    let user =
        |segment: kvm_segment, selector| kvm_segment { selector: selector | 3, dpl: 3, ..segment };
    registers.cs = user(registers.cs, processor::USER_CODE);
    for segment in [
        &mut registers.ds,
        &mut registers.es,
        &mut registers.fs,
        &mut registers.gs,
        &mut registers.ss,
    ] {
        *segment = user(*segment, processor::USER_DATA);
    }
    registers.gdt = table(layout::DESCRIPTORS, layout::DESCRIPTORS_SIZE);
    registers.idt = table(layout::INTERRUPTS, layout::INTERRUPTS_SIZE);
    registers.tr.base = layout::TASK_STATE;
    registers.tr.limit = u32::try_from(layout::TASK_STATE_SIZE - 1).unwrap_or(0);
    registers.tr.selector = processor::TASK_SEGMENT;
}

fn table(base: u64, size: u64) -> kvm_dtable {
    let limit = u16::try_from(size - 1).unwrap_or(0);
    kvm_dtable { base, limit, ..kvm_dtable::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doorbells_are_told_from_other_addresses() {
        for (address, expected) in [
            (layout::device_registers(0) + 0x50, Some(0)),
            (layout::device_registers(79) + 0x50, Some(79)),
            (layout::device_registers(80) + 0x50, None),
            (layout::device_registers(0), None),
            (layout::device_registers(0) + 0x54, None),
            (FIRST_DEVICE - DEVICE_STRIDE + 0x50, None),
            (0, None),
            (u64::MAX, None),
        ] {
            assert_eq!(doorbell(address), expected, "{address:#x}");
        }
    }
}
