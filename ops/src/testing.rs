//! A world in memory, for tests: files that are byte vectors, and a host that
//! attaches them by name.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use std::string::String;

use abi::reply::{Reference, Reply};
use formats::Storage;

use crate::session::{Attach, Error, Session};

/// A session over files in memory.
#[derive(Default)]
pub(crate) struct World {
    plugged: RefCell<Vec<Rc<Vec<u8>>>>,
    by_name: BTreeMap<Vec<u8>, Rc<Vec<u8>>>,
    replies: RefCell<Vec<Reply>>,
}

impl World {
    /// A world whose slot 0 has this file.
    pub(crate) fn with_image(bytes: Vec<u8>) -> Self {
        Self { plugged: RefCell::new(Vec::from([Rc::new(bytes)])), ..Self::default() }
    }

    /// What was said.
    pub(crate) fn replies(&self) -> Vec<Reply> {
        self.replies.borrow().clone()
    }
}

impl Session for World {
    fn storage(&self, slot: u8) -> Option<Rc<dyn Storage>> {
        let plugged = self.plugged.borrow();
        let file = plugged.get(usize::from(slot))?;
        Some(Rc::clone(file) as Rc<dyn Storage>)
    }

    fn reply(&self, reply: Reply) -> Result<(), Error> {
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
}
