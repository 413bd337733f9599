//! The I/O threads: they serve the guest's devices and listen to what it says.
//!
//! One thread serves the console and the inputs. Outputs have a thread of their own, so
//! that the next piece is read while the last one is written.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use abi::device::Wiring;
use abi::layout::{CONSOLE_QUEUE_SIZE, MAX_DEVICES};
use abi::reply::{Failure, Length, Marks, NewFile, Preallocate, Reference, Reply};
use abi::request::Answer;
use abi::wire;
use vm_memory::GuestMemoryMmap;
use vmm_sys_util::eventfd::EventFd;
use vmm_sys_util::poll::PollContext;

use super::signals::{Side, Signals};
use super::vcpu::Ended;
use super::{KvmError, Workers};
use crate::devices::DeviceError;
use crate::devices::block::{self, Block};
use crate::devices::console::Console;
use crate::host_file::HostFile;
use crate::host_file::output::Output;
use crate::run::{
    Budget, CONSOLE_SLOT, End, FIRST_FILE_SLOT, GuestError, Listener, ReplyStream, RunError,
    slot_behind,
};

/// How long the rings are looked at in vain before the thread goes to sleep and
/// has the guest ring for it. As long as a guest takes to boot: one that runs
/// `info` never finds anybody asleep.
const POLL_FOR: Duration = Duration::from_millis(1);

/// Longer than any run takes.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Serves one guest.
pub(super) struct Service<'run> {
    memory: &'run GuestMemoryMmap,
    signals: &'run Signals,
    listener: &'run mut dyn Listener,
    budget: Budget,
    console: Console,
    /// The files by slot. Those that are written to are with their own thread.
    disks: Vec<Option<Block<'run>>>,
    /// What may be done to those, by slot.
    outputs: Vec<(usize, Arc<Output>)>,
    replies: ReplyStream,
    last: Option<Result<Marks, Failure>>,
    workers: &'run mut Workers<'run>,
}

/// A thread that looks at queues, and sleeps when there is nothing to do.
struct Attendant<'run> {
    signals: &'run Signals,
    side: Side,
    /// What the thread sleeps in, once it has.
    sleeper: Option<PollContext<()>>,
}

/// What an attendant attends to.
trait Attended {
    /// Looks at every queue once. Says whether there was anything to do.
    fn serve(&mut self) -> Result<bool, GuestError>;

    /// Asks for doorbells. Says whether there is nothing to do right now.
    fn everything_is_quiet(&mut self) -> Result<bool, GuestError>;

    /// Whether the guest waits for somebody outside, who may take all the time there is.
    fn is_kept_waiting(&self) -> bool;
}

impl Attendant<'_> {
    /// Attends until the guest ends, or has been silent for longer than it may.
    fn run(&mut self, attended: &mut dyn Attended, budget: Budget) -> Result<(), GuestError> {
        let mut deadline = Instant::now() + budget.time;
        let mut idle_since = Instant::now();
        let mut batches = self.signals.batches();
        loop {
            // In this order, so that the last look comes after the end.
            let stopped = self.signals.stopped();
            let busy = attended.serve()?;
            let now = Instant::now();
            if busy {
                self.signals.finished_batch();
                idle_since = now;
                if budget.is_renewed {
                    deadline = now + budget.time;
                }
            } else if stopped {
                return Ok(());
            }
            if now >= deadline {
                // The other thread may have been busy, or be so right now.
                let seen = std::mem::replace(&mut batches, self.signals.batches());
                let is_alive = seen != batches || self.signals.is_writing();
                if !budget.is_renewed || !(is_alive || attended.is_kept_waiting()) {
                    return Err(GuestError::TimedOut(budget.time));
                }
                deadline = now + budget.time;
            }
            if busy {
                continue;
            }
            if now.duration_since(idle_since) < POLL_FOR {
                // The guest may be waiting for this very processor.
                std::thread::yield_now();
            } else if attended.everything_is_quiet()? && !self.signals.stopped() {
                self.sleep(deadline - now)?;
                idle_since = Instant::now();
            }
        }
    }

    /// Sleeps until a doorbell rings, the guest ends, or the time is up. A run
    /// that never gets here does not pay for what it takes.
    fn sleep(&mut self, longest: Duration) -> Result<(), GuestError> {
        let kick = self.signals.kick(self.side);
        let sleeper = match self.sleeper.take() {
            Some(sleeper) => sleeper,
            None => make_sleeper(kick).map_err(GuestError::Host)?,
        };
        // If the call is interrupted, the thread looks around once too often.
        let _ = sleeper.wait_timeout(longest);
        self.sleeper = Some(sleeper);
        // It counts how often it was kicked, which does not matter.
        let _ = kick.read();
        Ok(())
    }
}

fn make_sleeper(kick: &EventFd) -> io::Result<PollContext<()>> {
    let sleeper = PollContext::new()?;
    sleeper.add(kick, ())?;
    Ok(sleeper)
}

