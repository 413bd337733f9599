//! Bochs images. bximage, which makes them, is not asked: the samples are the same.

use formats::bochs::header::VERSION_1;
use formats::bochs::sample::Growing;

use super::Source;
use crate::images::Step;

/// The image.
const FILE: &str = "a.img";

/// Disks of several geometries.
pub const SOURCES: &[Source] = &[
    Source::new("empty", FILE, &[Step::Write(FILE, || Growing::default().bytes())]),
    Source::new("written", FILE, &[Step::Write(FILE, || Growing::written().bytes())]),
    Source::new(
        "version 1",
        FILE,
        &[Step::Write(FILE, || Growing { version: VERSION_1, ..Growing::written() }.bytes())],
    ),
    Source::new(
        "half a sector",
        FILE,
        &[Step::Write(FILE, || Growing { disk: 1_000_000, ..Growing::written() }.bytes())],
    ),
    Source::new("large extents", FILE, &[Step::Write(FILE, large_extents)]),
    Source::new(
        "holes in extents",
        FILE,
        &[
            Step::Write(FILE, large_extents),
            Step::Patch(FILE, 2560, &[0b1010_0101, 0xff, 0, 0xff, 0xf0, 0x0f]),
            Step::Patch(FILE, 2560 + 60, &[0xff, 0xff, 0, 0, 0x55, 0xaa, 0xff]),
        ],
    ),
    Source::new(
        "an extent behind the end of the file",
        FILE,
        &[
            Step::Write(FILE, || Growing::written().bytes()),
            Step::Patch(FILE, 512, &[5, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff]),
        ],
    ),
    Source::new(
        "a bitmap without bytes",
        FILE,
        &[Step::Write(FILE, || Growing::written().bytes()), Step::Patch(FILE, 76, &[0; 4])],
    ),
    Source::new(
        "a bitmap that is too short",
        FILE,
        &[Step::Write(FILE, || Growing { bitmap_size: 1, ..large() }.bytes())],
    ),
    Source::new(
        "a file that ends in an extent",
        FILE,
        &[Step::Write(FILE, || {
            let mut bytes = Growing::written().bytes();
            bytes.truncate(5000);
            bytes
        })],
    ),
];

/// A disk of 4 MiB with extents of 512 KiB.
fn large() -> Growing {
    let count = |length: usize| (0_u8..=250).cycle().take(length).collect();
    let extents = vec![(7, count(512 << 10)), (2, count(100_000)), (3, count(512))];
    let (disk, extent_size, bitmap_size) = (4 << 20, 512 << 10, 128);
    Growing { disk, extent_size, bitmap_size, extents, ..Growing::default() }
}

fn large_extents() -> Vec<u8> {
    large().bytes()
}
