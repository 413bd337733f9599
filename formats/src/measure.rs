//! How large an image gets, before it is made, for formats of which qemu-img has figures
//! of its own. Of others, it is found out by having a [`Writer`](crate::Writer) make one.

use crate::error::Error;
use crate::image::Bitmap;

/// How large an image gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// Bytes that it takes.
    pub required: u64,
    /// Bytes that it takes if all of its disk has data.
    pub fully_allocated: u64,
    /// Bytes that the bitmaps of the source take besides, if source and image can have
    /// some.
    pub bitmaps: Option<u64>,
}

/// What is to be put into the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A disk of a size in bytes, without data.
    Empty(u64),
    /// Another image.
    Image {
        /// The size of its disk in bytes.
        size: u64,
        /// Units in which it has data, if the ruler has asked for them.
        units: u64,
        /// Whether it can have bitmaps.
        can_have_bitmaps: bool,
    },
}

/// Says how large images with some options get.
pub trait Ruler {
    /// The unit in which it is to be counted where the source has data, in bytes, if that
    /// makes a difference.
    fn unit(&self) -> Option<u64>;

    /// Takes note of a bitmap of the source, whose disk has a size in bytes.
    fn add_bitmap(&mut self, bitmap: &Bitmap, disk: u64) {
        let _ = (bitmap, disk);
    }

    /// How large an image gets.
    ///
    /// # Errors
    ///
    /// If there is no such image.
    fn measure(&self, source: &Source) -> Result<Measure, Error>;
}