/// The outputs, with their slots.
struct Outputs<'run> {
    signals: &'run Signals,
    disks: Vec<(usize, Block<'run>)>,
}

impl Attended for Outputs<'_> {
    fn serve(&mut self) -> Result<bool, GuestError> {
        let mut busy = false;
        self.signals.set_writing(true);
        for (_, disk) in &mut self.disks {
            busy |= disk.process()?;
        }
        self.signals.set_writing(false);
        Ok(busy)
    }

    fn everything_is_quiet(&mut self) -> Result<bool, GuestError> {
        let mut pending = false;
        for (_, disk) in &mut self.disks {
            pending |= disk.ask_for_doorbell()?;
        }
        Ok(!pending)
    }

    fn is_kept_waiting(&self) -> bool {
        false
    }
}

impl<'run> Service<'run> {
    /// A service for a guest with these files plugged in.
    pub(super) fn new(
        memory: &'run GuestMemoryMmap,
        signals: &'run Signals,
        files: Vec<HostFile>,
        budget: Budget,
        listener: &'run mut dyn Listener,
        workers: &'run mut Workers<'run>,
    ) -> Result<Self, DeviceError> {
        let outputs = files.iter().enumerate();
        let outputs = outputs.filter_map(|(index, file)| Some((index, Arc::clone(file.output()?))));
        let outputs = outputs.collect();
        let disks = (FIRST_FILE_SLOT..).zip(files);
        Ok(Self {
            outputs,
            console: Console::new(CONSOLE_SLOT, memory)?,
            disks: disks
                .map(|(slot, file)| Block::new(slot, file, memory).map(Some))
                .collect::<Result<_, _>>()?,
            replies: ReplyStream::new(budget.replies),
            last: None,
            workers,
            memory,
            signals,
            listener,
            budget,
        })
    }

