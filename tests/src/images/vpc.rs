//! VHD images.

use formats::vpc::footer::{Footer, MAX_SECTORS};
use formats::vpc::header::Header;
use formats::vpc::sample::{Parent, Vhd};
use formats::vpc::table::MAX_ENTRIES;
use zerocopy::IntoBytes;

use super::{Image, Step, Verdict};

const MIB: u64 = 1 << 20;

/// qemu-img takes a fixed disk for a raw image, unless it is told.
const FIXED: Verdict = Verdict::QemuWith(&["-f", "vpc"]);

/// A disk that qemu-img makes.
macro_rules! made {
    ($name:literal, $options:literal) => {
        Image::new($name, "a.vhd", &[Step::Run(concat!("qemu-img create -f vpc a.vhd ", $options))])
    };
}

/// A disk from a maker of samples.
macro_rules! written {
    ($name:literal, $bytes:expr) => {
        Image::new($name, "a.vhd", &[Step::Write("a.vhd", || $bytes)])
    };
}

/// Disks of every type, of sizes at which something changes, and damaged ones.
pub const IMAGES: &[Image] = &[
    // Geometries change at these sizes.
    made!("dynamic", "100M"),
    made!("an empty disk", "0"),
    made!("one sector", "512"),
    made!("an odd size", "1000"),
    made!("four heads at most", "35651584"),
    made!("five heads", "35651585"),
    made!("17 sectors to a track at most", "142606336"),
    made!("31 sectors to a track", "142606337"),
    made!("31 sectors to a track at most", "260046848"),
    made!("63 sectors to a track", "260046849"),
    made!("63 sectors to a track at most", "33822351360"),
    made!("255 sectors to a track", "33822351361"),
    made!("less than the largest geometry", "136899993088"),
    made!("the largest geometry", "136899993600"),
    made!("more than the largest geometry", "136899994112"),
    made!("2040 GiB", "2040G"),
    made!("an exact size", "-o force_size=on 1000M"),
    made!("an exact odd size", "-o force_size=on 1000"),
    made!("an exact size at the limit", "-o force_size=on 2040G"),
    made!("fixed", "-o subformat=fixed 10M").verdict(FIXED),
    made!("fixed, an exact size", "-o subformat=fixed,force_size=on 1000").verdict(FIXED),
    made!("fixed, larger than its geometry", "-o subformat=fixed 200G").verdict(FIXED),
    made!("fixed, 2040 GiB", "-o subformat=fixed 2040G").verdict(FIXED),
    Image::new(
        "dynamic, with data",
        "a.vhd",
        &[
            Step::Write("a.raw", || vec![7; 9 << 20]),
            Step::Run("qemu-img convert -O vpc a.raw a.vhd"),
        ],
    ),
    // Who made it says how large it is.
    written!("made by Hyper-V", by(b"win ")),
    written!("made by Virtual PC", by(b"vpc ")),
    written!("made by Virtual Server", by(b"vs  ")),
    written!("made by VirtualBox", by(b"vbox")),
    written!("made by an old QEMU", by(b"qemu")),
    written!("made by QEMU", by(b"qem2")),
    written!("made by Disk2vhd", by(b"d2v ")),
    written!("made by XenServer", by(b"tap\0")),
    written!("made by XenConverter", by(b"CTXS")),
    written!("made by Azure", by(b"wa\0\0")),
    written!("made by nobody", by(b"\0\0\0\0")),
    written!("made by Virtual PC, the largest geometry", {
        let disk = Vhd { creator: *b"vpc ", ..Vhd::dynamic(20_480 * 512) };
        Vhd { geometry: Some((65_535, 16, 255)), ..disk }.bytes()
    }),
    written!("made by Virtual PC, no geometry", {
        let disk = Vhd { creator: *b"vpc ", ..Vhd::dynamic(20_480 * 512) };
        Vhd { geometry: Some((0, 0, 0)), ..disk }.bytes()
    }),
    written!("fixed, made by Virtual PC", {
        let disk = Vhd { creator: *b"vpc ", ..Vhd::fixed(20_480 * 512) };
        Vhd { geometry: Some((301, 4, 17)), ..disk }.bytes()
    })
    .verdict(FIXED),
    // Blocks of other sizes than usual.
    written!("blocks of 512 bytes", with_blocks(512)),
    written!("blocks of 4 KiB", with_blocks(4096)),
    written!("blocks of 512 KiB", with_blocks(0x8_0000)),
    written!("blocks of 1 GiB", with_blocks(0x4000_0000)),
    written!("content here and there", {
        let content = vec![(0, vec![1; 512]), (4095, vec![2; 1024]), (20_000, vec![3; 4096])];
        Vhd { content, ..Vhd::dynamic(10 * MIB) }.bytes()
    }),
    // What is only there for show.
    written!("a wrong checksum of the header", {
        with_header(&Vhd::dynamic(MIB), |header| header.checksum = 1.into())
    }),
    written!("no footer at the end", cut(&Vhd::dynamic(MIB), 512)),
    written!("another version", {
        with_footer(&Vhd::dynamic(MIB), |footer| footer.version = 0x0002_0000.into())
    }),
    written!("a saved state", { with_footer(&Vhd::dynamic(MIB), |footer| footer.saved_state = 1) }),
    written!("a dynamic disk of no type", {
        with_footer(&Vhd::dynamic(MIB), |footer| footer.disk_type = 0.into())
    }),
    written!("a dynamic disk that says it is fixed", {
        with_footer(&Vhd::dynamic(MIB), |footer| footer.disk_type = Footer::FIXED.into())
    }),
    written!("a size that is no multiple of a sector", Vhd::dynamic(MIB + 511).bytes()),
    // Fixed disks, and what could be taken for one.
    written!("fixed, a footer of 511 bytes", cut(&Vhd::fixed(MIB), 1)).verdict(FIXED),
    written!("a fixed disk on a fixed disk", {
        let content = vec![(0, Vhd::fixed(MIB).bytes())];
        Vhd { content, ..Vhd::fixed(2 * MIB) }.bytes()
    })
    .verdict(FIXED),
    written!("a differencing disk on a fixed disk", {
        let content = vec![(0, Vhd::differencing(MIB, Parent::default()).bytes())];
        Vhd { content, ..Vhd::fixed(2 * MIB) }.bytes()
    })
    .verdict(Verdict::Expected("vpc-on-fixed")),
    written!("bytes behind a fixed disk", [Vhd::fixed(MIB).bytes(), vec![0; 512]].concat()),
    written!("bytes in front of a fixed disk", [vec![7; 512], Vhd::fixed(MIB).bytes()].concat()),
    written!("half a fixed disk", Vhd::fixed(MIB).bytes()[512..].to_vec()),
    written!("a fixed disk with a wrong checksum", {
        let mut bytes = Vhd::fixed(MIB).bytes();
        *bytes.last_mut().unwrap() = 1;
        bytes
    }),
    written!("a raw image with a footer of a dynamic disk", {
        [&[0; 4096], Vhd::dynamic(4096).footer().as_bytes()].concat()
    }),
    // Differencing disks: qemu-img does not see the parent.
    Image::new(
        "a chain of differencing disks",
        "c.vhd",
        &[
            Step::Write("a.vhd", || Vhd { content: content(1), ..Vhd::fixed(MIB) }.bytes()),
            Step::Write("b.vhd", || child(r".\a.vhd", r"C:\images\a.vhd", 2)),
            Step::Write("c.vhd", || child(r".\b.vhd", r"C:\images\b.vhd", 3)),
        ],
    )
    .verdict(Verdict::Expected("vpc-differencing-alone"))
    .chain(Verdict::Expected("vpc-differencing-chain")),
    Image::new(
        "a parent in a folder below",
        "c.vhd",
        &[
            Step::Write("base/a.vhd", || Vhd::dynamic(MIB).bytes()),
            Step::Write("c.vhd", || child(r".\base\a.vhd", r"C:\images\base\a.vhd", 2)),
        ],
    )
    .verdict(Verdict::Expected("vpc-differencing-below-alone"))
    .chain(Verdict::Expected("vpc-differencing-below-chain")),
    Image::new(
        "a parent on a drive",
        "c.vhd",
        &[
            Step::Write("a.vhd", || Vhd::dynamic(MIB).bytes()),
            Step::Write("c.vhd", || child("", r"D:\images\a.vhd", 2)),
        ],
    )
    .verdict(Verdict::Expected("vpc-differencing-drive-alone"))
    .chain(Verdict::Expected("vpc-differencing-drive-chain")),
    Image::new(
        "a parent with a name like a protocol",
        "c.vhd",
        &[
            Step::Write("nbd:host:10809", || Vhd::dynamic(MIB).bytes()),
            Step::Write("c.vhd", || child("nbd:host:10809", "", 2)),
        ],
    )
    .verdict(Verdict::Expected("vpc-differencing-protocol-alone"))
    .chain(Verdict::Expected("vpc-differencing-protocol-chain")),
    written!("a parent without a name", {
        let parent =
            Parent { relative: None, absolute: None, file: String::new(), ..Parent::default() };
        Vhd::differencing(MIB, parent).bytes()
    })
    .verdict(Verdict::Refused("the disk has a parent but does not say where it is")),
    written!("a path behind the end", {
        with_header(&Vhd::differencing(MIB, Parent::default()), |header| {
            header.parent_locators[0].offset = (1 << 40).into();
        })
    })
    .verdict(Verdict::Refused(
        "the path of the parent at 1099511627776 (24 bytes) does not lie in the file",
    )),
    written!("a path that is too long", {
        let parent = Parent { relative: Some("a".repeat(4096)), ..Parent::default() };
        Vhd::differencing(MIB, parent).bytes()
    })
    .verdict(Verdict::Refused("the path of the parent is longer than 4095 bytes")),
    // Damage, in qemu-img's words.
    written!("a wrong checksum", {
        let mut bytes = Vhd::dynamic(MIB).bytes();
        bytes[300] = 1;
        bytes
    }),
    written!("nothing but a cookie", b"conectix".to_vec()),
    written!("larger than a disk can be", Vhd { block_size: 1 << 30, ..largest(1) }.bytes()),
    written!("as large as a disk can be", Vhd { block_size: 1 << 30, ..largest(0) }.bytes()),
    written!("larger than any number", {
        with_footer(&Vhd::dynamic(MIB), |footer| footer.current_size = u64::MAX.into())
    }),
    written!("no header", header_at(0)),
    written!("a header behind the end", header_at(1 << 40)),
    written!("a header where no file reaches", header_at(0x7fff_ffff_c000_0000 - 1023)),
    written!("a header at the end of numbers", header_at(u64::MAX)),
    written!("a header with another cookie", {
        with_header(&Vhd::dynamic(MIB), |header| header.cookie[0] = b'C')
    }),
    written!("a cut in the first footer", Vhd::dynamic(MIB).bytes()[..300].to_vec()),
    written!("a cut before the header", Vhd::dynamic(MIB).bytes()[..512].to_vec()),
    written!("a cut in the header", Vhd::dynamic(MIB).bytes()[..530].to_vec()),
    written!("a cut before the table", Vhd::dynamic(MIB).bytes()[..1536].to_vec()),
    written!("a cut in the table", Vhd::dynamic(600 * MIB).bytes()[..2048].to_vec()),
    written!("a cut in a block", {
        Vhd { content: content(1), ..Vhd::dynamic(MIB) }.bytes()[..5000].to_vec()
    }),
    written!("a block behind the end", {
        let mut bytes = Vhd { content: content(1), ..Vhd::dynamic(MIB) }.bytes();
        bytes[1536..1540].copy_from_slice(&0x0fff_ffff_u32.to_be_bytes());
        bytes
    }),
    written!("blocks without a size", with_block_size(0)),
    written!("blocks of an odd size", with_block_size(0x30_0000)),
    written!("blocks that are too small", with_block_size(256)),
    written!("blocks of 4 GiB", with_block_size(u32::MAX)),
    written!("a table without entries", with_entries(0)),
    written!("a table with too few entries", {
        with_header(&Vhd::dynamic(5 * MIB), |header| header.table_entries = 2.into())
    }),
    written!("a table with more entries than necessary", with_entries(3)),
    written!("a table with very many entries", with_entries(i32::MAX as u32)),
    written!("a table with fewer than no entries", with_entries(u32::MAX)),
    written!("a table with far too many entries", with_entries(MAX_ENTRIES + 1))
        .verdict(Verdict::Refused("Max Table Entries too large (16777217)")),
    written!("a table behind the end", with_table_at(1 << 40)),
    written!("a table where no file reaches", with_table_at(0x7fff_ffff_c000_0000 - 3)),
    written!("a table at the end of numbers", with_table_at(u64::MAX)),
    written!("a header that is cut off, and nothing else missing", {
        let disk = Vhd::dynamic(MIB);
        let footer = with_footer(&disk, |footer| footer.data_offset = 1024.into());
        let mut header = disk.header();
        header.table_offset = 512.into();
        [&footer[..512], &[0xff; 512], &header.as_bytes()[..512]].concat()
    })
    .verdict(Verdict::Refused("the dynamic header at 1024 does not lie in the file")),
];

