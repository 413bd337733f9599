//! One request: decoded, carried out, answered.

use alloc::collections::btree_map::{BTreeMap, Entry};
use alloc::rc::Rc;
use alloc::string::ToString;
use alloc::vec::{IntoIter, Vec};
use core::cell::RefCell;

use abi::device::{Device, Kind};
use abi::reply::{FailureKind, Length, Marks, NewFile, Reference, Reply};
use abi::request::{Answer, Operation, References, Request};
use abi::wire::{self, WireError};
use drivers::dma::DmaBuffer;
use drivers::virtio::DeviceError;
use drivers::virtio::block::Request as BlockRequest;
use drivers::virtio::console::Console;
use ops::engine::job::{Job, Worker};
use ops::session::{Allocation, Attach};
use ops::storage::Storage;
use ops::transfer::{Event, Transfer};
use ops::{Error, Session, Transfers};

use crate::machine::{self, Disk};
use crate::workers::{self, POOL};

/// Why there was nobody to answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// The request makes no sense.
    Request(WireError),
    /// A device does not work.
    Device(DeviceError),
}

impl core::fmt::Display for Unanswered {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Request(error) => error.fmt(formatter),
            Self::Device(error) => error.fmt(formatter),
        }
    }
}

/// Carries out the request that the boot loader left, and answers it. `entered`
/// is when the guest came to ring 3, in ticks.
///
/// # Errors
///
/// If it does not come so far that there is a console to answer on.
pub fn run(request: &[u8], entered: u64) -> Result<(), Unanswered> {
    let request = wire::decode_request(request).map_err(Unanswered::Request)?;
    let Request { devices, references, operation } = request;
    let booted = machine::ticks();
    let machine = Machine::new(&devices, references).map_err(Unanswered::Device)?;
    let devices = machine::ticks();
    let result = perform(&operation, &machine);
    let finished = machine::ticks();
    let last = match result {
        Ok(()) => Some(Reply::Finished(Marks { entered, booted, devices, finished })),
        Err(error) => error.to_reply(),
    };
    if let Some(last) = last {
        // The host ends the run at the exit that follows, so whether it took
        // the reply is its business.
        let _ = machine.reply(last);
    }
    machine.drain();
    Ok(())
}

#[cfg(not(feature = "self-test"))]
fn perform(operation: &Operation, machine: &Machine) -> Result<(), Error> {
    ops::run(operation, machine)
}

#[cfg(feature = "self-test")]
fn perform(operation: &Operation, machine: &Machine) -> Result<(), Error> {
    match operation {
        Operation::SelfTest(test) => crate::self_test::run(*test, machine),
        operation => ops::run(operation, machine),
    }
}

/// The machine as an operation sees it.
#[derive(Debug)]
pub struct Machine {
    console: RefCell<Console>,
    disks: RefCell<BTreeMap<u8, Rc<Disk>>>,
    /// What does jobs on this processor, once there has been one.
    worker: RefCell<Option<Worker>>,
    /// The answers that were given in earlier runs, or nothing if the host
    /// answers while the guest runs.
    replayed: Option<RefCell<IntoIter<Answer>>>,
}

impl Machine {
    /// Takes possession of every device.
    fn new(devices: &[Device], references: References) -> Result<Self, DeviceError> {
        let mut disks = BTreeMap::new();
        let mut console = None;
        for device in devices {
            match &device.kind {
                Kind::Console => console = Some(machine::console(device)?),
                Kind::Block(block) => {
                    disks.insert(device.slot, Rc::new(Disk::new(device, block)?));
                }
            }
        }
        Ok(Self {
            console: RefCell::new(console.ok_or(DeviceError::Absent)?),
            disks: RefCell::new(disks),
            worker: RefCell::new(None),
            replayed: match references {
                References::Live => None,
                References::Replayed(answers) => Some(RefCell::new(answers.into_iter())),
            },
        })
    }

    /// The disk in a slot.
    pub fn disk(&self, slot: u8) -> Option<Rc<Disk>> {
        self.disks.borrow().get(&slot).cloned()
    }

