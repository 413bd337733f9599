//! Images with something on their disks, to be read. Each format has a file here with
//! its images. What is on a disk is for qemu-img to say or, where that is wrong, for
//! another image.

pub mod bochs;
pub mod cloop;
pub mod dmg;
pub mod luks;
pub mod parallels;
pub mod qcow;
pub mod qcow2;
pub mod qed;
pub mod raw;
pub mod vdi;
pub mod vhdx;
pub mod vmdk;
pub mod vpc;

use crate::Place;
use crate::images::Step;

/// An image to be read.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// What it shows.
    pub name: &'static str,
    /// The file to read.
    pub file: &'static str,
    /// How it is made, one step after the other.
    steps: &'static [Step],
    /// What is on its disk.
    truth: Truth,
}

/// Who says what is on a disk.
#[derive(Clone, Copy, Debug)]
enum Truth {
    /// qemu-img.
    Qemu,
    /// A raw image: this file, which one of the steps makes.
    File(&'static str),
    /// Nobody: it cannot be read, for this reason.
    Refused(&'static str),
}

impl Source {
    /// An image that qemu-img reads as well.
    #[must_use]
    pub const fn new(name: &'static str, file: &'static str, steps: &'static [Step]) -> Self {
        Self { name, file, steps, truth: Truth::Qemu }
    }

    /// The same image, with the content of a raw one that is made along with it.
    #[must_use]
    pub const fn like(self, file: &'static str) -> Self {
        Self { truth: Truth::File(file), ..self }
    }

    /// The same image, which cannot be read for this reason.
    #[must_use]
    pub const fn refused(self, reason: &'static str) -> Self {
        Self { truth: Truth::Refused(reason), ..self }
    }

    /// Makes the image.
    ///
    /// # Panics
    ///
    /// If a tool fails.
    pub fn make(&self, place: &Place) {
        self.steps.iter().for_each(|step| step.take(place));
    }

    /// Whether qemu-img reads it, and gets it right.
    #[must_use]
    pub fn is_read_by_qemu(&self) -> bool {
        matches!(self.truth, Truth::Qemu)
    }

    /// What is on the disk, or why it cannot be read.
    ///
    /// # Errors
    ///
    /// The reason.
    ///
    /// # Panics
    ///
    /// If qemu-img cannot read it.
    pub fn content(&self, place: &Place) -> Result<Vec<u8>, &'static str> {
        let read = |name| std::fs::read(place.file(name)).expect("a raw image");
        match self.truth {
            Truth::Qemu => {
                let arguments = ["convert", "-O", "raw", self.file, "truth.raw"];
                place.must("qemu-img", &arguments);
                Ok(read("truth.raw"))
            }
            Truth::File(name) => Ok(read(name)),
            Truth::Refused(reason) => Err(reason),
        }
    }
}