/// A disk with a geometry that is smaller than its size.
fn by(creator: &[u8; 4]) -> Vec<u8> {
    let disk = Vhd { creator: *creator, ..Vhd::dynamic(20_480 * 512) };
    Vhd { geometry: Some((301, 4, 17)), ..disk }.bytes()
}

fn with_blocks(block_size: u32) -> Vec<u8> {
    Vhd { block_size, ..Vhd::dynamic(MIB) }.bytes()
}

/// A sector of the disk, full of something.
fn content(byte: u8) -> Vec<(u64, Vec<u8>)> {
    vec![(byte.into(), vec![byte; 512])]
}

/// A differencing disk of 1 MiB with something on it.
fn child(relative: &str, absolute: &str, byte: u8) -> Vec<u8> {
    let path = |path: &str| (!path.is_empty()).then(|| path.into());
    let parent = Parent { relative: path(relative), absolute: path(absolute), ..Parent::default() };
    Vhd { content: content(byte), ..Vhd::differencing(MIB, parent) }.bytes()
}

/// A dynamic disk with so many sectors more than a disk can have.
fn largest(more: u64) -> Vhd {
    Vhd::dynamic((MAX_SECTORS + more) * 512)
}

/// The file of a disk without its last bytes.
fn cut(disk: &Vhd, missing: usize) -> Vec<u8> {
    let mut bytes = disk.bytes();
    bytes.truncate(bytes.len() - missing);
    bytes
}

