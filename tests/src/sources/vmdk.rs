//! VMDK images.

use formats::vmdk::sample::{Cowd, Hosted, SeSparse, Text};

use super::Source;
use crate::images::Step;

/// The image.
const FILE: &str = "a.vmdk";

/// Some writes, not in order.
const WRITE: Step = Step::Run(
    "qemu-io -f vmdk -c 'write -P 1 7M 2M' -c 'write -P 2 1000K 100K' -c \
     'write -P 3 10499K 1K' -c 'write -P 4 0 512' -c 'write -P 5 65024 1024' a.vmdk",
);

/// Some writes to a disk of 2 MiB.
const WRITE_SMALL: Step = Step::Run(
    "qemu-io -f vmdk -c 'write -P 1 1023K 9K' -c 'write -P 2 2047K 1K' -c \
     'write -P 3 512 512' -c 'write -P 4 100K 30K' -c 'write -P 5 1500K 1K' a.vmdk",
);

/// Something to compress.
const RAW: Step = Step::Write("a.raw", || {
    let mut bytes = vec![0; 3_200_000 + 512];
    for (number, piece) in bytes.chunks_mut(50_000).enumerate() {
        let numbers = piece.iter_mut().zip(0_u32..);
        match number % 4 {
            0 => piece.fill(7),
            1 => numbers.for_each(|(byte, at)| *byte = (at.wrapping_mul(at) / 7).to_le_bytes()[1]),
            2 => numbers.for_each(|(byte, at)| {
                *byte = at.wrapping_mul(2_654_435_761).rotate_left(at % 29).to_le_bytes()[2];
            }),
            _ => {}
        }
    }
    bytes
});

/// A disk that is this extent and its descriptor.
fn hosted(grain_size: u64, capacity: u64) -> Vec<u8> {
    let descriptor = Text::new("monolithicSparse", &["RW 4096 SPARSE \"a.vmdk\""]).bytes();
    let descriptor = Some(descriptor);
    Hosted { grain_size, capacity, descriptor, ..Hosted::default() }.bytes()
}

/// An extent of such a disk.
fn extent(grain_size: u64, capacity: u64, compressed: bool) -> Vec<u8> {
    Hosted { grain_size, capacity, compressed, ..Hosted::extent() }.bytes()
}

/// A seSparse extent of 1 MiB with grains of every kind.
fn se_sparse() -> Vec<u8> {
    let mut bytes = SeSparse::default().bytes();
    bytes[1024..1032].copy_from_slice(&(1_u64 << 60).to_le_bytes());
    bytes.resize((67 + 8 * 20) * 512, 0);
    let kinds = [3 << 60, 0x3001 << 48, 0, 1 << 60, 2 << 60, 0x3003 << 48, 0x3002 << 48, 3 << 60];
    for (grain, entry) in kinds.into_iter().cycle().take(256).enumerate() {
        let place = 3 * 512 + grain * 8;
        bytes[place..place + 8].copy_from_slice(&u64::to_le_bytes(entry));
    }
    for (number, piece) in (1..).zip(bytes[67 * 512..].chunks_mut(512)) {
        piece.fill(number);
    }
    bytes
}

/// A part of a disk in each kind of extent, each with two mebibytes of its own.
const PARTS: &[Step] = &[
    Step::Write(FILE, || {
        let lines = [
            "RW 4096 SPARSE \"s.vmdk\"",
            "RW 4096 FLAT \"f.vmdk\" 3",
            "RW 1000 ZERO",
            "RW 4096 FLAT \"g.vmdk\" 9",
            "RW 2001 SPARSE \"t.vmdk\"",
        ];
        Text::new("twoGbMaxExtentSparse", &lines).bytes()
    }),
    Step::Write("s.vmdk", || extent(16, 4096, false)),
    Step::Write("t.vmdk", || extent(128, 2001, false)),
    // The same without the extent of zeros, which qemu leaves out: for its writes.
    Step::Write("b.vmdk", || {
        let lines = [
            "RW 4096 SPARSE \"s.vmdk\"",
            "RW 4096 FLAT \"f.vmdk\" 3",
            "RW 4096 FLAT \"g.vmdk\" 9",
            "RW 2001 SPARSE \"t.vmdk\"",
        ];
        Text::new("twoGbMaxExtentSparse", &lines).bytes()
    }),
    Step::Write("f.vmdk", || (0..=255).cycle().take(1_000_000).collect()),
    Step::Write("g.vmdk", || (0..=250).cycle().take(3_000_000).collect()),
    Step::Run(
        "qemu-io -f vmdk -c 'write -P 1 2040K 100K' -c 'write -P 2 4090K 5K' -c 'write -P 3 \
         6100K 80K' -c 'write -P 4 1K 1K' b.vmdk",
    ),
    Step::Run("qemu-img convert -f vmdk -O raw b.vmdk b.raw"),
    Step::Run("dd if=b.raw of=a.raw bs=4M count=1 status=none"),
    Step::Run("dd if=b.raw of=a.raw bs=512 skip=8192 seek=9192 status=none"),
];

