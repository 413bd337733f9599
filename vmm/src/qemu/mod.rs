//! The QEMU backend: the same image under `qemu-system-x86_64 -M microvm`.
//!
//! For hosts without KVM, and for testing the image on a machine that is not of
//! our making. QEMU's devices are negotiated through their registers, and no
//! file can be plugged in while it runs: when an image refers to another file,
//! the run is repeated with one drive more.
//!
//! Reading order: [`command`] (the command line), `stream.rs` (what comes back).

pub mod command;
mod stream;

use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};

use abi::device::{Device, Kind, Wiring};
use abi::port::ExitCode;
use abi::reply::{Length, Marks, NewFile, Preallocate, Reference, Reply};
use abi::request::{Answer, References, Request};
use abi::wire;
use thiserror::Error;

pub use self::command::Accelerator;
use self::command::{MAX_DEVICES, hand_over};
use self::stream::{Conversation, Said};
use crate::host_file::HostFile;
use crate::interruption::{self, Undoing};
use crate::output::escape::for_terminal;
use crate::run::{
    CONSOLE_SLOT, End, FIRST_FILE_SLOT, GuestError, Job, Listener, Outcome, RunError, SerialLog,
    file_in_slot, slot_behind,
};
use crate::timings::{Moment, Timings};

/// QEMU did not do what it should.
#[derive(Debug, Error)]
pub enum QemuError {
    /// It is not installed.
    #[error("no qemu-system-x86_64 in PATH")]
    NotInstalled,
    /// It cannot be started or talked to.
    #[error("cannot {what}")]
    Host {
        /// What cannot be done.
        what: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// The request cannot be encoded.
    #[error("cannot encode the request")]
    Request(#[from] wire::WireError),
    /// It ended by itself.
    #[error("QEMU ended by itself ({status}): {}", .message.trim_ascii().escape_ascii())]
    Ended {
        /// Its exit status.
        status: ExitStatus,
        /// What it said about it.
        message: Vec<u8>,
    },
}

impl QemuError {
    fn host(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Host { what, source }
    }
}

/// A QEMU that is there to be used.
#[derive(Clone, Debug)]
pub struct Qemu {
    program: PathBuf,
    accelerator: Accelerator,
    /// Where gdb will knock, if the guest is to wait for it.
    gdb: Option<PathBuf>,
}

/// How one attempt at a run came out.
enum Attempt {
    /// The guest did what it was asked.
    Finished(Marks),
    /// It needs another file.
    Wants(Reference),
    /// It needs room in a file.
    Reserves(Length),
    /// It needs a further file of the image that gets made.
    Creates(NewFile),
}

impl Qemu {
    /// The program's name.
    pub const PROGRAM: &'static str = "qemu-system-x86_64";

    /// The QEMU in `PATH`.
    ///
    /// # Errors
    ///
    /// [`QemuError::NotInstalled`] if there is none.
    pub fn find(accelerator: Accelerator) -> Result<Self, QemuError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program = std::env::split_paths(&path)
            .map(|folder| folder.join(Self::PROGRAM))
            .find(|program| program.is_file())
            .ok_or(QemuError::NotInstalled)?;
        Ok(Self { program, accelerator, gdb: None })
    }

    /// Has guests wait for gdb at a socket.
    pub fn wait_for_gdb(&mut self, socket: &Path) {
        self.gdb = Some(socket.to_owned());
    }

    /// Carries out a job in a machine of its own, or in several one after the
    /// other.
    ///
    /// # Errors
    ///
    /// If the job fails, the guest breaks down, or QEMU does.
    pub fn run(&self, job: Job<'_>, listener: &mut dyn Listener) -> Result<Outcome, RunError> {
        let started = Moment::now();
        let mut job = job;
        let mut answers = Vec::new();
        // A repeated run says everything again that has been heard already.
        let mut heard = 0;
        loop {
            let entered = Moment::now();
            let request = request(&job, &answers);
            let attempt = self.attempt(&mut job, &request, listener, &mut heard)?;
            let left = Moment::now();
            match attempt {
                Attempt::Finished(marks) => {
                    let mut timings = Timings::default();
                    timings.add("earlier attempts", entered - started);
                    timings.add_guest(&marks, [entered, left]);
                    return Ok(Outcome { files: job.files, timings });
                }
                Attempt::Wants(reference) => {
                    answers.push(attach(&mut job.files, &reference, listener));
                }
                Attempt::Creates(file) => answers.push(create(&mut job.files, &file, listener)?),
                Attempt::Reserves(length) => answers.push(reserve(&job.files, length)?),
            }
        }
    }

    /// Runs the guest once.
    fn attempt(
        &self,
        job: &mut Job<'_>,
        request: &Request,
        listener: &mut dyn Listener,
        heard: &mut u64,
    ) -> Result<Attempt, RunError> {
        let request = wire::encode_request(request).map_err(QemuError::from)?;
        let (handover, ends) = hand_over(job.image.bytes(), &request)
            .map_err(QemuError::host("make files for QEMU"))?;
        let mut command =
            self.command(job, handover).map_err(QemuError::host("hand files to QEMU"))?;
        let child = command.spawn().map_err(QemuError::host("start QEMU"))?;
        let mut child = Reaped { undoing: interruption::undo_process(&child), child };
        // The child has its ends of the sockets now; ours must be the only ones
        // left, so that they end when it does.
        drop(command);
        let mut conversation =
            Conversation::new(ends, child.child.stderr.take(), job.budget.replies);
        let mut last = None;
        let mut position = 0;
        let (mut lengths, mut preallocations) = (Vec::new(), Vec::new());
        let heard_out = conversation.run(job.budget, &mut |reply| match reply {
            Reply::Finished(_)
            | Reply::Failed(_)
            | Reply::Attach(_)
            | Reply::Reserve(_)
            | Reply::CreateFile(_) => last = Some(reply),
            Reply::SetLength(length) => lengths.push(length),
            Reply::Preallocate(preallocate) => preallocations.push(preallocate),
            reply => {
                position += 1;
                if position > *heard {
                    *heard = position;
                    listener.reply(reply);
                }
            }
        });
        match heard_out {
            Ok(true) => {}
            Ok(false) => return Err(RunError::Guest(GuestError::TimedOut(job.budget.time))),
            Err(error) => return Err(RunError::Guest(error)),
        }
        let status = child.child.wait().map_err(QemuError::host("wait for QEMU"))?;
        let Said { serial, complaint } = conversation.said();
        match (last, end(status)) {
            (Some(Reply::Finished(marks)), Some(End::Exit(ExitCode::Finished))) => {
                for Length { slot, length } in lengths {
                    let output = file_in_slot(&job.files, slot).and_then(HostFile::output);
                    output.into_iter().for_each(|output| output.set_final_length(length));
                }
                for Preallocate { slot, how } in preallocations {
                    let output = file_in_slot(&job.files, slot).and_then(HostFile::output);
                    output.into_iter().for_each(|output| output.set_preallocation(how));
                }
                Ok(Attempt::Finished(marks))
            }
            (Some(Reply::Reserve(length)), Some(End::Exit(ExitCode::Finished))) => {
                Ok(Attempt::Reserves(length))
            }
            (Some(Reply::CreateFile(file)), Some(End::Exit(ExitCode::Finished))) => {
                Ok(Attempt::Creates(file))
            }
            (Some(Reply::Attach(reference)), Some(End::Exit(ExitCode::Finished))) => {
                Ok(Attempt::Wants(reference))
            }
            (Some(Reply::Failed(failure)), Some(End::Exit(ExitCode::Finished))) => {
                let files = std::mem::take(&mut job.files);
                Err(RunError::Failed { failure: Box::new(failure), files })
            }
            (_, Some(end)) => Err(broken(end, serial)),
            (_, None) => Err(QemuError::Ended { status, message: complaint }.into()),
        }
    }
}

fn broken(end: End, serial: SerialLog) -> RunError {
    RunError::Guest(GuestError::Ended { end, serial })
}

/// Kills QEMU if it is still there when nobody is interested any more.
struct Reaped {
    child: Child,
    /// The same if the program is interrupted.
    undoing: Option<Undoing>,
}

impl Drop for Reaped {
    fn drop(&mut self) {
        // Both fail if it has ended and been waited for, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
        drop(self.undoing.take());
    }
}

/// The request for a run in which these references have been answered.
fn request(job: &Job<'_>, answers: &[Answer]) -> Request {
    let console = Device { slot: CONSOLE_SLOT, kind: Kind::Console, wiring: Wiring::Registers };
    let files = (FIRST_FILE_SLOT..).zip(&job.files);
    let disks = files.map(|(slot, file)| file.as_device(slot, Wiring::Registers));
    Request {
        devices: std::iter::once(console).chain(disks).collect(),
        references: References::Replayed(answers.to_vec()),
        operation: job.operation.clone(),
    }
}

/// Adds a file that an image refers to, if it may be opened.
fn attach(files: &mut Vec<HostFile>, reference: &Reference, listener: &mut dyn Listener) -> Answer {
    let Some(from) = file_in_slot(files, reference.from) else {
        return Answer::Refused("no such file refers to another".into());
    };
    let Some(slot) = next_slot(files) else {
        let shown = for_terminal(reference.path.as_bytes());
        let limit = MAX_DEVICES - FIRST_FILE_SLOT;
        return Answer::Refused(format!(
            "Could not open '{shown}': QEMU's machine takes no more than {limit} files"
        ));
    };
    match listener.open(reference, from) {
        Ok(file) => plug(files, slot, file),
        Err(reason) => Answer::Refused(reason),
    }
}

/// Adds a further file of the image that gets made, if it may be made.
fn create(
    files: &mut Vec<HostFile>,
    new: &NewFile,
    listener: &mut dyn Listener,
) -> Result<Answer, QemuError> {
    if file_in_slot(files, new.of).and_then(HostFile::output).is_none() {
        return Ok(Answer::Refused("no such image gets made".into()));
    }
    let Some(slot) = next_slot(files) else {
        let most = MAX_DEVICES - FIRST_FILE_SLOT;
        return Ok(Answer::Refused(format!("it has more files than {most}")));
    };
    match listener.create(new, slot) {
        Ok(file) => {
            make_room(&file, new.length)?;
            Ok(plug(files, slot, file))
        }
        Err(reason) => Ok(Answer::Refused(reason)),
    }
}

/// The next slot that is free, if there is one.
fn next_slot(files: &[HostFile]) -> Option<u8> {
    Some(slot_behind(files.len())).filter(|slot| *slot < MAX_DEVICES)
}

/// Has a file plugged into a slot in the next run.
fn plug(files: &mut Vec<HostFile>, slot: u8, file: HostFile) -> Answer {
    let device = file.as_device(slot, Wiring::Registers);
    files.push(file);
    Answer::Attached(device)
}

/// Makes room in a file that was asked for.
fn reserve(files: &[HostFile], wanted: Length) -> Result<Answer, QemuError> {
    let room = file_in_slot(files, wanted.slot).map(|file| make_room(file, wanted.length));
    match room.transpose()?.flatten() {
        Some(length) => Ok(Answer::Reserved(length)),
        None => Ok(Answer::Refused("the file is not written to".into())),
    }
}

/// Makes room in a file, if it is written to. QEMU's devices do not grow, so the file gets
/// as long as it may become; what is too much of it is cut off at the end. Says how much
/// room there is.
fn make_room(file: &HostFile, wanted: u64) -> Result<Option<u64>, QemuError> {
    let Some(output) = file.output() else { return Ok(None) };
    let length = output.reserve(wanted);
    let unit = if file.is_direct() { DIRECT_UNIT } else { SECTOR };
    let whole = length.checked_next_multiple_of(unit).unwrap_or(length);
    let resized = rustix::fs::ftruncate(file.as_fd(), whole).map_err(std::io::Error::from);
    resized.map_err(QemuError::host("make room in a file"))?;
    Ok(Some(length))
}

/// The unit of a drive's length in bytes.
const SECTOR: u64 = 512;

/// The same past the host's cache: that of the file system, which QEMU does not round up
/// to by itself.
const DIRECT_UNIT: u64 = 4096;

/// What an exit status of QEMU says about the guest, if it does.
fn end(status: ExitStatus) -> Option<End> {
    let code = u32::try_from(status.code()?).ok()?;
    match ExitCode::ALL.into_iter().find(|exit| exit.qemu_status() == code) {
        Some(exit) => Some(End::Exit(exit)),
        // With `-no-reboot`, QEMU ends well when the guest loses control.
        None if code == 0 => Some(End::TripleFault),
        None => None,
    }
}
