//! VDI images.

use formats::vdi::sample::Disk;

use super::{Image, Step, Verdict};

/// What qemu-img makes, what VirtualBox makes, and what is damaged.
pub const IMAGES: &[Image] = &[
    // What qemu-img makes.
    made("dynamic", &[Step::Run("qemu-img create -f vdi a.vdi 100M")]),
    made("dynamic, said so", &[Step::Run("qemu-img create -f vdi -o static=off a.vdi 3M")]),
    made("static", &[Step::Run("qemu-img create -f vdi -o static=on a.vdi 3M")]),
    made("empty", &[Step::Run("qemu-img create -f vdi a.vdi 0")]),
    made("static and empty", &[Step::Run("qemu-img create -f vdi -o static=on a.vdi 0")]),
    made("one byte", &[Step::Run("qemu-img create -f vdi a.vdi 1")]),
    made("one sector", &[Step::Run("qemu-img create -f vdi a.vdi 512")]),
    made("a block and a sector", &[Step::Run("qemu-img create -f vdi a.vdi 1049088")]),
    made("a map of one sector", &[Step::Run("qemu-img create -f vdi a.vdi 128M")]),
    made("a map of two sectors", &[Step::Run("qemu-img create -f vdi a.vdi 129M")]),
    made("two tebibytes", &[Step::Run("qemu-img create -f vdi a.vdi 2T")]),
    made(
        "with data",
        &[
            Step::Write("a.raw", || vec![7; 3 << 20]),
            Step::Run("qemu-img convert -f raw -O vdi a.raw a.vdi"),
        ],
    ),
    // What VirtualBox makes.
    made("aligned", &[Step::Write(FILE, || Disk::aligned().bytes())]),
    made("not aligned", &[Step::Write(FILE, || Disk::default().bytes())]),
    made(
        "static and aligned",
        &[Step::Write(FILE, || Disk { size: 2 << 20, image_type: 2, ..Disk::aligned() }.bytes())],
    ),
    made(
        "of a raw image of one byte",
        &[Step::Write(FILE, || Disk { size: 1, ..Disk::default() }.bytes())],
    ),
    made(
        "of a raw image that ends inside a sector",
        &[Step::Write(FILE, || Disk { size: (2 << 20) + 1, ..Disk::aligned() }.bytes())],
    ),
    // Fields that nothing depends on.
    made("no text", &[NEW, Step::Patch(FILE, 0, &[0; 64])]),
    made("another header size", &[NEW, Step::Patch(FILE, 72, b"\x80\x01\0\0")]),
    made("an undo image", &[NEW, Step::Patch(FILE, 76, b"\x03")]),
    made("a differencing image without a parent", &[NEW, Step::Patch(FILE, 76, b"\x04")]),
    made("an unknown type", &[NEW, Step::Patch(FILE, 76, b"\xff\xff\xff\xff")]),
    made("all flags", &[NEW, Step::Patch(FILE, 80, b"\xff\xff\xff\xff")]),
    made("a description", &[NEW, Step::Patch(FILE, 84, b"\xffwhat it is for\x1b[2J")]),
    made("a map in place of the header", &[NEW, Step::Patch(FILE, 340, &[0; 4])]),
    made("data in place of the header", &[NEW, Step::Patch(FILE, 344, &[0; 4])]),
    made("data behind the end", &[NEW, Step::Patch(FILE, 344, b"\0\xfe\xff\xff")]),
    made("a geometry", &[NEW, Step::Patch(FILE, 348, &[0xff; 12])]),
    made("extra bytes in blocks", &[NEW, Step::Patch(FILE, 380, b"\xff\xff\xff\xff")]),
    made("more blocks than the disk needs", &[NEW, Step::Patch(FILE, 384, b"\x80")]),
    made("all blocks allocated", &[NEW, Step::Patch(FILE, 388, b"\xff\xff\xff\xff")]),
    made("other ids", &[NEW, Step::Patch(FILE, 392, &[0xff; 32])]),
    made("a second geometry", &[NEW, Step::Patch(FILE, 456, &[0xff; 56])]),
    made("a map full of nonsense", &[NEW, Step::Patch(FILE, 512, &[0x7f; 512])]),
    // Sizes that qemu-img does not make, or only with much to write.
    made("a size inside a sector", &[NEW, Step::Patch(FILE, 368, b"\x01\x02")]),
    made("the last byte that the map covers", &[NEW, Step::Patch(FILE, 368, b"\xff\xff\x9f")]),
    made(
        "64 tebibytes",
        &[
            NEW,
            Step::Patch(FILE, 368, b"\0\0\0\0\0\x40\0\0"),
            Step::Patch(FILE, 384, b"\0\0\0\x04"),
            Step::Run("truncate -s 257M a.vdi"),
        ],
    ),
    // What is damaged or not supported.
    made("signature", &[NEW, Step::Patch(FILE, 64, b"\x7e")]),
    made("version 1.0", &[NEW, Step::Patch(FILE, 68, b"\0\0\x01\0")]),
    made("version 1.2", &[NEW, Step::Patch(FILE, 68, b"\x02\0\x01\0")]),
    made("version 0.1", &[NEW, Step::Patch(FILE, 68, b"\x01\0\0\0")]),
    made("no version there is", &[NEW, Step::Patch(FILE, 68, b"\xff\xff\xff\xff")]),
    made("an unaligned map", &[NEW, Step::Patch(FILE, 340, b"\x01\x02\0\0")]),
    made("unaligned data", &[NEW, Step::Patch(FILE, 344, b"\xff\xff\xff\xff")]),
    made("sectors of no size", &[NEW, Step::Patch(FILE, 360, &[0; 4])]),
    made("large sectors", &[NEW, Step::Patch(FILE, 360, b"\0\x10\0\0")]),
    made("blocks of no size", &[NEW, Step::Patch(FILE, 376, &[0; 4])]),
    made("large blocks", &[NEW, Step::Patch(FILE, 376, b"\0\0\x20\0")]),
    made("blocks of any size", &[NEW, Step::Patch(FILE, 376, b"\xff\xff\xff\xff")]),
    made("one byte more than the map covers", &[NEW, Step::Patch(FILE, 368, b"\x01\0\xa0")]),
    made("one block less than the disk has", &[NEW, Step::Patch(FILE, 384, b"\x09")]),
    made("no blocks", &[NEW, Step::Patch(FILE, 384, &[0; 4])]),
    made(
        "the largest disk, a small map",
        &[NEW, Step::Patch(FILE, 368, b"\0\0\0\xf8\xff\xff\x01\0")],
    ),
    made("a disk too large", &[NEW, Step::Patch(FILE, 368, b"\x01\0\0\xf8\xff\xff\x01\0")]),
    made("a disk of any size", &[NEW, Step::Patch(FILE, 368, &[0xff; 8])]),
    made("too many blocks", &[NEW, Step::Patch(FILE, 384, b"\x81\xff\xff\x1f")]),
    made("any number of blocks", &[NEW, Step::Patch(FILE, 384, b"\xff\xff\xff\xff")]),
    made("the id of a parent", &[NEW, Step::Patch(FILE, 439, b"\x01")]),
    made("the id of a parent's modification", &[NEW, Step::Patch(FILE, 440, b"\x01")]),
    made(
        "all is wrong",
        &[NEW, Step::Patch(FILE, 68, &[0xff; 4]), Step::Patch(FILE, 340, &[0xff; 116])],
    ),
    // Files that end early.
    made("no file to speak of", &[Step::Write(FILE, Vec::new)]),
    made("cut off in the text", &[NEW, Step::Run("truncate -s 10 a.vdi")]),
    made("cut off in the signature", &[NEW, Step::Run("truncate -s 67 a.vdi")]),
    made("cut off behind the signature", &[NEW, Step::Run("truncate -s 68 a.vdi")]),
    made("cut off in the version", &[NEW, Step::Run("truncate -s 69 a.vdi")]),
    made("cut off in the description", &[NEW, Step::Run("truncate -s 100 a.vdi")]),
    made("cut off behind the sector size", &[NEW, Step::Run("truncate -s 364 a.vdi")]),
    made("cut off behind the block size", &[NEW, Step::Run("truncate -s 380 a.vdi")]),
    made("cut off in the sector of the map", &[NEW, Step::Run("truncate -s 513 a.vdi")]),
    // qemu-img takes what is missing of a map for zeros: block 0 of the file.
    made("cut off in the header", &[NEW, Step::Run("truncate -s 400 a.vdi")])
        .verdict(Verdict::Refused("the block map at 512 (40 bytes) does not lie in the file")),
    made("cut off in front of the map", &[NEW, Step::Run("truncate -s 512 a.vdi")])
        .verdict(Verdict::Refused("the block map at 512 (40 bytes) does not lie in the file")),
    made(
        "cut off in the map",
        &[Step::Run("qemu-img create -f vdi a.vdi 129M"), Step::Run("truncate -s 1024 a.vdi")],
    )
    .verdict(Verdict::Refused("the block map at 512 (516 bytes) does not lie in the file")),
    made("a map behind the end", &[NEW, Step::Patch(FILE, 340, b"\0\xfe\xff\xff")]).verdict(
        Verdict::Refused("the block map at 4294966784 (40 bytes) does not lie in the file"),
    ),
    made("a map too large for the file", &[NEW, Step::Patch(FILE, 384, b"\x80\xff\xff\x1f")])
        .verdict(Verdict::Refused(
            "the block map at 512 (2147483136 bytes) does not lie in the file",
        )),
];

const FILE: &str = "a.vdi";

/// An image of 10 MiB. Its map has 40 bytes.
const NEW: Step = Step::Run("qemu-img create -f vdi a.vdi 10M");

const fn made(name: &'static str, steps: &'static [Step]) -> Image {
    Image::new(name, FILE, steps)
}
