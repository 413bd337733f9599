//! Images for tests. All are made here; none is kept.
//!
//! What qemu-img can make, it makes. The rest comes from the sample makers that
//! lie beside the formats, and from the tools of their makers (cryptsetup,
//! xorriso).

use crate::Place;

/// An image, or a set of files that is one.
#[derive(Clone, Copy, Debug)]
pub struct Image {
    /// What it shows.
    pub name: &'static str,
    /// The file to look at.
    pub file: &'static str,
    /// How it is made.
    make: Make,
}

#[derive(Clone, Copy, Debug)]
enum Make {
    /// By qemu-img, with these arguments, one run after the other.
    QemuImg(&'static [&'static [&'static str]]),
}

impl Image {
    /// Makes the image.
    ///
    /// # Panics
    ///
    /// If a tool fails.
    pub fn make(&self, place: &Place) {
        match self.make {
            Make::QemuImg(runs) => {
                for arguments in runs {
                    place.must("qemu-img", arguments);
                }
            }
        }
    }
}

const fn qemu_img(
    name: &'static str,
    file: &'static str,
    runs: &'static [&'static [&'static str]],
) -> Image {
    Image { name, file, make: Make::QemuImg(runs) }
}

/// Images that qemu-img reads properly, so that its output is the one to match.
pub const READ_BY_QEMU: &[Image] = &[
    qemu_img("raw", "a.raw", &[&["create", "-f", "raw", "a.raw", "10M"]]),
    qemu_img("raw of odd length", "a.raw", &[&["create", "-f", "raw", "a.raw", "1000"]]),
];
