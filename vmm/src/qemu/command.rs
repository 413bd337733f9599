//! QEMU's command line.
//!
//! QEMU gets open files, never names: the guest image, the request and every
//! drive are file descriptors that it inherits, so it needs no rights of its
//! own and its sandbox can be shut.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use command_fds::{CommandFdExt, FdMapping};
use rustix::fs::MemfdFlags;

use super::Qemu;
use crate::host_file::HostFile;
use crate::run::{CONSOLE_SLOT, FIRST_FILE_SLOT, Job};

/// How many virtio-mmio devices a microvm machine with a second interrupt
/// controller has.
pub const MAX_DEVICES: u8 = 24;

/// How QEMU runs the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// On the processor.
    Kvm,
    /// By translating them.
    Tcg,
}

/// The machine: no devices but those that are asked for. It has ACPI only because it has
/// no second interrupt controller without it, and so no more than 8 devices.
const MACHINE: &str = "microvm,acpi=on,pic=off,pit=off,rtc=off,ioapic2=on,x-option-roms=off";

/// The small and silent firmware, which such a machine has by itself without ACPI.
const FIRMWARE: &str = "qboot.rom";

/// What QEMU may do to the host: nothing that it does not need once it runs.
const SANDBOX: &str = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";

/// The most bytes in a second that QEMU counts.
const MAX_RATE: u64 = 1_000_000_000_000_000;

/// The first descriptor of those that QEMU inherits on top of the usual three.
const FIRST_DESCRIPTOR: i32 = 3;

/// What QEMU is handed besides the drives.
pub(super) struct Handover {
    image: OwnedFd,
    request: OwnedFd,
    console: OwnedFd,
    serial: UnixStream,
}

/// Our ends of what the guest talks into.
pub(super) struct HostEnds {
    /// A file that grows. It is no socket because QEMU drops what the guest
    /// writes to a console when its other end is full, and a file never is.
    pub(super) console: File,
    pub(super) serial: UnixStream,
}

/// Files with the guest image and a request in them, and both ends of what
/// comes back.
pub(super) fn hand_over(image: &[u8], request: &[u8]) -> io::Result<(Handover, HostEnds)> {
    let console = memory_file("console", &[])?;
    let (serial, guest_serial) = UnixStream::pair()?;
    let handover = Handover {
        image: memory_file("guest-image", image)?.into(),
        request: memory_file("request", request)?.into(),
        console: console.try_clone()?.into(),
        serial: guest_serial,
    };
    Ok((handover, HostEnds { console, serial }))
}

/// A file without a name, with these bytes in it.
fn memory_file(name: &str, bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file)
}

/// The arguments, and the descriptors that they speak of.
#[derive(Default)]
struct Arguments {
    words: Vec<String>,
    descriptors: Vec<FdMapping>,
}

impl Arguments {
    fn add<const N: usize>(&mut self, words: [&str; N]) {
        self.words.extend(words.map(str::to_owned));
    }

    /// Passes a descriptor on. Returns the number that QEMU knows it by.
    fn inherit(&mut self, file: impl Into<OwnedFd>) -> i32 {
        let next = i32::try_from(self.descriptors.len()).unwrap_or(i32::MAX);
        let child_fd = FIRST_DESCRIPTOR.saturating_add(next);
        self.descriptors.push(FdMapping { parent_fd: file.into(), child_fd });
        child_fd
    }

    /// A drive over a file that is open already. The lengths of files are not
    /// looked up again, and locks are ours to take.
    fn drive(&mut self, slot: u8, file: &HostFile) -> io::Result<()> {
        let descriptor = self.inherit(file.as_fd().try_clone_to_owned()?);
        let driver = if file.is_device() { "host_device" } else { "file" };
        let set = u32::from(slot);
        let switch = |on| if on { "on" } else { "off" };
        let read_only = switch(file.output().is_none());
        // QEMU looks for a descriptor that is open in this way.
        let direct = switch(file.is_direct());
        self.add(["-add-fd", &format!("fd={descriptor},set={set}")]);
        self.add([
            "-blockdev",
            &format!(
                "driver={driver},node-name=file{slot},filename=/dev/fdset/{set},\
                 read-only={read_only},locking=off,discard=unmap,\
                 cache.direct={direct}"
            ),
        ]);
        let mut node = format!("file{slot}");
        // What stands in for a pipe is written as fast as can be, and poured at its pace.
        let output = file.output().filter(|output| output.as_stream().is_none());
        if let Some(pace) = output.and_then(|output| output.pace()) {
            let rate = pace.rate().min(MAX_RATE);
            self.add(["-object", &format!("throttle-group,id=pace{slot},x-bps-write={rate}")]);
            let filter = format!("driver=throttle,node-name=paced{slot}");
            self.add(["-blockdev", &format!("{filter},throttle-group=pace{slot},file={node}")]);
            node = format!("paced{slot}");
        }
        // A disk that is full is an error like others: QEMU would stop, for somebody to
        // make room.
        let errors = if file.output().is_some() { ",werror=report" } else { "" };
        self.add([
            "-device",
            &format!("virtio-blk-device,drive={node},bus=virtio-mmio-bus.{slot}{errors}"),
        ]);
        Ok(())
    }
}

impl Qemu {
    /// The command for one run.
    pub(super) fn command(&self, job: &Job<'_>, handover: Handover) -> io::Result<Command> {
        let mut arguments = Arguments::default();
        let (accelerator, processor) = match self.accelerator {
            Accelerator::Kvm => ("kvm", "host"),
            // By default the translator maps 1 GiB for what it translates, which
            // callers that limit the address space do not give it.
            Accelerator::Tcg => ("tcg,tb-size=64", "max"),
        };
        arguments.add(["-M", MACHINE, "-bios", FIRMWARE, "-accel", accelerator, "-cpu", processor]);
        arguments.add(["-m", &format!("{}K", job.memory_end >> 10)]);
        arguments.add(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
        arguments.add(["-sandbox", SANDBOX]);
        arguments.add(["-global", "virtio-mmio.force-legacy=false"]);
        arguments.add(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x4"]);

        let image = arguments.inherit(handover.image);
        let request = arguments.inherit(handover.request);
        arguments.add(["-kernel", &format!("/dev/fd/{image}")]);
        arguments.add(["-initrd", &format!("/dev/fd/{request}")]);

        let serial = arguments.inherit(handover.serial);
        arguments.add(["-chardev", &format!("socket,id=serial,fd={serial}")]);
        arguments.add(["-serial", "chardev:serial"]);
        let console = arguments.inherit(handover.console);
        arguments.add(["-chardev", &format!("file,id=console,path=/dev/fd/{console}")]);
        let console_bus = format!("virtio-mmio-bus.{CONSOLE_SLOT}");
        arguments.add(["-device", &format!("virtio-serial-device,max_ports=1,bus={console_bus}")]);
        arguments.add(["-device", "virtconsole,chardev=console"]);
        for (slot, file) in (FIRST_FILE_SLOT..).zip(&job.files) {
            arguments.drive(slot, file)?;
        }

        if let Some(socket) = &self.gdb {
            let socket = socket.display();
            arguments.add(["-chardev", &format!("socket,id=gdb,path={socket},server=on,wait=off")]);
            arguments.add(["-gdb", "chardev:gdb", "-S"]);
        }

        let mut command = Command::new(&self.program);
        command
            .args(&arguments.words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .fd_mappings(arguments.descriptors)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(command)
    }
}
