//! The I/O thread: serves the guest's devices and listens to what it says.

use std::io;
use std::time::{Duration, Instant};

use abi::device::Wiring;
use abi::layout::{CONSOLE_QUEUE_SIZE, MAX_DEVICES};
use abi::reply::{Failure, Length, Marks, Reference, Reply};
use abi::request::Answer;
use abi::wire;
use vm_memory::GuestMemoryMmap;
use vmm_sys_util::poll::PollContext;

use super::signals::Signals;
use super::vcpu::Ended;
use crate::devices::DeviceError;
use crate::devices::block::{self, Block};
use crate::devices::console::Console;
use crate::host_file::HostFile;
use crate::host_file::output::Output;
use crate::run::{
    Budget, CONSOLE_SLOT, End, FIRST_FILE_SLOT, GuestError, Listener, ReplyStream, RunError,
};

/// How long the rings are looked at in vain before the thread goes to sleep and
/// has the guest ring for it. As long as a guest takes to boot: one that runs
/// `info` never finds anybody asleep.
const POLL_FOR: Duration = Duration::from_millis(1);

/// Serves one guest.
pub(super) struct Service<'run> {
    memory: &'run GuestMemoryMmap,
    signals: &'run Signals,
    listener: &'run mut dyn Listener,
    budget: Budget,
    console: Console,
    disks: Vec<Block>,
    replies: ReplyStream,
    last: Option<Result<Marks, Failure>>,
    /// What the thread sleeps in, once it has.
    sleeper: Option<PollContext<()>>,
}

impl<'run> Service<'run> {
    /// A service for a guest with these files plugged in.
    pub(super) fn new(
        memory: &'run GuestMemoryMmap,
        signals: &'run Signals,
        files: Vec<HostFile>,
        budget: Budget,
        listener: &'run mut dyn Listener,
    ) -> Result<Self, DeviceError> {
        let disks = (FIRST_FILE_SLOT..).zip(files);
        Ok(Self {
            console: Console::new(CONSOLE_SLOT, memory)?,
            disks: disks
                .map(|(slot, file)| Block::new(slot, file, memory))
                .collect::<Result<_, _>>()?,
            replies: ReplyStream::new(budget.replies),
            last: None,
            sleeper: None,
            memory,
            signals,
            listener,
            budget,
        })
    }

    /// Serves the guest until it ends.
    pub(super) fn run(&mut self) -> Result<(), GuestError> {
        let mut deadline = Instant::now() + self.budget.time;
        let mut idle_since = Instant::now();
        loop {
            // In this order, so that the last look comes after the end.
            let stopped = self.signals.stopped();
            let busy = self.serve()?;
            let now = Instant::now();
            if busy {
                self.signals.finished_batch();
                idle_since = now;
                if self.budget.is_renewed {
                    deadline = now + self.budget.time;
                }
            } else if stopped {
                return Ok(());
            }
            if now >= deadline {
                return Err(GuestError::TimedOut(self.budget.time));
            }
            if busy {
                continue;
            }
            if now.duration_since(idle_since) < POLL_FOR {
                // The guest may be waiting for this very processor.
                std::thread::yield_now();
            } else if self.everything_is_quiet()? {
                self.sleep(deadline - now)?;
                idle_since = Instant::now();
            }
        }
    }

    /// What came of the run, and the files again.
    pub(super) fn finish(
        self,
        served: Result<(), GuestError>,
        ended: &Ended,
    ) -> Result<(Marks, Vec<HostFile>), RunError> {
        served.map_err(RunError::Guest)?;
        let files: Vec<HostFile> = self.disks.into_iter().map(Block::into_file).collect();
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

    /// Looks at every queue once, and takes no more from it than fits in. Says
    /// whether there was anything to do.
    fn serve(&mut self) -> Result<bool, GuestError> {
        let mut busy = false;
        for disk in &mut self.disks {
            busy |= disk.process(self.memory)?;
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
    fn output(&self, slot: u8) -> Option<&Output> {
        let index = usize::from(slot.checked_sub(FIRST_FILE_SLOT)?);
        self.disks.get(index)?.file().output()
    }

    /// Plugs in a file that an image refers to, if it may be opened.
    fn attach(&mut self, reference: &Reference) -> Result<Answer, DeviceError> {
        let from = reference.from.checked_sub(FIRST_FILE_SLOT).map(usize::from);
        let Some(from) = from.and_then(|index| self.disks.get(index)) else {
            return Ok(Answer::Refused("no such file refers to another".into()));
        };
        let slot = u8::try_from(self.disks.len()).map(|count| count + FIRST_FILE_SLOT);
        let Some(slot) = slot.ok().filter(|slot| *slot < MAX_DEVICES) else {
            return Ok(Answer::Refused("too many files".into()));
        };
        let file = match self.listener.open(reference, from.file()) {
            Ok(file) => file,
            Err(reason) => return Ok(Answer::Refused(reason)),
        };
        let device = file.as_device(slot, Wiring::Ready { features: block::FEATURES });
        self.disks.push(Block::new(slot, file, self.memory)?);
        Ok(Answer::Attached(device))
    }

    /// Asks for doorbells. Says whether there is nothing to do right now.
    fn everything_is_quiet(&mut self) -> Result<bool, DeviceError> {
        let mut pending = false;
        for disk in &mut self.disks {
            pending |= disk.queue().ask_for_doorbell(self.memory)?;
        }
        pending |= self.console.ask_for_doorbells(self.memory)?;
        Ok(!pending && !self.signals.stopped())
    }

    /// Sleeps until a doorbell rings, the guest ends, or the time is up. A run
    /// that never gets here does not pay for what it takes.
    fn sleep(&mut self, longest: Duration) -> Result<(), GuestError> {
        let sleeper = match self.sleeper.take() {
            Some(sleeper) => sleeper,
            None => self.make_sleeper().map_err(GuestError::Host)?,
        };
        // If the call is interrupted, the thread looks around once too often.
        let _ = sleeper.wait_timeout(longest);
        self.sleeper = Some(sleeper);
        // It counts how often it was kicked, which does not matter.
        let _ = self.signals.kick.read();
        Ok(())
    }

    fn make_sleeper(&self) -> io::Result<PollContext<()>> {
        let sleeper = PollContext::new()?;
        sleeper.add(&self.signals.kick, ())?;
        Ok(sleeper)
    }
}