/// What qemu and VMware's products make.
pub const SOURCES: &[Source] = &[
    Source::new("nothing written", FILE, &[Step::Run("qemu-img create -f vmdk a.vmdk 3M")]),
    Source::new("one sector", FILE, &[Step::Run("qemu-img create -f vmdk a.vmdk 1")]),
    Source::new(
        "grains out of order",
        FILE,
        &[Step::Run("qemu-img create -f vmdk a.vmdk 10500K"), WRITE],
    ),
    Source::new(
        "grains of zeros",
        FILE,
        &[
            Step::Run("qemu-img create -f vmdk -o zeroed_grain=on a.vmdk 10500K"),
            WRITE,
            Step::Run(
                "qemu-io -f vmdk -c 'write -z 8M 1M' -c 'write -z 3M 64K' -c 'write -z 1000K 10K' \
                 a.vmdk",
            ),
        ],
    ),
    Source::new("small grains", FILE, &[Step::Write(FILE, || hosted(8, 4096)), WRITE_SMALL]),
    Source::new(
        "grains of one sector",
        FILE,
        &[Step::Write(FILE, || hosted(1, 4096)), WRITE_SMALL],
    ),
    Source::new(
        "large grains, an odd size",
        FILE,
        &[Step::Write(FILE, || hosted(1024, 4097)), WRITE_SMALL],
    ),
    Source::new(
        "grains that are no power of two",
        FILE,
        &[Step::Write(FILE, || hosted(100, 4096)), WRITE_SMALL],
    ),
    Source::new(
        "an entry of a grain behind the end of the file",
        FILE,
        &[
            Step::Run("qemu-img create -f vmdk a.vmdk 1M"),
            Step::Patch(FILE, 27 * 512, b"\0\0\0\x40"),
        ],
    ),
    Source::new(
        "a grain table that is not there",
        FILE,
        &[
            Step::Run("qemu-img create -f vmdk a.vmdk 40M"),
            Step::Run("qemu-io -f vmdk -c 'write -P 1 31M 9M' a.vmdk"),
            Step::Patch(FILE, 21 * 512 + 9 * 512, &[0; 4]),
        ],
    ),
    Source::new(
        "compressed grains",
        FILE,
        &[RAW, Step::Run("qemu-img convert -O vmdk -o subformat=streamOptimized a.raw a.vmdk")],
    ),
    Source::new(
        "compressed grains out of order",
        FILE,
        &[
            Step::Run("qemu-img create -f vmdk -o subformat=streamOptimized a.vmdk 1000K"),
            Step::Run(
                "qemu-io -f vmdk -c 'write -c -P 1 128K 64K' -c 'write -c -P 2 64K 64K' -c \
                 'write -c -P 3 512K 64K' -c 'write -c -P 4 960K 40K' -c 'write -c -P 5 0 64K' \
                 a.vmdk",
            ),
        ],
    ),
    Source::new(
        "compressed grains, nothing written",
        FILE,
        &[Step::Run("qemu-img create -f vmdk -o subformat=streamOptimized a.vmdk 3M")],
    ),
    Source::new("a footer", FILE, &[Step::Write(FILE, || Hosted::stream_optimized().bytes())]),
    Source::new(
        "flat",
        FILE,
        &[Step::Run("qemu-img create -f vmdk -o subformat=monolithicFlat a.vmdk 10500K"), WRITE],
    ),
    Source::new(
        "flat, a file that is too short",
        FILE,
        &[
            Step::Run("qemu-img create -f vmdk -o subformat=monolithicFlat a.vmdk 10500K"),
            WRITE,
            Step::Run("truncate -s 8000001 a-flat.vmdk"),
        ],
    ),
    Source::new(
        "split, sparse",
        FILE,
        &[
            Step::Run("qemu-img create -f vmdk -o subformat=twoGbMaxExtentSparse a.vmdk 10500K"),
            WRITE,
        ],
    ),
    Source::new(
        "split, flat",
        FILE,
        &[
            Step::Run("qemu-img create -f vmdk -o subformat=twoGbMaxExtentFlat a.vmdk 10500K"),
            WRITE,
        ],
    ),
    Source::new(
        "an extent that ends inside a grain",
        FILE,
        &[
            Step::Write(FILE, || {
                let lines = ["RW 1000 SPARSE \"b\"", "RW 1000 SPARSE \"c\""];
                Text::new("twoGbMaxExtentSparse", &lines).bytes()
            }),
            Step::Write("b", || extent(128, 1000, false)),
            Step::Write("c", || extent(128, 1000, false)),
            Step::Run(
                "qemu-io -f vmdk -c 'write -P 1 100K 400K' -c 'write -P 2 500K 100K' \
                 a.vmdk",
            ),
            Step::Run("truncate -s 1000K a.raw"),
            Step::Run("qemu-io -f raw -c 'write -P 1 100K 400K' -c 'write -P 2 500K 100K' a.raw"),
        ],
    )
    .like("a.raw"),
    Source::new("extents of many kinds", FILE, PARTS).like("a.raw"),
    Source::new(
        "vmfs",
        FILE,
        &[
            Step::Write(FILE, || Text::new("vmfs", &["RW 2048 VMFS \"a-flat.vmdk\""]).bytes()),
            Step::Write("a-flat.vmdk", || (0..=255).cycle().take(1 << 20).collect()),
        ],
    ),
    Source::new(
        "an ESX extent with too short a directory",
        FILE,
        &[
            Step::Write(FILE, || Text::new("vmfsSparse", &["RW 1 VMFSSPARSE \"b\""]).bytes()),
            Step::Write("b", || Cowd { capacity: 8192, ..Cowd::default() }.bytes()),
            Step::Patch("b", 24, &[1]),
        ],
    )
    .refused("the grain directory has no entry for grain table 1"),
    Source::new(
        "ESX extents",
        FILE,
        &[
            Step::Write(FILE, || {
                let lines = ["RW 4096 VMFSSPARSE \"a-delta.vmdk\"", "RW 9 VMFSSPARSE \"b\""];
                Text::new("vmfsSparse", &lines).bytes()
            }),
            Step::Write("a-delta.vmdk", || with_table(4096, 1)),
            Step::Write("b", || with_table(9, 8)),
            Step::Run("qemu-io -f vmdk -c 'write -P 9 2044K 6K' a.vmdk"),
            WRITE_SMALL,
        ],
    ),
    Source::new(
        "seSparse",
        FILE,
        &[
            Step::Write(FILE, || Text::new("seSparse", &["RW 2048 SESPARSE \"a-s\""]).bytes()),
            Step::Write("a-s", se_sparse),
        ],
    ),
    Source::new(
        "a compressed extent beside one that is not",
        FILE,
        &[
            Step::Write(FILE, || {
                let lines = ["RW 2048 SPARSE \"b\"", "RW 2048 SPARSE \"c\""];
                Text::new("twoGbMaxExtentSparse", &lines).bytes()
            }),
            Step::Write("b", || extent(128, 2048, true)),
            Step::Write("c", || extent(128, 2048, false)),
            Step::Run(
                "qemu-io -f vmdk -c 'write -c -P 1 64K 64K' -c 'write -P 2 1060K 100K' a.vmdk",
            ),
        ],
    ),
    Source::new(
        "three layers",
        "c.vmdk",
        &[
            Step::Run("qemu-img create -f vmdk a.vmdk 10500K"),
            WRITE,
            Step::Run("qemu-img create -f vmdk -o zeroed_grain=on -b a.vmdk -F vmdk b.vmdk 9M"),
            Step::Run("qemu-io -f vmdk -c 'write -P 6 1M 3K' -c 'write -z 7M 1M' b.vmdk"),
            Step::Run("qemu-img create -f vmdk -b b.vmdk -F vmdk c.vmdk 20M"),
            Step::Run("qemu-io -f vmdk -c 'write -P 7 8M 3M' c.vmdk"),
        ],
    ),
    Source::new(
        "a parent that has changed",
        "b.vmdk",
        &[
            Step::Write(FILE, || hosted(128, 4096)),
            Step::Run("qemu-img create -f vmdk -b a.vmdk -F vmdk b.vmdk"),
            Step::Patch(FILE, 512 + 36, b"87654321"),
        ],
    )
    .refused(
        "the content of the parent has changed (its CID is 87654321, the child expects 12345678)",
    ),
];

/// An ESX extent without grains that has its grain table: qemu makes none.
fn with_table(capacity: u32, grain_size: u32) -> Vec<u8> {
    let mut bytes = Cowd { capacity, grain_size, ..Cowd::default() }.bytes();
    let sector = u32::try_from(bytes.len() / 512).unwrap_or(0);
    bytes[2048..2052].copy_from_slice(&sector.to_le_bytes());
    bytes.resize(bytes.len() + 16_384, 0);
    bytes
}
