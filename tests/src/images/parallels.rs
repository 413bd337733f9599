//! Parallels images.

use formats::parallels::header::IN_USE;
use formats::parallels::sample::{Disk, Extension};

use super::{Image, Step, Verdict};

/// What qemu-img makes, what Parallels' own software makes, and what is damaged.
pub const IMAGES: &[Image] = &[
    // What qemu-img makes.
    made("the usual", &[Step::Run("qemu-img create -f parallels a.hds 100M")]),
    made("empty", &[Step::Run("qemu-img create -f parallels a.hds 0")]),
    made("one byte", &[Step::Run("qemu-img create -f parallels a.hds 1")]),
    made("one sector", &[Step::Run("qemu-img create -f parallels a.hds 512")]),
    made("a cluster and a sector", &[Step::Run("qemu-img create -f parallels a.hds 1049088")]),
    made("3 TiB", &[Step::Run("qemu-img create -f parallels -o cluster_size=4M a.hds 3T")]),
    made(
        "clusters of one sector",
        &[Step::Run("qemu-img create -f parallels -o cluster_size=512 a.hds 10M")],
    ),
    made(
        "clusters of 63 sectors",
        &[Step::Run("qemu-img create -f parallels -o cluster_size=32256 a.hds 10M")],
    ),
    made(
        "clusters of 64 KiB",
        &[Step::Run("qemu-img create -f parallels -o cluster_size=64k a.hds 10M")],
    ),
    made(
        "clusters of an odd size",
        &[Step::Run("qemu-img create -f parallels -o cluster_size=1000 a.hds 10M")],
    ),
    made(
        "clusters larger than the disk",
        &[Step::Run("qemu-img create -f parallels -o cluster_size=16M a.hds 10M")],
    ),
    made(
        "with data",
        &[
            Step::Write("a.raw", || vec![7; 3 << 20]),
            Step::Run("qemu-img convert -f raw -O parallels a.raw a.hds"),
        ],
    ),
    // What other software makes.
    made("the extended magic", &[Step::Write(FILE, || Disk::default().bytes())]),
    made("the old magic", &[Step::Write(FILE, || Disk::old().bytes())]),
    made(
        "the old magic, empty",
        &[Step::Write(FILE, || Disk { sectors: 0, ..Disk::old() }.bytes())],
    ),
    made("left open", &[Step::Write(FILE, || Disk { in_use: IN_USE, ..Disk::default() }.bytes())])
        .alone(Verdict::Expected("parallels-left-open"))
        .chain(Verdict::Expected("parallels-left-open-chain")),
    made(
        "an extension without features",
        &[Step::Write(FILE, || {
            Disk { extension: Some(Extension::empty()), ..Disk::default() }.bytes()
        })],
    ),
    made(
        "a dirty bitmap",
        &[Step::Write(FILE, || {
            Disk { extension: Some(Extension::dirty_bitmap()), ..Disk::default() }.bytes()
        })],
    ),
    // Fields that nothing depends on.
    made("a geometry", &[NEW, Step::Patch(FILE, 20, &[0xff; 8])]),
    made("fewer entries than the disk has", &[NEW, Step::Patch(FILE, 32, b"\x01")]),
    made("no entries", &[NEW, Step::Patch(FILE, 32, b"\0")]),
    made("more entries than the disk needs", &[NEW, Step::Patch(FILE, 32, b"\xf0\xff\x03")]),
    made("marked as closed", &[NEW, Step::Patch(FILE, 44, b"v2.1")]),
    made("marked as something else", &[NEW, Step::Patch(FILE, 44, b"\x01\x02\x03\x04")]),
    made("data without an offset", &[NEW, Step::Patch(FILE, 48, &[0; 4])]),
    made("data in place of the header", &[NEW, Step::Patch(FILE, 48, b"\x01\0\0\0")]),
    made("data behind the end", &[NEW, Step::Patch(FILE, 48, &[0xff; 4])]),
    made("marked as empty", &[NEW, Step::Patch(FILE, 52, b"\x01")]),
    made("all flags", &[NEW, Step::Patch(FILE, 52, &[0xff; 4])]),
    made("a BAT full of nonsense", &[NEW, Step::Patch(FILE, 64, &[0xff; 40])]),
    // Sizes that qemu-img does not make.
    made("a cluster of 63 sectors, unaligned", &[NEW, Step::Patch(FILE, 28, b"\x3f\0")]),
    made("the largest cluster", &[NEW, Step::Patch(FILE, 28, b"\x0f\xe0\x3f\0")]),
    made("no sectors", &[NEW, Step::Patch(FILE, 36, &[0; 8])]),
    made("the largest disk", &[NEW, Step::Patch(FILE, 36, b"\0\0\xe0\xff\xff\xff\x3f\0")]),
    made(
        "the largest disk with the old magic",
        &[NEW, Step::Patch(FILE, 0, b"WithoutFreeSpace"), Step::Patch(FILE, 36, &[0xff; 4])],
    ),
    made(
        "the old magic, more than 32 bits",
        &[NEW, Step::Patch(FILE, 0, b"WithoutFreeSpace"), Step::Patch(FILE, 36, &[0xff; 8])],
    ),
    made(
        "the old magic, only high bits",
        &[NEW, Step::Patch(FILE, 0, b"WithoutFreeSpace"), Step::Patch(FILE, 36, b"\0\0\0\0\x01")],
    ),
    // What is damaged or not supported.
    made("half of each magic", &[NEW, Step::Patch(FILE, 0, b"WithoutFreSpacExt")]),
    made("version 1", &[NEW, Step::Patch(FILE, 16, b"\x01")]),
    made("version 3", &[NEW, Step::Patch(FILE, 16, b"\x03")]),
    made("clusters of no size", &[NEW, Step::Patch(FILE, 28, &[0; 4])]),
    made(
        "the old magic, clusters of no size",
        &[Step::Write(FILE, || Disk::old().bytes()), Step::Patch(FILE, 28, &[0; 4])],
    ),
    made("a cluster too large", &[NEW, Step::Patch(FILE, 28, b"\x10\xe0\x3f\0")]),
    made("a cluster of any size", &[NEW, Step::Patch(FILE, 28, &[0xff; 4])]),
    made("too many entries", &[NEW, Step::Patch(FILE, 32, b"\0\0\0\x20")]),
    made("any number of entries", &[NEW, Step::Patch(FILE, 32, &[0xff; 4])]),
    made("a disk too large", &[NEW, Step::Patch(FILE, 36, b"\x01\0\xe0\xff\xff\xff\x3f\0")]),
    made("a disk of half of all bytes", &[NEW, Step::Patch(FILE, 36, b"\0\0\0\0\0\0\x40\0")]),
    made("a disk of any size", &[NEW, Step::Patch(FILE, 36, &[0xff; 8])]),
    made("an extension in place of the BAT", &[NEW, Step::Patch(FILE, 56, b"\x01")]),
    made("an extension behind the end", &[NEW, Step::Patch(FILE, 56, b"\0\x08")]),
    made("an extension far behind the end", &[NEW, Step::Patch(FILE, 62, b"\x20")]),
    made(
        "an extension where no file goes on",
        &[NEW, Step::Patch(FILE, 56, b"\xfe\xff\xff\xff\xff\xff\x3f\0")],
    ),
    made(
        "an extension with an offset too large",
        &[NEW, Step::Patch(FILE, 56, b"\xff\xff\xff\xff\xff\xff\x3f\0")],
    ),
    made("an extension anywhere", &[NEW, Step::Patch(FILE, 56, &[0xff; 8])]),
    made("an extension with another magic", &[BITMAP, Step::Patch(FILE, 12_288, b"\x88")]),
    made("all is wrong", &[NEW, Step::Patch(FILE, 20, &[0xff; 44])]),
    // Files that end early.
    made("cut off in the magic", &[NEW, Step::Run("truncate -s 15 a.hds")]),
    made("cut off in front of the version", &[NEW, Step::Run("truncate -s 16 a.hds")]),
    made("cut off behind the version", &[NEW, Step::Run("truncate -s 20 a.hds")]),
    made("cut off behind the size of a cluster", &[NEW, Step::Run("truncate -s 32 a.hds")]),
    made("cut off in the size of the disk", &[NEW, Step::Run("truncate -s 37 a.hds")]),
    made("cut off in the header", &[NEW, Step::Run("truncate -s 63 a.hds")]),
    made("cut off behind the header", &[NEW, Step::Run("truncate -s 64 a.hds")]),
    made("cut off behind the BAT", &[NEW, Step::Run("truncate -s 104 a.hds")]),
    made("cut off in front of the extension", &[BITMAP, Step::Run("truncate -s 12288 a.hds")]),
    made("cut off in the zeros of the extension", &[BITMAP, Step::Run("truncate -s 12800 a.hds")]),
    made("cut off in the extension's magic", &[BITMAP, Step::Run("truncate -s 12290 a.hds")]),
    // qemu-img takes what is missing of a BAT for zeros.
    made(
        "cut off in the BAT",
        &[Step::Write(FILE, || Disk::default().bytes()), Step::Run("truncate -s 512 a.hds")],
    )
    .verdict(Verdict::Refused("the BAT at 64 (10240 bytes) does not lie in the file")),
    made("as many entries as there can be", &[NEW, Step::Patch(FILE, 32, b"\xff\xff\xff\x1f")])
        .verdict(Verdict::Refused("the BAT at 64 (2147483644 bytes) does not lie in the file")),
    // qemu-img counts bytes in 64 bits, until there are none left.
    made("a disk of all bytes", &[NEW, Step::Patch(FILE, 36, b"\0\0\0\0\0\0\x80\0")])
        .verdict(Verdict::Refused("Could not refresh total sector count: File too large")),
    made("a disk of many times all bytes", &[NEW, Step::Patch(FILE, 36, b"\0\0\0\0\0\0\0\x80")])
        .verdict(Verdict::Refused("Could not refresh total sector count: File too large")),
    // qemu-img does not open an image if something is wrong with its extension.
    made("an extension with a wrong checksum", &[BITMAP, Step::Patch(FILE, 12_296, b"\0")])
        .alone(Verdict::Expected("parallels-extension"))
        .chain(Verdict::Expected("parallels-extension-chain")),
    made("an unknown feature", &[BITMAP, Step::Patch(FILE, 12_312, b"\xff")])
        .alone(Verdict::Expected("parallels-extension"))
        .chain(Verdict::Expected("parallels-extension-chain")),
];

const FILE: &str = "a.hds";

/// An image of 10 MiB. Its BAT has 40 bytes.
const NEW: Step = Step::Run("qemu-img create -f parallels a.hds 10M");

/// An image with an extension at 12,288.
const BITMAP: Step = Step::Write(FILE, || {
    Disk { extension: Some(Extension::dirty_bitmap()), ..Disk::default() }.bytes()
});

const fn made(name: &'static str, steps: &'static [Step]) -> Image {
    Image::new(name, FILE, steps)
}
