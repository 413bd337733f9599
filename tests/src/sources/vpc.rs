//! VHD images. qemu-img has no probing for fixed ones and takes differencing disks for
//! dynamic ones, so that raw images say what is on them.

use formats::guid::Guid;
use formats::vpc::sample::{PARENT_ID, Parent, Vhd};

use super::Source;
use crate::images::Step;

/// The image.
const FILE: &str = "a.vhd";

/// The size of the disks from makers of samples, in bytes.
const SIZE: usize = 5 << 20;

/// What is written to a disk: at which sector, and what.
type Content = Vec<(u64, Vec<u8>)>;

/// A part of a disk, at a sector, in which no two sectors are alike.
fn piece(sector: u64, sectors: usize, seed: usize) -> (u64, Vec<u8>) {
    let byte = |place: usize| (place / 512 * 7 + place + seed).to_le_bytes()[0] | 1;
    let bytes = (0..sectors * 512).map(byte);
    (sector, bytes.collect())
}

/// What the disk at the bottom has.
fn bottom() -> Content {
    vec![piece(0, 3000, 1), piece(5000, 1, 2), piece(8191, 2049, 3)]
}

/// What the one on top of it has.
fn middle() -> Content {
    let alternate = (100..140).step_by(2).map(|sector| piece(sector, 1, 4));
    alternate.chain([piece(2990, 100, 5), piece(4095, 2, 6), piece(10_239, 1, 7)]).collect()
}

/// What the one at the top has: some zeros as well.
fn top() -> Content {
    vec![piece(101, 30, 8), (2000, vec![0; 20 * 512]), piece(8192, 4, 9)]
}

/// A disk with contents on top of each other.
fn raw(contents: &[Content]) -> Vec<u8> {
    let mut disk = vec![0; SIZE];
    for (sector, bytes) in contents.iter().flatten() {
        let start = usize::try_from(*sector).expect("a sector of the disk") * 512;
        disk[start..start + bytes.len()].copy_from_slice(bytes);
    }
    disk
}

/// A disk on top of one that is called `name`.
fn child(name: &str, block_size: u32, content: Content) -> Vec<u8> {
    on_top_of(name, PARENT_ID, block_size, content)
}

/// The same, with the id of that disk.
fn on_top_of(name: &str, id: Guid, block_size: u32, content: Content) -> Vec<u8> {
    let parent = Parent { id, relative: Some(format!(r".\{name}")), ..Parent::default() };
    let vhd = Vhd::differencing(SIZE as u64, parent);
    Vhd { block_size, id: CHILD_ID, content, ..vhd }.bytes()
}

/// The id of disks on top of others.
const CHILD_ID: Guid = Guid::from_bytes(*b"disk in between\0");

/// A disk at the bottom.
fn parent(vhd: Vhd) -> Vec<u8> {
    Vhd { content: bottom(), ..vhd }.bytes()
}

/// What qemu makes, and what it does not.
pub const SOURCES: &[Source] = &[
    Source::new("nothing written", FILE, &[Step::Run("qemu-img create -f vpc a.vhd 3M")]),
    Source::new("empty", FILE, &[Step::Run("qemu-img create -f vpc a.vhd 0")]),
    Source::new(
        "blocks out of order",
        FILE,
        &[
            Step::Run("qemu-img create -f vpc -o force_size=on a.vhd 10500K"),
            Step::Run("qemu-io -f vpc -c 'write -P 1 7M 2M' -c 'write -P 2 1000K 100K' a.vhd"),
            Step::Run("qemu-io -f vpc -c 'write -P 3 10499K 1K' -c 'write -P 4 0 512' a.vhd"),
            Step::Run("qemu-io -f vpc -c 'write -z 8M 10K' -c 'discard 0 2M' a.vhd"),
        ],
    ),
    Source::new(
        "a size by geometry",
        FILE,
        &[
            Step::Run("qemu-img create -f vpc a.vhd 10M"),
            Step::Run("qemu-io -f vpc -c 'write -P 1 5M 5M' a.vhd"),
        ],
    ),
    Source::new(
        "fixed",
        FILE,
        &[
            Step::Run("qemu-img create -f vpc -o subformat=fixed,force_size=on a.vhd 3M"),
            Step::Run("qemu-io -f vpc -c 'write -P 1 1M 5K' -c 'write -P 2 3071K 1K' a.vhd"),
            Step::Run("qemu-img convert -f vpc -O raw a.vhd a.raw"),
        ],
    )
    .like("a.raw"),
    Source::new(
        "bits of a dynamic disk that are not set",
        FILE,
        &[
            Step::Run("qemu-img create -f vpc a.vhd 3M"),
            Step::Run("qemu-io -f vpc -c 'write -P 1 0 3M' a.vhd"),
            Step::Patch(FILE, 2048, &[0; 512]),
        ],
    ),
    Source::new(
        "small blocks",
        FILE,
        &[Step::Write(FILE, || {
            Vhd { block_size: 4096, content: middle(), ..Vhd::dynamic(SIZE as u64) }.bytes()
        })],
    ),
    Source::new(
        "large blocks",
        FILE,
        &[Step::Write(FILE, || {
            Vhd { block_size: 8 << 20, content: middle(), ..Vhd::dynamic(SIZE as u64) }.bytes()
        })],
    ),
    Source::new(
        "on top of a fixed disk",
        FILE,
        &[
            Step::Write("parent.vhd", || parent(Vhd::fixed(SIZE as u64))),
            Step::Write(FILE, || child("parent.vhd", 2 << 20, middle())),
            Step::Write("a.raw", || raw(&[bottom(), middle()])),
        ],
    )
    .like("a.raw"),
    Source::new(
        "on top of a dynamic disk, in smaller blocks",
        FILE,
        &[
            Step::Write("parent.vhd", || parent(Vhd::dynamic(SIZE as u64))),
            Step::Write(FILE, || child("parent.vhd", 8192, middle())),
            Step::Write("a.raw", || raw(&[bottom(), middle()])),
        ],
    )
    .like("a.raw"),
    Source::new(
        "a chain of three",
        FILE,
        &[
            Step::Write("bottom.vhd", || parent(Vhd::dynamic(SIZE as u64))),
            Step::Write("middle.vhd", || child("bottom.vhd", 2 << 20, middle())),
            Step::Write(FILE, || on_top_of("middle.vhd", CHILD_ID, 512 << 10, top())),
            Step::Write("a.raw", || raw(&[bottom(), middle(), top()])),
        ],
    )
    .like("a.raw"),
    Source::new(
        "on top of another disk",
        FILE,
        &[
            Step::Write("parent.vhd", || parent(Vhd::dynamic(SIZE as u64))),
            Step::Write(FILE, || on_top_of("parent.vhd", CHILD_ID, 2 << 20, top())),
        ],
    )
    .refused(
        "the image underneath has the id 76543210-6170-6572-6e74-277320696400, but \
             6b736964-6920-206e-6265-747765656e00 is expected",
    ),
    Source::new(
        "nothing on top",
        FILE,
        &[
            Step::Write("parent.vhd", || parent(Vhd::dynamic(SIZE as u64))),
            Step::Write(FILE, || child("parent.vhd", 2 << 20, vec![])),
            Step::Write("a.raw", || raw(&[bottom()])),
        ],
    )
    .like("a.raw"),
];
