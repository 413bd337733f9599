//! DMG images. macOS makes them, so the sample does here.
//!
//! Debian's qemu-img has no modules for bzip2 and LZFSE: it warns of chunks that
//! are compressed so, and of those it does not know.

use formats::dmg::sample::{Chunk, Udif};
use formats::dmg::{chunk, trailer};

use super::{Image, Step, Verdict};

/// What macOS makes, and what is damaged. qemu-img has no words for most of that.
pub const IMAGES: &[Image] = &[
    Image::new("property list", "a.dmg", &[SAMPLE]),
    Image::new("resource fork", "a.dmg", &[FORK]),
    Image::new("raw", "a.dmg", &[Step::Write("a.dmg", || Udif::of_kind(1).bytes())]),
    Image::new("zeros", "a.dmg", &[Step::Write("a.dmg", || Udif::of_kind(0).bytes())]),
    Image::new("unused", "a.dmg", &[Step::Write("a.dmg", || Udif::of_kind(2).bytes())]),
    Image::new("zlib", "a.dmg", &[Step::Write("a.dmg", || Udif::of_kind(0x8000_0005).bytes())]),
    Image::new("two partitions", "a.dmg", &[Step::Write("a.dmg", two_partitions)]),
    Image::new("every kind", "a.dmg", &[Step::Write("a.dmg", || Udif::every_kind().bytes())])
        .alone(Verdict::Expected("dmg-every-kind"))
        .chain(Verdict::Expected("dmg-every-kind-chain")),
    Image::new(
        "every kind, resource fork",
        "a.dmg",
        &[Step::Write("a.dmg", || Udif::every_kind().with_resource_fork().bytes())],
    )
    .alone(Verdict::Expected("dmg-fork-every-kind"))
    .chain(Verdict::Expected("dmg-fork-every-kind-chain")),
    Image::new(
        "comment and raw",
        "a.dmg",
        &[Step::Write("a.dmg", || {
            let chunks = vec![Chunk::new(chunk::COMMENT, 0, b"+beg"), Chunk::raw(&[7; 1000])];
            Udif { sectors: 2, tables: vec![(0, chunks)], ..Udif::default() }.bytes()
        })],
    ),
    // Names.
    Image::new("no extension", "a", &[Step::Write("a", || Udif::default().bytes())])
        .verdict(Verdict::QemuWith(&["-f", "dmg"])),
    Image::new("upper case", "a.DMG", &[Step::Write("a.DMG", || Udif::default().bytes())])
        .verdict(Verdict::QemuWith(&["-f", "dmg"])),
    Image::new("upper case, something else", "a.DMG", &[Step::Run("truncate -s 4096 a.DMG")]),
    Image::new("only an extension", ".dmg", &[Step::Run("truncate -s 4096 .dmg")]),
    Image::new("extension in a folder", "d/.dmg", &[Step::Write("d/.dmg", || vec![0; 4096])]),
    Image::new("extension without a dot", "dmg", &[Step::Run("truncate -s 4096 dmg")]),
    Image::new("another extension", "a.dmg.img", &[Step::Run("truncate -s 4096 a.dmg.img")]),
    Image::new("empty", "a.dmg", &[Step::Run("truncate -s 0 a.dmg")]),
    Image::new("one byte", "a.dmg", &[Step::Run("truncate -s 1 a.dmg")]),
    Image::new("zeros in a file", "a.dmg", &[Step::Run("truncate -s 1M a.dmg")]),
    Image::new("another format", "a.dmg", &[Step::Run("qemu-img create -f vmdk a.dmg 1M")]),
    Image::new(
        "a cloop image",
        "a.dmg",
        &[Step::Write("a.dmg", || formats::cloop::sample::Compressed::default().bytes())],
    ),
    // Where the trailer is.
    Image::new("one byte behind", "a.dmg", &[SAMPLE, Step::Run("truncate -s +1 a.dmg")]),
    Image::new("a sector behind", "a.dmg", &[SAMPLE, Step::Run("truncate -s +511 a.dmg")]),
    Image::new("more behind", "a.dmg", &[SAMPLE, Step::Run("truncate -s +1024 a.dmg")]),
    Image::new("trailer cut off", "a.dmg", &[SAMPLE, Step::Run("truncate -s -512 a.dmg")]),
    Image::new(
        "only a trailer",
        "a.dmg",
        &[Step::Write("a.dmg", || {
            let sample = Udif::default().bytes();
            sample[sample.len() - trailer::TRAILER_SIZE as usize..].to_vec()
        })],
    )
    .verdict(Verdict::Refused(
        "the resource fork at 0 (0 bytes) does not lie in front of the trailer",
    )),
    Image::new("start of a trailer", "a.dmg", &[Step::Write("a.dmg", || b"koly".to_vec())])
        .verdict(Verdict::Refused("the trailer at 0 (512 bytes) does not lie in the file")),
    Image::new("no tables", "a.dmg", &[Step::Write("a.dmg", || Udif::default().with_list(b""))])
        .verdict(Verdict::Refused("the image has neither a resource fork nor a property list")),
    // The size.
    Image::new("no sectors", "a.dmg", &[Step::Write("a.dmg", || sectors(0))]),
    Image::new("largest", "a.dmg", &[Step::Write("a.dmg", || sectors(MOST_SECTORS))]),
    Image::new("too large", "a.dmg", &[Step::Write("a.dmg", || sectors(MOST_SECTORS + 1))]),
    Image::new("negative size", "a.dmg", &[Step::Write("a.dmg", || sectors(u64::MAX))])
        .verdict(Verdict::Refused("Could not refresh total sector count: File too large")),
    // Chunks. qemu-img says the same on one line and "Invalid argument" on another.
    Image::new(
        "largest chunk",
        "a.dmg",
        &[Step::Write("a.dmg", || chunk(0x8000_0005, 131_072, 64 << 20))],
    ),
    Image::new(
        "chunk with many sectors",
        "a.dmg",
        &[Step::Write("a.dmg", || chunk(0x8000_0005, 131_073, 0))],
    )
    .verdict(Verdict::Refused("sector count 131073 for chunk 0 is larger than max (131072)")),
    Image::new("many zeros", "a.dmg", &[Step::Write("a.dmg", || chunk(0, 1 << 40, 0))]),
    Image::new(
        "long chunk",
        "a.dmg",
        &[Step::Write("a.dmg", || chunk(0x8000_0005, 1, (64 << 20) + 1))],
    )
    .verdict(Verdict::Refused("length 67108865 for chunk 0 is larger than max (67108864)")),
    // CVE-2026-65928: qemu-img 10.0.2 takes it.
    Image::new("raw chunk too short", "a.dmg", &[Step::Write("a.dmg", || chunk(1, 8, 512))])
        .verdict(Verdict::Refused("length 512 for chunk 0 is inconsistent with sector count 8")),
    // CVE-2026-65929: qemu-img 10.0.2 takes it.
    Image::new("no chunks", "a.dmg", &[Step::Write("a.dmg", || chunk(chunk::TERMINATOR, 0, 0))])
        .verdict(Verdict::Refused("the image has no chunks")),
    Image::new("only unknown chunks", "a.dmg", &[Step::Write("a.dmg", || chunk(3, 8, 0))])
        .verdict(Verdict::Refused("the image has no chunks")),
    // Where tables are.
    Image::new(
        "no end of a table",
        "a.dmg",
        &[Step::Write("a.dmg", || {
            Udif::default().with_list(b"<key>blkx</key><array><data>bWlzaA==")
        })],
    )
    .verdict(Verdict::Refused("the property list ends inside <data>")),
    Image::new(
        "long property list",
        "a.dmg",
        &[Step::Write("a.dmg", || Udif::default().with_list(&vec![b' '; (16 << 20) + 1]))],
    )
    .verdict(Verdict::Refused(
        "the property list has 16777217 bytes, at most 16777216 are allowed",
    )),
    Image::new(
        "short resource fork",
        "a.dmg",
        &[Step::Write("a.dmg", || Udif::default().with_fork(&[0; 15]))],
    )
    .verdict(Verdict::Refused("the resources do not lie in the resource fork")),
    Image::new("resource without length", "a.dmg", &[FORK, Step::Patch("a.dmg", 33_035, &[0; 4])])
        .verdict(Verdict::Refused("the resource at 256 of the resource fork does not lie in it")),
];