    /// Serves the guest until it ends.
    pub(super) fn run(&mut self) -> Result<(), GuestError> {
        let (signals, budget) = (self.signals, self.budget);
        let mut outputs = self.take_outputs();
        let mut attendant = Attendant { signals, side: Side::Inputs, sleeper: None };
        if outputs.disks.is_empty() {
            return attendant.run(self, budget);
        }
        // Whether the guest is silent, the other thread knows better.
        let patience = Budget { time: FOR_EVER, ..budget };
        let (served, written) = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut attendant = Attendant { signals, side: Side::Outputs, sleeper: None };
                let written = attendant.run(&mut outputs, patience);
                if written.is_err() {
                    signals.stop();
                }
                written
            });
            let served = attendant.run(self, budget);
            if served.is_err() {
                signals.stop();
            }
            (served, writer.join())
        });
        for (index, disk) in outputs.disks {
            if let Some(place) = self.disks.get_mut(index) {
                *place = Some(disk);
            }
        }
        // A thread that panics ends the program, so this one has not.
        written.unwrap_or(Ok(()))?;
        served
    }

    /// Takes out the files that are written to.
    fn take_outputs(&mut self) -> Outputs<'run> {
        let mut disks = Vec::new();
        for (index, place) in self.disks.iter_mut().enumerate() {
            let is_output = place.as_ref().is_some_and(|disk| disk.file().output().is_some());
            disks.extend(is_output.then(|| place.take()).flatten().map(|disk| (index, disk)));
        }
        Outputs { signals: self.signals, disks }
    }

    /// Whether a further vCPU has ended by itself.
    pub(super) fn workers_ended(&self) -> bool {
        self.workers.have_ended()
    }

    /// Makes further vCPUs end. Says how the run ended, if the first vCPU ended so.
    pub(super) fn end_workers(&mut self, first: Ended) -> Result<Ended, KvmError> {
        self.workers.end(first)
    }

    /// What came of the run, and the files again.
    pub(super) fn finish(
        self,
        served: Result<(), GuestError>,
        ended: &Ended,
    ) -> Result<(Marks, Vec<HostFile>), RunError> {
        served.map_err(RunError::Guest)?;
        let files: Vec<HostFile> = self.disks.into_iter().flatten().map(Block::into_file).collect();
        match (self.last, &ended.end) {
            (Some(Ok(marks)), End::Exit(abi::port::ExitCode::Finished)) => Ok((marks, files)),
            (Some(Err(failure)), End::Exit(abi::port::ExitCode::Finished)) => {
                Err(RunError::Failed { failure: Box::new(failure), files })
            }
            (_, end) => Err(RunError::Guest(GuestError::Ended {
                end: end.clone(),
                serial: ended.serial.clone(),
            })),
        }
    }

    /// Takes a reply.
    fn hear(&mut self, reply: Reply) -> Result<(), GuestError> {
        match reply {
            Reply::Attach(reference) => {
                let answer = self.attach(&reference)?;
                self.console.push_input(wire::encode_answer(&answer)?);
            }
            Reply::Reserve(Length { slot, length }) => {
                let answer = match self.output(slot) {
                    Some(output) => Answer::Reserved(output.reserve(length)),
                    None => Answer::Refused("the file is not written to".into()),
                };
                self.console.push_input(wire::encode_answer(&answer)?);
            }
            Reply::CreateFile(file) => {
                let answer = self.create(&file)?;
                self.console.push_input(wire::encode_answer(&answer)?);
            }
            Reply::Preallocate(Preallocate { slot, how }) => {
                if let Some(output) = self.output(slot) {
                    output.set_preallocation(how);
                }
            }
            Reply::StartWorkers(entry) => {
                let count = self.workers.start(entry).map_err(|error| {
                    GuestError::Host(io::Error::other(crate::reasons::on_one_line(&error)))
                })?;
                self.console.push_input(wire::encode_answer(&Answer::Workers(count))?);
            }
            Reply::SetLength(Length { slot, length }) => {
                if let Some(output) = self.output(slot) {
                    output.set_final_length(length);
                }
            }
            Reply::Finished(marks) => self.last = Some(Ok(marks)),
            Reply::Failed(failure) => self.last = Some(Err(failure)),
            reply => self.listener.reply(reply),
        }
        Ok(())
    }

    /// The file in a slot, if it is written to.
    fn output(&self, slot: u8) -> Option<&Arc<Output>> {
        let index = usize::from(slot.checked_sub(FIRST_FILE_SLOT)?);
        self.outputs.iter().find(|(output, _)| *output == index).map(|(_, output)| output)
    }

    /// Plugs in a file that an image refers to, if it may be opened.
    fn attach(&mut self, reference: &Reference) -> Result<Answer, DeviceError> {
        let from = reference.from.checked_sub(FIRST_FILE_SLOT).map(usize::from);
        let Some(from) = from.and_then(|index| self.disks.get(index)?.as_ref()) else {
            return Ok(Answer::Refused("no such file refers to another".into()));
        };
        let Some(slot) = self.next_slot() else {
            return Ok(Answer::Refused("too many files".into()));
        };
        match self.listener.open(reference, from.file()) {
            Ok(file) => self.plug(slot, file),
            Err(reason) => Ok(Answer::Refused(reason)),
        }
    }

    /// Makes a further file of the image that gets made, if it may be, and plugs it in. It
    /// is served by the thread of the inputs, like all that come late.
    fn create(&mut self, new: &NewFile) -> Result<Answer, DeviceError> {
        if self.output(new.of).is_none() {
            return Ok(Answer::Refused("no such image gets made".into()));
        }
        let Some(slot) = self.next_slot() else {
            let most = MAX_DEVICES - FIRST_FILE_SLOT;
            return Ok(Answer::Refused(format!("it has more files than {most}")));
        };
        let file = match self.listener.create(new, slot) {
            Ok(file) => file,
            Err(reason) => return Ok(Answer::Refused(reason)),
        };
        if let Some(output) = file.output() {
            output.reserve(new.length);
            self.outputs.push((self.disks.len(), Arc::clone(output)));
        }
        self.plug(slot, file)
    }

    /// The next slot that is free, if there is one.
    fn next_slot(&self) -> Option<u8> {
        Some(slot_behind(self.disks.len())).filter(|slot| *slot < MAX_DEVICES)
    }

    /// Plugs a file into a slot.
    fn plug(&mut self, slot: u8, file: HostFile) -> Result<Answer, DeviceError> {
        let device = file.as_device(slot, Wiring::Ready { features: block::FEATURES });
        self.disks.push(Some(Block::new(slot, file, self.memory)?));
        Ok(Answer::Attached(device))
    }
}

impl Attended for Service<'_> {
    /// Takes no more from a queue than fits in.
    fn serve(&mut self) -> Result<bool, GuestError> {
        let mut busy = false;
        for disk in self.disks.iter_mut().flatten() {
            busy |= disk.process()?;
        }
        for _ in 0..CONSOLE_QUEUE_SIZE {
            let Some(output) = self.console.output(self.memory)? else {
                break;
            };
            busy = true;
            self.replies.push(&output)?;
            while let Some(reply) = self.replies.next_reply()? {
                self.hear(reply)?;
            }
        }
        busy |= self.console.deliver(self.memory)?;
        Ok(busy)
    }

    fn everything_is_quiet(&mut self) -> Result<bool, GuestError> {
        let mut pending = false;
        for disk in self.disks.iter_mut().flatten() {
            pending |= disk.ask_for_doorbell()?;
        }
        pending |= self.console.ask_for_doorbells(self.memory)?;
        Ok(!pending)
    }

    fn is_kept_waiting(&self) -> bool {
        self.disks.iter().flatten().any(Block::is_waiting)
    }
}