/// The file of a dynamic disk with another footer.
fn with_footer(disk: &Vhd, change: fn(&mut Footer)) -> Vec<u8> {
    let mut footer = disk.footer();
    change(&mut footer);
    footer.checksum = footer.sum().into();
    let mut bytes = disk.bytes();
    let end = bytes.len() - 512;
    bytes[..512].copy_from_slice(footer.as_bytes());
    bytes[end..].copy_from_slice(footer.as_bytes());
    bytes
}

/// The file of a dynamic disk with another header.
fn with_header(disk: &Vhd, change: impl Fn(&mut Header)) -> Vec<u8> {
    let mut header = disk.header();
    change(&mut header);
    let mut bytes = disk.bytes();
    bytes[512..512 + 1024].copy_from_slice(header.as_bytes());
    bytes
}

/// A disk whose footer says that the header is elsewhere.
fn header_at(offset: u64) -> Vec<u8> {
    let mut bytes = Vhd::dynamic(MIB).bytes();
    let mut footer = Vhd::dynamic(MIB).footer();
    footer.data_offset = offset.into();
    footer.checksum = footer.sum().into();
    bytes[..512].copy_from_slice(footer.as_bytes());
    bytes
}

fn with_block_size(block_size: u32) -> Vec<u8> {
    with_header(&Vhd::dynamic(MIB), |header| header.block_size = block_size.into())
}

fn with_entries(entries: u32) -> Vec<u8> {
    with_header(&Vhd::dynamic(MIB), |header| header.table_entries = entries.into())
}

fn with_table_at(offset: u64) -> Vec<u8> {
    with_header(&Vhd::dynamic(MIB), |header| header.table_offset = offset.into())
}