/// The sectors of the largest disk.
const MOST_SECTORS: u64 = formats::image::MAX_DISK / 512;

const SAMPLE: Step = Step::Write("a.dmg", || Udif::default().bytes());

const FORK: Step = Step::Write("a.dmg", || Udif::default().with_resource_fork().bytes());

fn sectors(sectors: u64) -> Vec<u8> {
    Udif { sectors, ..Udif::default() }.bytes()
}

fn two_partitions() -> Vec<u8> {
    let first = vec![Chunk::raw(&[1; 4096]), Chunk::deflated(&[2; 65_536])];
    let second = vec![Chunk::new(0, 1 << 30, b""), Chunk::raw(&[3; 512])];
    Udif { sectors: (1 << 30) + 137, tables: vec![(0, first), (136, second)], ..Udif::default() }
        .bytes()
}

/// An image with a chunk of which only the numbers are right.
fn chunk(kind: u32, sectors: u64, length: u64) -> Vec<u8> {
    let chunks = vec![Chunk::new(kind, sectors, b"")];
    let sample = Udif { sectors: 8, tables: vec![(0, chunks)], ..Udif::default() };
    let mut table = sample.encoded_tables().remove(0);
    // The last field of the first entry.
    table[236..244].copy_from_slice(&length.to_be_bytes());
    sample.with_list(formats::dmg::sample::property_list(&[table]).as_bytes())
}