    /// Waits until every reply has been taken.
    fn drain(&self) {
        let mut console = self.console.borrow_mut();
        // If the console breaks, the host notices that the last reply is missing.
        let _ = machine::wait_for(|| Ok::<_, DeviceError>(console.reclaim()?.then_some(())));
    }

    /// Has further processors start, if this machine can have any.
    fn start_workers(&self) -> Result<(), Error> {
        if self.replayed.is_some() {
            return Ok(());
        }
        let entry = workers::work as *const () as usize as u64;
        match self.ask(Reply::StartWorkers(entry)) {
            Ok(Answer::Workers(_)) => Ok(()),
            _ => Err(Error::request("the host does not say how many processors there are")),
        }
    }

    /// Asks the host something, or takes the answer that it gave in an earlier run.
    fn ask(&self, question: Reply) -> Result<Answer, Attach> {
        let replayed = self.replayed.as_ref().and_then(|answers| answers.borrow_mut().next());
        if let Some(answer) = replayed {
            return Ok(answer);
        }
        self.reply(question).map_err(Attach::Broken)?;
        match self.replayed {
            Some(_) => Err(Attach::StartOver),
            None => self.live_answer().map_err(Attach::Broken),
        }
    }

    /// Waits for the host's answer.
    fn live_answer(&self) -> Result<Answer, Error> {
        let broken = |error: DeviceError| Error::request(&error.to_string());
        let buffer = DmaBuffer::zeroed(wire::PREFIX + wire::MAX_MESSAGE)
            .ok_or_else(|| Error::request("no memory for an answer"))?;
        let mut console = self.console.borrow_mut();
        console
            .expect_input(buffer)
            .map_err(|_| Error::request("the console takes no more buffers"))?;
        let (buffer, length) = machine::wait_for(|| console.input()).map_err(broken)?;
        let answer = buffer.get(..length).unwrap_or_default();
        wire::decode_answer(answer).map_err(|error| Error::request(&error.to_string()))
    }

    /// Plugs a file in.
    fn accept(&self, device: &Device) -> Result<u8, Attach> {
        let broken = |reason: &str| Attach::Broken(Error::request(reason));
        let block = machine::as_block(device).ok_or_else(|| broken("the answer is no file"))?;
        let mut disks = self.disks.borrow_mut();
        if let Entry::Vacant(place) = disks.entry(device.slot) {
            let disk = Disk::new(device, block).map_err(|error| broken(&error.to_string()))?;
            place.insert(Rc::new(disk));
        }
        // Otherwise it was plugged in at the start of a repeated run.
        Ok(device.slot)
    }
}

/// Why there is no answer, other than that the host refuses.
fn unasked(error: Attach) -> Error {
    match error {
        Attach::StartOver => Error::StartOver,
        Attach::Broken(error) => error,
        Attach::Refused(reason) => Error::request(&reason),
    }
}

impl Session for Machine {
    fn storage(&self, slot: u8) -> Option<Rc<dyn Storage>> {
        self.disk(slot).map(|disk| disk as Rc<dyn Storage>)
    }

    fn reply(&self, reply: Reply) -> Result<(), Error> {
        let message = wire::encode_reply(&reply);
        let mut message = message.map_err(|error| Error::request(&error.to_string()))?;
        let mut console = self.console.borrow_mut();
        // A full queue empties as the host reads.
        loop {
            match console.send(message) {
                Ok(()) => return Ok(()),
                Err(unsent) => message = unsent,
            }
            machine::wait_for(|| {
                console.reclaim()?;
                Ok(console.has_room().then_some(()))
            })
            .map_err(|error: DeviceError| Error::request(&error.to_string()))?;
        }
    }

    fn attach(&self, reference: Reference) -> Result<u8, Attach> {
        match self.ask(Reply::Attach(reference))? {
            Answer::Attached(device) => self.accept(&device),
            Answer::Refused(reason) => Err(Attach::Refused(reason)),
            Answer::Reserved(_) | Answer::Workers(_) => {
                Err(Attach::Broken(Error::request("the answer is no file")))
            }
        }
    }

