//! Raw images, and what they hold: made by the tools that people use, and by our
//! samples where there is no tool or the tool makes no such thing.

use formats::contents::sample::{self, Disc, Gpt, Mbr};
use formats::contents::volumes::UDF;

use super::{Image, Step};

/// A command that writes a partition table, from lines of a script.
macro_rules! sfdisk {
    ($($line:literal),+) => {
        concat!(
            "sh -c 'PATH=$PATH:/usr/sbin:/sbin; printf \"",
            $($line, "\\n",)+
            "\" | sfdisk --quiet a.img'"
        )
    };
}

/// An image, and what it holds, in the words that people get.
pub type Held = (Image, &'static [&'static str]);

/// Partition tables and file systems, several at once, damaged ones, and what only
/// looks like one.
pub const IMAGES: &[Held] = &[
    (raw("nothing", &[Step::Run("truncate -s 1M a.img")]), &[]),
    (raw("empty", &[Step::Run("truncate -s 0 a.img")]), &[]),
    (raw("text", &[Step::Write("a.img", || b"EFI PART CD001 NSR02".repeat(4000))]), &[]),
    // DOS partition tables.
    (
        raw(
            "dos",
            &[DISK, Step::Run(sfdisk!("label: dos", "label-id: 0x11223344", "2048,1024", ","))],
        ),
        &["mbr (disk: 0x11223344, partitions: 2)"],
    ),
    (
        raw(
            "dos, logical",
            &[
                DISK,
                Step::Run(sfdisk!(
                    "label: dos",
                    "label-id: 0x11223344",
                    "2048,1024",
                    "3072,4000,E",
                    "3073,100",
                    "3200,100,S",
                    "3400,100"
                )),
            ],
        ),
        &["mbr (disk: 0x11223344, partitions: 4)"],
    ),
    (
        raw("dos, no partition", &[DISK, Step::Run(sfdisk!("label: dos", "label-id: 0x11223344"))]),
        &["mbr (disk: 0x11223344, partitions: 0)"],
    ),
    (
        raw("dos, sample", &[Step::Write("a.img", || Mbr::extended(9).bytes())]),
        &["mbr (disk: 0x1234abcd, partitions: 10)"],
    ),
    (
        raw(
            "dos, cut off",
            &[
                Step::Write("a.img", || Mbr::default().bytes()),
                Step::Run("truncate -s 1000K a.img"),
            ],
        ),
        &[],
    ),
    (
        raw(
            "dos, end inside a sector",
            &[Step::Write("a.img", || Mbr::default().bytes()), Step::Run("truncate -s -1 a.img")],
        ),
        &["mbr (disk: 0x1234abcd, partitions: 2)"],
    ),
    (raw("boot sector of FAT", &[Step::Write("a.img", sample::fat)]), &[]),
    // GUID partition tables.
    (
        raw("gpt", &[DISK, GPT]),
        &["gpt (disk: 01234567-89ab-cdef-0123-456789abcdef, partitions: 2, sector-size: 512, \
         valid: true, backup: true)"],
    ),
    (
        raw("gpt, damaged", &[DISK, GPT, Step::Patch("a.img", 1100, b"x")]),
        &["gpt (disk: 01234567-89ab-cdef-0123-456789abcdef, partitions: 2, sector-size: 512, \
         valid: false, backup: true)"],
    ),
    (
        raw("gpt, only the copy", &[DISK, GPT, Step::Patch("a.img", 512, &[0; 512])]),
        &["gpt (disk: 01234567-89ab-cdef-0123-456789abcdef, partitions: 2, sector-size: 512, \
         valid: false, backup: true)"],
    ),
    (
        raw("gpt, grown", &[DISK, GPT, Step::Run("truncate -s +1M a.img")]),
        &["gpt (disk: 01234567-89ab-cdef-0123-456789abcdef, partitions: 2, sector-size: 512, \
         valid: true, backup: true)"],
    ),
    (
        raw("gpt, cut off", &[DISK, GPT, Step::Run("truncate -s -1M a.img")]),
        &["gpt (disk: 01234567-89ab-cdef-0123-456789abcdef, partitions: 2, sector-size: 512, \
         valid: true, backup: false)"],
    ),
    (
        raw(
            "gpt, nothing but protection",
            &[DISK, GPT, Step::Patch("a.img", 512, &[0; 512]), Step::Run("truncate -s 1M a.img")],
        ),
        &["mbr (disk: 0x00000000, partitions: 1)"],
    ),
    (
        raw("gpt, large sectors", &[Step::Write("a.img", || Gpt::with_large_sectors().bytes())]),
        &["gpt (disk: 12345678-9abc-def0-1122-334455667788, partitions: 3, sector-size: 4096, \
         valid: true, backup: true)"],
    ),
    (
        raw(
            "gpt, hybrid",
            &[Step::Write("a.img", || {
                Gpt { hybrid: vec![(0x0c, 40, 1000)], ..Gpt::default() }.bytes()
            })],
        ),
        &[
            "mbr (disk: 0x00000000, partitions: 1)",
            "gpt (disk: 12345678-9abc-def0-1122-334455667788, partitions: 3, sector-size: 512, \
         valid: true, backup: true)",
        ],
    ),
    // Discs.
    (
        disc("iso", &[FILE, Step::Run("xorriso -as mkisofs -quiet -V 'A NAME' -o a.iso d")]),
        &["iso9660 (volume: A NAME, bootable: false)"],
    ),
    (
        disc(
            "iso, Joliet",
            &[
                FILE,
                Step::Run(
                    "xorriso -as mkisofs -quiet -J -V A2345678901234567890123456789012 -o a.iso d",
                ),
            ],
        ),
        &["iso9660 (volume: A2345678901234567890123456789012, bootable: false)"],
    ),
    (
        disc(
            "iso, bootable",
            &[
                FILE,
                Step::Run("xorriso -as mkisofs -quiet -V BOOT -b boot -no-emul-boot -o a.iso d"),
            ],
        ),
        &["iso9660 (volume: BOOT, bootable: true)"],
    ),
    (
        disc(
            "iso, hybrid with a DOS table",
            &[
                FILE,
                Step::Run(
                    "xorriso -as mkisofs -quiet -V HYBRID -b boot -no-emul-boot \
             -append_partition 2 0xef d/boot -o a.iso d",
                ),
            ],
        ),
        &["mbr (disk: 0x00000000, partitions: 2)", "iso9660 (volume: HYBRID, bootable: true)"],
    ),
    (
        disc(
            "iso, hybrid with a GUID table",
            &[
                FILE,
                Step::Run(
                    "xorriso -as mkisofs -quiet -V HYBRID -append_partition 2 0xef d/boot \
             -appended_part_as_gpt --gpt_disk_guid 01234567-89ab-cdef-0123-456789abcdef \
             -o a.iso d",
                ),
            ],
        ),
        &[
            "gpt (disk: 01234567-89ab-cdef-0123-456789abcdef, partitions: 3, sector-size: 512, \
         valid: true, backup: true)",
            "iso9660 (volume: HYBRID, bootable: false)",
        ],
    ),
    (
        disc(
            "iso, name that commands terminals",
            &[Step::Write("a.iso", || {
                Disc { volume: Some("\u{1b}[2J"), ..Disc::default() }.bytes()
            })],
        ),
        &["iso9660 (volume: \u{1b}[2J, bootable: false)"],
    ),
    (disc("udf", &[Step::Write("a.iso", || Disc::udf().bytes())]), &["udf"]),
    (
        disc(
            "udf, large sectors",
            &[Step::Write("a.iso", || Disc { distance: 4096, ..Disc::udf() }.bytes())],
        ),
        &["udf"],
    ),
    (
        disc(
            "iso and udf",
            &[Step::Write("a.iso", || Disc { udf: Some(UDF[1]), ..Disc::default() }.bytes())],
        ),
        &["iso9660 (volume: SAMPLE, bootable: false)", "udf"],
    ),
    (
        disc(
            "descriptors cut off",
            &[
                Step::Write("a.iso", || Disc::default().bytes()),
                Step::Run("truncate -s 32800 a.iso"),
            ],
        ),
        &[],
    ),
];

const fn raw(name: &'static str, steps: &'static [Step]) -> Image {
    Image::new(name, "a.img", steps)
}

const fn disc(name: &'static str, steps: &'static [Step]) -> Image {
    Image::new(name, "a.iso", steps)
}

/// A disk of 4 MiB.
const DISK: Step = Step::Run("truncate -s 4M a.img");

/// What is on a disc.
const FILE: Step = Step::Write("d/boot", || vec![0x5a; 8192]);

const GPT: Step = Step::Run(sfdisk!(
    "label: gpt",
    "label-id: 01234567-89AB-CDEF-0123-456789ABCDEF",
    "size=1M",
    "size=512K"
));
