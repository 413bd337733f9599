//! VHDX images. qemu-img reads neither differencing disks nor large sectors, and replays
//! no log of an image that it only reads, so that raw images say what is on those.

use formats::guid::Guid;
use formats::vhdx::sample::{Change, Log, Vhdx};

use super::Source;
use crate::images::Step;

/// The image.
const FILE: &str = "a.vhdx";

/// The size of the disks from makers of samples, in bytes.
const SIZE: usize = 3 << 20;

/// What is written to a disk: at which sector, and what.
type Content = Vec<(u64, Vec<u8>)>;

/// A part of a disk, at a sector, of so many bytes.
fn piece(sector: u64, length: usize, seed: usize) -> (u64, Vec<u8>) {
    let byte = |place: usize| (place / 512 * 7 + place + seed).to_le_bytes()[0] | 1;
    (sector, (0..length).map(byte).collect())
}

/// What the disk at the bottom has, in sectors of any size.
fn bottom() -> Content {
    vec![piece(0, 401_408, 1), piece(500, 131_072, 3)]
}

/// What the one on top of it has.
fn middle() -> Content {
    let alternate = (100..140).step_by(2).map(|sector| piece(sector, 4096, 4));
    alternate.chain([piece(254, 16_384, 5), piece(767, 4096, 7)]).collect()
}

/// What the one at the top has: some zeros as well.
fn top() -> Content {
    vec![piece(101, 12_288, 8), (200, vec![0; 40_960]), piece(512, 8192, 9)]
}

/// A disk with contents on top of each other.
fn raw(sector_size: usize, contents: &[Content]) -> Vec<u8> {
    let mut disk = vec![0; SIZE];
    for (sector, bytes) in contents.iter().flatten() {
        let start = usize::try_from(*sector).expect("a sector of the disk") * sector_size;
        let end = disk.len().min(start + bytes.len());
        disk[start..end].copy_from_slice(&bytes[..end - start]);
    }
    disk
}

/// A disk at the bottom.
fn parent(sector_size: u32) -> Vhdx {
    Vhdx { size: SIZE as u64, sector_size, content: bottom(), ..Vhdx::default() }
}

/// A disk on top of it.
fn child(sector_size: u32, content: Content) -> Vhdx {
    Vhdx { content, ..Vhdx::differencing(&parent(sector_size)) }
}

/// A log that has some of the data of a disk, and zeros for some: what is there before
/// and after it.
fn logged() -> [Vhdx; 2] {
    let old = Vhdx { content: bottom(), ..parent(512) };
    let more = [piece(8, 4096, 11), piece(640, 20_480, 12), (720, vec![0; 16_384])];
    let new = Vhdx { content: [bottom(), more.to_vec()].concat(), ..old.clone() };
    [old, new]
}

/// A disk whose log has everything that was written to it, with its table.
fn unfinished() -> [Vhdx; 2] {
    let new = Vhdx { content: middle(), ..parent(512) };
    [Vhdx { content: vec![], ..new.clone() }, new]
}

/// The file of an image whose log makes another of it.
fn with_log([old, new]: [Vhdx; 2], entries: usize) -> Vec<u8> {
    let changes = Change::between(&old, &old.bytes(), &new.bytes());
    let entries = changes.chunks(changes.len().div_ceil(entries)).map(<[Change]>::to_vec);
    let length = Some(new.bytes().len() as u64);
    let log = Log { last_file_offset: length, first_sector: 250, ..Log::new(entries.collect()) };
    log.in_image(&old)
}

