//! A world in memory, for tests: files that are byte vectors, and a host that
//! attaches them by name.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use std::string::String;

use abi::reply::{NewFile, Reference, Reply};
use formats::Storage;
use formats::storage::{StorageError, check_range};

use crate::engine::job::{Job, Worker};
use crate::session::{Allocation, Attach, Error, Session};
use crate::transfer::{Event, Finished, Returned, Transfer, Transfers};

/// A session over files in memory.
#[derive(Default)]
pub(crate) struct World {
    plugged: RefCell<Vec<Rc<Bytes>>>,
    by_name: BTreeMap<Vec<u8>, Rc<Bytes>>,
    replies: RefCell<Vec<Reply>>,
    /// Requests that are done, the last of which is handed out first: nobody may rely on
    /// an order.
    finished: RefCell<VecDeque<Event<Vec<u8>>>>,
    worker: RefCell<Worker>,
    /// How many requests wrote something.
    writes: Cell<usize>,
}

/// A file in memory.
#[derive(Default)]
struct Bytes(RefCell<Vec<u8>>);

impl Storage for Bytes {
    fn length(&self) -> u64 {
        self.0.borrow().len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StorageError> {
        check_range(self, offset, buffer.len() as u64)?;
        self.0.borrow().read_at(offset, buffer)
    }
}

impl World {
    /// A world whose slot 0 has this file.
    pub(crate) fn with_image(bytes: Vec<u8>) -> Self {
        let world = Self::default();
        world.plug(bytes);
        world
    }

    /// Plugs a file into the next slot.
    pub(crate) fn plug(&self, bytes: Vec<u8>) -> u8 {
        let mut plugged = self.plugged.borrow_mut();
        plugged.push(Rc::new(Bytes(RefCell::new(bytes))));
        u8::try_from(plugged.len() - 1).unwrap()
    }

    /// The bytes of a file.
    pub(crate) fn file(&self, slot: u8) -> Vec<u8> {
        self.plugged.borrow()[usize::from(slot)].0.borrow().clone()
    }

    /// How many requests wrote something.
    pub(crate) fn writes(&self) -> usize {
        self.writes.get()
    }

    /// What was said.
    pub(crate) fn replies(&self) -> Vec<Reply> {
        self.replies.borrow().clone()
    }

    fn perform(
        &self,
        transfer: Transfer<Vec<u8>>,
    ) -> (Result<(), StorageError>, Option<Returned<Vec<u8>>>) {
        let plugged = self.plugged.borrow();
        match transfer {
            Transfer::Read { slot, offset, length, mut buffer } => {
                let file = &plugged[usize::from(slot)];
                let read =
                    formats::storage::read_at_padded(file.as_ref(), offset, &mut buffer[..length]);
                (read, Some(Returned::Filled(buffer)))
            }
            Transfer::Write { slot, offset, range, buffer } => {
                let mut file = plugged[usize::from(slot)].0.borrow_mut();
                let start = usize::try_from(offset).unwrap();
                let end = start + range.len();
                self.writes.set(self.writes.get() + 1);
                if file.len() < end {
                    file.resize(end, 0);
                }
                file[start..end].copy_from_slice(&buffer[range]);
                drop(file);
                (Ok(()), Some(Returned::Stored(buffer)))
            }
            Transfer::Zero { slot, offset, length } => {
                let mut file = plugged[usize::from(slot)].0.borrow_mut();
                let start = usize::try_from(offset).unwrap();
                file[start..start + usize::try_from(length).unwrap()].fill(0);
                (Ok(()), None)
            }
            Transfer::Flush { .. } => (Ok(()), None),
        }
    }
}

impl Session for World {
    fn storage(&self, slot: u8) -> Option<Rc<dyn Storage>> {
        let plugged = self.plugged.borrow();
        let file = plugged.get(usize::from(slot))?;
        Some(Rc::clone(file) as Rc<dyn Storage>)
    }

    fn reply(&self, reply: Reply) -> Result<(), Error> {
        if let Reply::SetLength(length) = &reply {
            let plugged = self.plugged.borrow();
            let mut file = plugged[usize::from(length.slot)].0.borrow_mut();
            file.resize(usize::try_from(length.length).unwrap(), 0);
        }
        self.replies.borrow_mut().push(reply);
        Ok(())
    }

    fn attach(&self, reference: Reference) -> Result<u8, Attach> {
        let missing = || {
            let name = String::from_utf8_lossy(reference.path.as_bytes());
            Attach::Refused(std::format!("Could not open '{name}'"))
        };
        let file = self.by_name.get(reference.path.as_bytes()).ok_or_else(missing)?;
        let mut plugged = self.plugged.borrow_mut();
        plugged.push(Rc::clone(file));
        u8::try_from(plugged.len() - 1).map_err(|_| missing())
    }

    fn reserve(&self, _slot: u8, _length: u64) -> Result<(), Error> {
        Ok(())
    }

    fn create_file(&self, _file: NewFile) -> Result<u8, Error> {
        Ok(self.plug(vec![]))
    }

    fn room(&self, slot: u8) -> u64 {
        self.storage(slot).map_or(0, |file| file.length())
    }

    fn allocation(&self, _slot: u8, _offset: u64) -> Result<Allocation, Error> {
        Ok(Allocation { is_hole: false, length: u64::MAX })
    }
}

impl Transfers for World {
    type Buffer = Vec<u8>;

    fn buffer(&self, length: usize) -> Result<Vec<u8>, Error> {
        Ok(vec![0xa5; length])
    }

    fn start(&self, tag: u64, transfer: Transfer<Vec<u8>>) -> Result<(), Error> {
        let (result, buffer) = self.perform(transfer);
        self.finished.borrow_mut().push_back(Event::Transfer(Finished { tag, result, buffer }));
        Ok(())
    }

    fn assign(&self, tag: u64, job: Job<Vec<u8>>) -> Result<(), Error> {
        let done = self.worker.borrow_mut().perform(job);
        self.finished.borrow_mut().push_back(Event::Job(tag, done));
        Ok(())
    }

    fn finish(&self) -> Result<Event<Vec<u8>>, Error> {
        let next = self.finished.borrow_mut().pop_back();
        next.ok_or_else(|| Error::request("nothing is under way"))
    }
}
