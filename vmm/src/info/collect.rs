//! Replies become descriptions.

use std::os::unix::ffi::OsStrExt;

use abi::info::{self, Child, Content, Image, Part};
use abi::reply::{Reference, ReferenceRole, Reply};

use crate::file_name;
use crate::host_file::HostFile;
use crate::output::escape::for_terminal;
use crate::references::{NotOpened, References};
use crate::run::Listener;

/// An image as the guest described it.
#[derive(Debug)]
pub struct Described {
    /// What every image has.
    pub image: Image,
    /// Its internal snapshots.
    pub snapshots: Vec<info::Snapshot>,
    /// Its persistent bitmaps.
    pub bitmaps: Vec<info::Bitmap>,
    /// Its extents.
    pub extents: Vec<info::Extent>,
    /// Its key slots.
    pub key_slots: Vec<info::KeySlot>,
    /// Its key slots, version 2.
    pub key_slots_2: Vec<info::KeySlot2>,
    /// The files that are part of it, besides its own.
    pub children: Vec<Child>,
    /// What it holds.
    pub contents: Vec<Content>,
}

/// Takes the replies to one request.
#[derive(Debug)]
pub struct Collector {
    images: Vec<Described>,
    references: References,
}

impl Collector {
    /// A collector that opens what images refer to by these rules.
    #[must_use]
    pub fn new(references: References) -> Self {
        Self { images: Vec::new(), references }
    }

    /// The images, from the top of the chain down.
    #[must_use]
    pub fn into_images(self) -> Vec<Described> {
        self.images
    }
}

impl Listener for Collector {
    fn reply(&mut self, reply: Reply) {
        match reply {
            Reply::Info(info::Reply::Image(image)) => self.images.push(Described {
                image: *image,
                snapshots: Vec::new(),
                bitmaps: Vec::new(),
                extents: Vec::new(),
                key_slots: Vec::new(),
                key_slots_2: Vec::new(),
                children: Vec::new(),
                contents: Vec::new(),
            }),
            Reply::Info(info::Reply::Part(part)) => {
                // A part without an image in front of it comes from a guest that
                // is not ours any more. It gets no say.
                if let Some(described) = self.images.last_mut() {
                    described.add(part);
                }
            }
            _ => {}
        }
    }

    fn open(&mut self, reference: &Reference, from: &HostFile) -> Result<HostFile, String> {
        self.references.open(reference, from).map_err(|error| match error {
            // What is underneath is an image of its own here, so that qemu-img says its
            // name twice.
            NotOpened::Failed(error) if reference.role == ReferenceRole::Backing => {
                let path = reference.path.as_bytes();
                let full = file_name::full(from.path().as_os_str().as_bytes(), path);
                let shown = for_terminal(&full.unwrap_or_default());
                format!("Could not open '{shown}': {error}")
            }
            error => error.to_string(),
        })
    }
}

impl Described {
    fn add(&mut self, part: Part) {
        match part {
            Part::Snapshot(snapshot) => self.snapshots.push(snapshot),
            Part::Bitmap(bitmap) => self.bitmaps.push(bitmap),
            Part::Extent(extent) => self.extents.push(extent),
            Part::KeySlot(slot) => self.key_slots.push(slot),
            Part::KeySlot2(slot) => self.key_slots_2.push(slot),
            Part::Child(child) => self.children.push(child),
            Part::Content(content) => self.contents.push(content),
        }
    }
}