/// What qemu makes, and what it does not.
pub const SOURCES: &[Source] = &[
    Source::new("nothing written", FILE, &[Step::Run("qemu-img create -f vhdx a.vhdx 3M")]),
    Source::new("empty", FILE, &[Step::Run("qemu-img create -f vhdx -o block_size=1M a.vhdx 0")]),
    Source::new(
        "blocks out of order",
        FILE,
        &[
            Step::Run("qemu-img create -f vhdx -o block_size=1M a.vhdx 10500K"),
            Step::Run("qemu-io -f vhdx -c 'write -P 1 7M 2M' -c 'write -P 2 1000K 100K' a.vhdx"),
            Step::Run("qemu-io -f vhdx -c 'write -P 3 10499K 1K' -c 'write -P 4 0 512' a.vhdx"),
            Step::Run("qemu-io -f vhdx -c 'write -z 8M 10K' -c 'discard 0 2M' a.vhdx"),
        ],
    ),
    Source::new(
        "blocks that are not present",
        FILE,
        &[
            Step::Run("qemu-img create -f vhdx -o block_state_zero=off a.vhdx 20000K"),
            Step::Run("qemu-io -f vhdx -c 'write -P 1 17M 1M' a.vhdx"),
        ],
    ),
    Source::new(
        "fixed",
        FILE,
        &[
            Step::Run("qemu-img create -f vhdx -o subformat=fixed,block_state_zero=off a.vhdx 9M"),
            Step::Run("qemu-io -f vhdx -c 'write -P 1 5M 3500K' a.vhdx"),
        ],
    ),
    Source::new(
        "states of blocks",
        FILE,
        &[
            Step::Run("qemu-img create -f vhdx -o block_size=1M,block_state_zero=off a.vhdx 7M"),
            Step::Run("qemu-io -f vhdx -c 'write -P 1 0 7M' a.vhdx"),
            // The table is behind the log.
            Step::Patch(FILE, 2 << 20, b"\0"),
            Step::Patch(FILE, (2 << 20) + 8, b"\x01"),
            Step::Patch(FILE, (2 << 20) + 16, b"\x02"),
            Step::Patch(FILE, (2 << 20) + 24, b"\x03"),
            Step::Patch(FILE, (2 << 20) + 32, b"\x05"),
        ],
    ),
    Source::new("a sample", FILE, &[Step::Write(FILE, || parent(512).bytes())]),
    Source::new(
        "a state that there is not",
        FILE,
        &[Step::Write(FILE, || parent(512).bytes()), Step::Patch(FILE, 3 << 20, b"\x04")],
    )
    .refused("block 0 of the disk is in the unknown state 4"),
    Source::new(
        "large sectors",
        FILE,
        &[
            Step::Write(FILE, || parent(4096).bytes()),
            Step::Write("a.raw", || raw(4096, &[bottom()])),
        ],
    )
    .like("a.raw"),
    Source::new(
        "on top of a disk",
        FILE,
        &[
            Step::Write("parent.vhdx", || parent(512).bytes()),
            Step::Write(FILE, || child(512, middle()).bytes()),
            Step::Write("a.raw", || raw(512, &[bottom(), middle()])),
        ],
    )
    .like("a.raw"),
    Source::new(
        "on top of a fixed disk with large sectors",
        FILE,
        &[
            Step::Write("parent.vhdx", || Vhdx { fixed: true, ..parent(4096) }.bytes()),
            Step::Write(FILE, || child(4096, middle()).bytes()),
            Step::Write("a.raw", || raw(4096, &[bottom(), middle()])),
        ],
    )
    .like("a.raw"),
    Source::new(
        "nothing on top",
        FILE,
        &[
            Step::Write("parent.vhdx", || parent(512).bytes()),
            Step::Write(FILE, || child(512, vec![]).bytes()),
            Step::Write("a.raw", || raw(512, &[bottom()])),
        ],
    )
    .like("a.raw"),
    Source::new(
        "a chain of three, in blocks of other sizes",
        FILE,
        &[
            Step::Write("bottom.vhdx", || parent(512).bytes()),
            Step::Write("parent.vhdx", || {
                let mut disk = child(512, middle());
                let pairs = disk.parent.iter_mut().flat_map(|parent| &mut parent.pairs);
                pairs.for_each(|(_, value)| *value = value.replace("parent", "bottom"));
                Vhdx { block_size: 8 << 20, ..disk }.bytes()
            }),
            Step::Write(FILE, || {
                let disk = Vhdx::differencing(&child(512, middle()));
                Vhdx { block_size: 2 << 20, content: top(), ..disk }.bytes()
            }),
            Step::Write("a.raw", || raw(512, &[bottom(), middle(), top()])),
        ],
    )
    .like("a.raw"),
    Source::new(
        "on top of a disk that has changed",
        FILE,
        &[
            Step::Write("parent.vhdx", || {
                let data_write_id = Guid::from_bytes([7; 16]);
                Vhdx { data_write_id, ..parent(512) }.bytes()
            }),
            Step::Write(FILE, || child(512, top()).bytes()),
        ],
    )
    .refused(
        "the image underneath has the id 07070707-0707-0707-0707-070707070707, but \
             12345678-dada-4444-7468-652064617461 is expected",
    ),
    Source::new(
        "a log with data",
        FILE,
        &[
            Step::Write(FILE, || with_log(logged(), 1)),
            Step::Write("after.vhdx", || logged()[1].bytes()),
            Step::Run("qemu-img convert -O raw after.vhdx a.raw"),
        ],
    )
    .like("a.raw"),
    Source::new(
        "a log of several entries with data",
        FILE,
        &[
            Step::Write(FILE, || with_log(logged(), 3)),
            Step::Write("after.vhdx", || logged()[1].bytes()),
            Step::Run("qemu-img convert -O raw after.vhdx a.raw"),
        ],
    )
    .like("a.raw"),
    Source::new(
        "a log with all that was written",
        FILE,
        &[
            Step::Write(FILE, || with_log(unfinished(), 2)),
            Step::Write("after.vhdx", || unfinished()[1].bytes()),
            Step::Run("qemu-img convert -O raw after.vhdx a.raw"),
        ],
    )
    .like("a.raw"),
    Source::new(
        "a log that qemu replays",
        FILE,
        &[
            Step::Write(FILE, || Log { first_sector: 0, ..one_entry() }.in_image(&logged()[0])),
            Step::Run("cp a.vhdx after.vhdx"),
            Step::Run("qemu-img check -q -r all after.vhdx"),
            Step::Run("qemu-img convert -O raw after.vhdx a.raw"),
        ],
    )
    .like("a.raw"),
];

/// A log whose one entry has data.
fn one_entry() -> Log {
    let [old, new] = logged();
    Log::new(vec![Change::between(&old, &old.bytes(), &new.bytes())])
}