    fn reserve(&self, slot: u8, length: u64) -> Result<(), Error> {
        match self.ask(Reply::Reserve(Length { slot, length })).map_err(unasked)? {
            Answer::Reserved(length) => {
                let disk = self.disk(slot).ok_or_else(|| Error::empty_slot(slot))?;
                disk.set_length(length);
                Ok(())
            }
            Answer::Refused(reason) => Err(Error::about(slot, FailureKind::Refused, reason)),
            Answer::Attached(_) | Answer::Workers(_) => {
                Err(Error::request("the answer is no length"))
            }
        }
    }

    fn create_file(&self, file: NewFile) -> Result<u8, Error> {
        match self.ask(Reply::CreateFile(file)).map_err(unasked)? {
            Answer::Attached(device) => self.accept(&device).map_err(unasked),
            Answer::Refused(reason) => Err(Error::about(file.of, FailureKind::Refused, reason)),
            Answer::Reserved(_) | Answer::Workers(_) => {
                Err(Error::request("the answer is no file"))
            }
        }
    }

    fn room(&self, slot: u8) -> u64 {
        self.disk(slot).map_or(0, |disk| disk.room())
    }

    fn allocation(&self, slot: u8, offset: u64) -> Result<Allocation, Error> {
        let disk = self.disk(slot).ok_or_else(|| Error::empty_slot(slot))?;
        let kind = FailureKind::InputOutput;
        disk.allocation(offset).map_err(|error| Error::about(slot, kind, error.to_string()))
    }
}

impl Transfers for Machine {
    type Buffer = DmaBuffer;

    fn buffer(&self, length: usize) -> Result<DmaBuffer, Error> {
        DmaBuffer::zeroed(length).ok_or_else(|| {
            let message = "the guest's memory does not suffice".to_string();
            Error::Failed { device: None, kind: FailureKind::Memory, is_bare: false, message }
        })
    }

    fn start(&self, tag: u64, transfer: Transfer<DmaBuffer>) -> Result<(), Error> {
        let (slot, request) = match transfer {
            Transfer::Read { slot, offset, length, buffer } => {
                (slot, BlockRequest::Read { offset, length, buffer })
            }
            Transfer::Write { slot, offset, range, buffer } => {
                (slot, BlockRequest::Write { offset, range, buffer })
            }
            Transfer::Zero { slot, offset, length } => {
                (slot, BlockRequest::WriteZeroes { offset, length, unmap: true })
            }
            Transfer::Flush { slot } => (slot, BlockRequest::Flush),
        };
        let disk = self.disk(slot).ok_or_else(|| Error::empty_slot(slot))?;
        let started = disk.start(tag, request);
        started.map_err(|reason| Error::about(slot, FailureKind::Request, reason.to_string()))
    }

    fn assign(&self, tag: u64, job: Job<DmaBuffer>) -> Result<(), Error> {
        if self.worker.borrow().is_none() {
            self.start_workers()?;
            self.worker.replace(Some(Worker::default()));
        }
        POOL.assign(tag, job);
        Ok(())
    }

    fn finish(&self) -> Result<Event<DmaBuffer>, Error> {
        let disks: Vec<Rc<Disk>> = self.disks.borrow().values().cloned().collect();
        let next = machine::wait_for(|| {
            for disk in &disks {
                if let Some(finished) = disk.next_finished()? {
                    return Ok(Some(Event::Transfer(finished)));
                }
            }
            if let Some((tag, done)) = POOL.next_done() {
                return Ok(Some(Event::Job(tag, done)));
            }
            // There is nothing else to do than a worker's work.
            let mut worker = self.worker.borrow_mut();
            let job = worker.as_mut().and_then(|worker| Some((worker, POOL.take()?)));
            Ok::<_, DeviceError>(
                job.map(|(worker, (tag, job))| Event::Job(tag, worker.perform(job))),
            )
        });
        next.map_err(|error| Error::request(&error.to_string()))
    }
}
