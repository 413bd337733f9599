//! VHDX images.

use formats::guid::Guid;
use formats::vhdx::header::{self, Header};
use formats::vhdx::metadata::{self, FileParameters};
use formats::vhdx::region::{self, Entry};
use formats::vhdx::sample::{Change, Item, Log, Parent, Vhdx, put_headers, region_table, seal};

use super::{Image, Step, Verdict};

const MIB: u64 = 1 << 20;

/// A disk that qemu-img makes.
macro_rules! made {
    ($name:literal, $options:literal) => {
        Image::new(
            $name,
            "a.vhdx",
            &[Step::Run(concat!("qemu-img create -f vhdx a.vhdx ", $options))],
        )
    };
}

/// A disk from a maker of samples.
macro_rules! written {
    ($name:literal, $bytes:expr) => {
        Image::new($name, "a.vhdx", &[Step::Write("a.vhdx", || $bytes)])
    };
}

/// What qemu-img says when the log is in its place.
const REPLAYED: Verdict = Verdict::QemuAfter("qemu-img check -r all a.vhdx");

/// What qemu-img says when there is no log.
const WITHOUT_LOG: Verdict =
    Verdict::QemuAfter("dd if=/dev/zero of=a.vhdx bs=4096 seek=256 count=1 conv=notrunc");

/// What qemu-img says when the second region table is the first as well.
const SECOND_TABLE: Verdict =
    Verdict::QemuAfter("dd if=a.vhdx of=a.vhdx bs=65536 skip=4 seek=3 count=1 conv=notrunc");

/// Disks of every type and of many sizes, with logs of every kind, and damaged ones.
pub const IMAGES: &[Image] = &[
    // The size of a block depends on that of the disk.
    made!("dynamic", "100M"),
    made!("an empty disk", "0"),
    made!("one sector", "512"),
    made!("an odd size", "1000"),
    made!("blocks of 8 MiB at most", "1G"),
    made!("blocks of 16 MiB", "1073741825"),
    made!("blocks of 16 MiB at most", "100G"),
    made!("blocks of 32 MiB", "107374182401"),
    made!("blocks of 32 MiB at most", "32T"),
    made!("blocks of 64 MiB", "35184372088833"),
    made!("64 TiB", "64T"),
    made!("the smallest blocks", "-o block_size=1M 40G"),
    made!("the largest blocks", "-o block_size=256M 64T"),
    made!("blocks of an odd size", "-o block_size=2000000 100M"),
    made!("a long log", "-o log_size=64M 100M"),
    made!("a longer log than is replayed", "-o log_size=100M 100M"),
    made!("blocks that are not there", "-o block_state_zero=off 100M"),
    made!("fixed", "-o subformat=fixed 10M"),
    made!("fixed, with a block that is not full", "-o subformat=fixed,block_size=4M 10M"),
    Image::new(
        "with data",
        "a.vhdx",
        &[
            Step::Write("a.raw", || vec![7; 9 << 20]),
            Step::Run("qemu-img convert -O vhdx -o block_size=1M a.raw a.vhdx"),
        ],
    ),
    // Made elsewhere.
    written!("a sample", Vhdx::default().bytes()),
    written!("a fixed sample", Vhdx { fixed: true, ..Vhdx::default() }.bytes()),
    written!("content here and there", {
        let content = vec![(0, vec![1; 512]), (4095, vec![2; 1024]), (20_000, vec![3; 4096])];
        Vhdx { size: 10 * MIB, content, ..Vhdx::default() }.bytes()
    }),
    written!("several chunks", {
        Vhdx { size: 100 << 30, block_size: 256 << 20, ..Vhdx::default() }.bytes()
    }),
    written!("a size that is no multiple of a sector", {
        Vhdx { size: 3 * MIB + 511, ..Vhdx::default() }.bytes()
    }),
    written!("large physical sectors", with_item(metadata::PHYSICAL_SECTOR_SIZE, &[0; 4])),
    // qemu-img has no words for large logical sectors, and Hyper-V makes them.
    written!("large logical sectors", Vhdx { sector_size: 4096, ..Vhdx::default() }.bytes())
        .verdict(Verdict::Expected("vhdx-large-sectors")),
    // One header is enough.
    written!("a damaged first header", damaged(&[65_536])),
    written!("a damaged second header", damaged(&[131_072 + 4000])),
    written!("two damaged headers", damaged(&[65_536 + 9, 131_072 + 9])),
    written!("the first header is current", with_numbers(9, 8, 0)),
    written!("the same header twice", with_numbers(8, 8, 0)),
    written!("two headers with a number", with_numbers(8, 8, 1)),
    written!("another version", with_header(|header| header.version = 2.into())),
    // Logs that were not finished.
    written!("a log with a larger disk in it", larger(0, 1)).verdict(REPLAYED),
    written!("a log of several entries", larger(0, 5)).verdict(REPLAYED),
    written!("a log that starts later", larger(100, 3)).verdict(REPLAYED),
    written!("an entry that goes on at the start of the log", larger(255, 1)).verdict(REPLAYED),
    written!("a log without changes", Log::new(vec![vec![]]).in_image(&Vhdx::default()))
        .verdict(REPLAYED),
    written!("a log whose last entry was not finished", {
        let mut bytes = larger(0, 3);
        // Each entry has two sectors.
        bytes[(1 << 20) + 5 * 4096 + 100] ^= 1;
        bytes
    })
    .verdict(REPLAYED),
    written!("a log that makes the file longer", {
        let log = Log::new(vec![vec![Change::Data(5 * MIB - 4096, vec![7; 4096])]]);
        log.in_image(&Vhdx::default())
    })
    .verdict(Verdict::Expected("vhdx-log-longer")),
    written!("a log that repairs what is damaged", {
        let vhdx = Vhdx::default();
        let mut bytes = vhdx.bytes();
        bytes[2 << 20] = 7;
        let changes = Change::between(&vhdx, &bytes, &vhdx.bytes());
        Log::new(vec![changes]).in_file(&vhdx, bytes)
    })
    .verdict(REPLAYED),
    written!("a log that does damage", {
        let vhdx = Vhdx::default();
        let mut bytes = vhdx.bytes();
        bytes[2 << 20] = 7;
        Log::new(vec![Change::between(&vhdx, &vhdx.bytes(), &bytes)]).in_image(&vhdx)
    })
    .verdict(Verdict::Refused("Could not open 'a.vhdx': Invalid argument")),
    // qemu takes the entries at the start of the log for all, and forgets the others.
    written!("a log of several entries that goes on at its start", {
        let mut entries = larger_by(1);
        let note = |place: u64| vec![Change::Data((2 << 20) + (place << 16), vec![7; 4096])];
        entries.extend((2..6).map(note));
        Log { first_sector: 251, ..Log::new(entries) }.in_image(&Vhdx::default())
    })
    .verdict(Verdict::Expected("vhdx-log-wrapped")),
    // Logs in which nothing counts.
    written!("a log without entries", Log::default().in_image(&Vhdx::default())),
    written!("a log whose only entry was not finished", {
        let mut bytes = larger(0, 1);
        bytes[(1 << 20) + 4096 + 100] ^= 1;
        bytes
    }),
    written!("a log with the entries of another", {
        let mut bytes = larger(0, 2);
        let mut header = Vhdx::default().header();
        header.log_id = Guid::new(1, 2, 3, *b"another\0");
        put_headers(&mut bytes, &header);
        bytes
    }),
    written!("a log without a length", {
        with_header(|header| {
            header.log_id = Log::default().id;
            header.log_length = 0.into();
        })
    }),
    written!("a log that ended with an entry that cannot be", {
        let mut bytes = larger(0, 1);
        // A descriptor that is none, with a right checksum.
        bytes[(1 << 20) + 64] = 7;
        seal(&mut bytes[1 << 20..(1 << 20) + 8192]);
        bytes
    })
    .verdict(WITHOUT_LOG),
    // Logs that cannot be.
    written!("a log at the start of the file", with_header(|header| header.log_offset = 0.into())),
    written!("a log at an odd place", {
        with_header(|header| header.log_offset = (MIB + 4096).into())
    }),
    written!("a log of another version", with_header(|header| header.log_version = 1.into())),
    written!("a log of an odd length", {
        with_header(|header| {
            header.log_id = Log::default().id;
            header.log_length = 4096.into();
        })
    }),
    written!("a log that is too long", {
        with_header(|header| {
            header.log_id = Log::default().id;
            header.log_length = (65 << 20).into();
        })
    })
    .verdict(Verdict::Refused("the log is longer than 67108864 bytes")),
    written!("a log behind the end", {
        with_header(|header| {
            header.log_id = Log::default().id;
            header.log_offset = (1 << 40).into();
        })
    })
    .verdict(Verdict::Refused("the log at 1099511627776 (1048576 bytes) does not lie in the file")),
    written!("a file that has become shorter", {
        let log = Log { flushed_file_offset: Some(5 * MIB), ..Log::new(vec![vec![]]) };
        log.in_image(&Vhdx::default())
    })
    .verdict(Verdict::Refused(
        "the file has 4194304 bytes, and had 5242880 when its log was written",
    )),
    written!("a log with a change where no file reaches", {
        Log::new(vec![vec![Change::Zeros(1 << 63, 4096)]]).in_image(&Vhdx::default())
    })
    .verdict(Verdict::Refused("the log has a change where no file reaches")),
    // Regions.
    written!("a damaged region table", damaged(&[196_608 + 100])).verdict(SECOND_TABLE),
    written!("a damaged second region table", damaged(&[262_144 + 100])),
    written!("two damaged region tables", damaged(&[196_608 + 100, 262_144 + 100])),
    written!("no region table", damaged(&[196_608, 262_144])),
    written!("no regions", with_regions(&[])),
    written!("no metadata", with_regions(&[BAT])),
    written!("no block allocation table", with_regions(&[METADATA])),
    written!("metadata twice", {
        with_regions(&[METADATA, BAT, (region::METADATA, 8 * MIB, MIB, 1)])
    }),
    written!("two block allocation tables", {
        with_regions(&[METADATA, BAT, (region::BAT, 8 * MIB, MIB, 1)])
    }),
    written!("an unknown region", with_regions(&[METADATA, BAT, (UNKNOWN, 8 * MIB, MIB, 0)])),
    written!("an unknown region that must be known", {
        with_regions(&[METADATA, BAT, (UNKNOWN, 8 * MIB, MIB, 1)])
    }),
    written!("the most regions", {
        let unknown = (0..2045).map(|number| (UNKNOWN, (100 + number) * MIB, MIB, 0));
        with_regions(&unknown.chain([METADATA, BAT]).collect::<Vec<_>>())
    }),
    written!("regions that overlap", with_regions(&[METADATA, (region::BAT, 2 * MIB, MIB, 1)]))
        .verdict(Verdict::Refused(
            "VHDX region 2097152-3145728 overlaps with region 2097152-3145728",
        )),
    written!("a region that overlaps with the log", {
        with_regions(&[METADATA, (region::BAT, MIB, MIB, 1)])
    })
    .verdict(Verdict::Refused("VHDX region 1048576-2097152 overlaps with region 1048576-2097152")),
    written!("metadata behind the end", {
        with_regions(&[BAT, (region::METADATA, 1 << 40, MIB, 1)])
    }),
    written!("metadata at the end of numbers", {
        with_regions(&[BAT, (region::METADATA, 0x7fff_ffff_c000_0000, MIB, 1)])
    }),
    written!("a block allocation table behind the end", {
        with_regions(&[METADATA, (region::BAT, 1 << 40, MIB, 1)])
    })
    .verdict(Verdict::Refused(
        "the block allocation table at 1099511627776 (24 bytes) does not lie in the file",
    )),
    written!("a block allocation table at the end of numbers", {
        with_regions(&[METADATA, (region::BAT, 0x7fff_ffff_c000_0000, MIB, 1)])
    }),
    written!("a block allocation table that is too small", {
        with_regions(&[METADATA, (region::BAT, 3 * MIB, 16, 1)])
    }),
    // Metadata.
    written!("no table of metadata", damaged(&[2 << 20])),
    written!("too many items", {
        let mut bytes = Vhdx::default().bytes();
        bytes[(2 << 20) + 10..(2 << 20) + 12].copy_from_slice(&2048_u16.to_le_bytes());
        bytes
    }),
    written!("an item is missing", with_items(|items| drop(items.pop()))),
    written!("an item is there twice", with_items(|items| items.push(items[2].clone()))),
    written!("an unknown item", {
        with_items(|items| items.push(Item::new(UNKNOWN, metadata::Entry::IS_USER, b"note")))
    }),
    written!("an unknown item that must be known", {
        with_items(|items| items.push(Item::new(UNKNOWN, metadata::Entry::IS_REQUIRED, b"new")))
    }),
    written!("a parent locator without a parent", {
        with_items(|items| {
            let locator = Parent::new(Guid::ZERO, "a", "").bytes();
            items.push(Item::new(metadata::PARENT_LOCATOR, 4, &locator));
        })
    }),
    written!("a parent without a parent locator", {
        let flags = FileParameters::HAS_PARENT;
        with_item(metadata::FILE_PARAMETERS, &(u64::from(flags) << 32 | MIB).to_le_bytes())
    }),
    written!("file parameters behind the end", with_item_at(0, u32::MAX)),
    written!("a size behind the end", with_item_at(1, u32::MAX)).verdict(Verdict::Refused(
        "the size of the disk at 4297064447 (8 bytes) does not lie in the file",
    )),
    written!("a sector size behind the end", with_item_at(3, u32::MAX)),
    written!("a physical sector size behind the end", with_item_at(4, u32::MAX)).verdict(
        Verdict::Refused(
            "the physical sector size at 4297064447 (4 bytes) does not lie in the file",
        ),
    ),
    written!("blocks without a size", with_block_size(0)),
    written!("blocks that are too small", with_block_size(1 << 19)),
    written!("blocks that are no power of two", with_block_size(3 << 20)),
    written!("blocks that are too large", with_block_size(512 << 20)),
    written!("blocks of 4 GiB", with_block_size(u32::MAX)),
    written!("logical sectors of 1 KiB", with_sector_size(1024)),
    written!("logical sectors without a size", with_sector_size(0)),
    written!("logical sectors of 4 GiB", with_sector_size(u32::MAX)),
    written!("more blocks than the table has entries", {
        with_item(metadata::DISK_SIZE, &(1_u64 << 40).to_le_bytes())
    }),
    written!("no size", with_item(metadata::DISK_SIZE, &[0; 8])),
    written!("larger than any disk", with_item(metadata::DISK_SIZE, &u64::MAX.to_le_bytes())),
    written!("larger than 64 TiB", {
        Vhdx { size: (64 << 40) + 512, block_size: 256 << 20, ..Vhdx::default() }.bytes()
    })
    .verdict(Verdict::Refused("Image size too large; max of 64TB")),
    // Blocks: qemu-img has the reason on a line of its own.
    written!("a block behind the end", with_entry(1, (1 << 40) | 6)).verdict(Verdict::Refused(
        "VHDX BAT entry 1 start offset 1099511627776 points after end of file (4194304). Image \
         has probably been truncated.",
    )),
    written!("a block that ends behind the end", with_entry(0, (3 << 20) + 6)).verdict(
        Verdict::Refused("VHDX region 3145728-4194304 overlaps with region 3145728-4194304"),
    ),
    written!("a block where no file reaches", with_entry(2, u64::MAX - 1))
        .verdict(Verdict::Refused("VHDX BAT entry 2 offset overflow.")),
    written!("a block in the metadata", with_entry(0, (2 << 20) + 6)).verdict(Verdict::Refused(
        "VHDX region 2097152-3145728 overlaps with region 2097152-3145728",
    )),
    written!("a block that is cut off", {
        let vhdx = Vhdx { fixed: true, ..Vhdx::default() };
        let mut bytes = vhdx.bytes();
        bytes.truncate(bytes.len() - 4096);
        bytes
    })
    .verdict(Verdict::Refused(
        "VHDX BAT entry 2 end offset 7340031 points after end of file (7335936). Image has \
         probably been truncated.",
    )),
    written!("blocks in states that mean that they are elsewhere", {
        let mut bytes = with_entry(0, (1 << 40) | 2);
        bytes[(3 << 20) + 8] = 3;
        bytes[(3 << 20) + 16] = 7;
        bytes
    }),
    // Files that were cut off.
    written!("nothing but a signature", b"vhdxfile".to_vec()),
    written!("a cut in the first header", Vhdx::default().bytes()[..65_536 + 60].to_vec()),
    written!("a cut in the second header", Vhdx::default().bytes()[..131_072 + 60].to_vec()),
    written!("a cut in the region table", Vhdx::default().bytes()[..196_608 + 60].to_vec()),
    written!("a cut before the metadata", Vhdx::default().bytes()[..2 << 20].to_vec()),
    written!("a cut in the metadata", Vhdx::default().bytes()[..(2 << 20) + 200].to_vec()),
    written!("a cut before the items", Vhdx::default().bytes()[..(2 << 20) + 65_536].to_vec()),
    // Differencing disks: qemu-img does not support them.
    Image::new(
        "a chain of differencing disks",
        "c.vhdx",
        &[
            Step::Write("a.vhdx", || Vhdx { fixed: true, ..Vhdx::default() }.bytes()),
            Step::Write("b.vhdx", || child(r".\a.vhdx", r"C:\images\a.vhdx")),
            Step::Write("c.vhdx", || child(r".\b.vhdx", r"C:\images\b.vhdx")),
        ],
    )
    .verdict(Verdict::Expected("vhdx-differencing-alone"))
    .chain(Verdict::Expected("vhdx-differencing-chain")),
    Image::new(
        "a parent on a drive",
        "c.vhdx",
        &[
            Step::Write("a.vhdx", || Vhdx::default().bytes()),
            Step::Write("c.vhdx", || child("", r"\\?\D:\images\a.vhdx")),
        ],
    )
    .verdict(Verdict::Expected("vhdx-differencing-drive-alone"))
    .chain(Verdict::Expected("vhdx-differencing-drive-chain")),
    Image::new(
        "a parent in a log that was not finished",
        "c.vhdx",
        &[
            Step::Write("a.vhdx", || Vhdx::default().bytes()),
            Step::Write("b.vhdx", || Vhdx::default().bytes()),
            Step::Write("c.vhdx", || {
                // The disk was put on top of another one.
                let (from, to) = (child(r".\b.vhdx", ""), child(r".\a.vhdx", ""));
                let vhdx = Vhdx::differencing(&Vhdx::default());
                Log::new(vec![Change::between(&vhdx, &from, &to)]).in_file(&vhdx, from)
            }),
        ],
    )
    .verdict(Verdict::Expected("vhdx-differencing-log-alone"))
    .chain(Verdict::Expected("vhdx-differencing-log-chain")),
    written!("a parent without a name", child("", ""))
        .verdict(Verdict::Refused("the disk has a parent but does not say where it is")),
    written!("a parent locator of another type", { with_locator(|bytes| bytes[0] ^= 1) }).verdict(
        Verdict::Refused("the parent is of an unknown type: b04aefb6-d19e-4a81-b789-25b8e9445913"),
    ),
    written!("a parent locator with a key behind its end", {
        with_locator(|bytes| bytes[20 + 12 + 3] = 1)
    })
    .verdict(Verdict::Refused("the parent locator is damaged")),
];

/// A region: what it is, where it starts, how long it is, and whether it must be
/// known.
type Region = (Guid, u64, u64, u32);

/// The metadata of a sample.
const METADATA: Region = (region::METADATA, 2 * MIB, MIB, 1);

/// The block allocation table of a sample.
const BAT: Region = (region::BAT, 3 * MIB, MIB, 1);

/// Something that nobody knows.
const UNKNOWN: Guid = Guid::new(1, 2, 3, *b"unknown\0");

/// A sample with bytes that are wrong.
fn damaged(places: &[usize]) -> Vec<u8> {
    let mut bytes = Vhdx::default().bytes();
    places.iter().for_each(|place| bytes[*place] ^= 1);
    bytes
}

fn with_header(change: fn(&mut Header)) -> Vec<u8> {
    let mut bytes = Vhdx::default().bytes();
    let mut header = Vhdx::default().header();
    change(&mut header);
    put_headers(&mut bytes, &header);
    bytes
}

/// A sample whose headers have these numbers, and the second another id.
fn with_numbers(first: u8, second: u8, id: u8) -> Vec<u8> {
    let mut bytes = Vhdx::default().bytes();
    for (offset, number) in [(65_536, first), (131_072, second)] {
        bytes[offset + 8] = number;
    }
    bytes[131_072 + 16] ^= id;
    for offset in [65_536, 131_072] {
        seal(&mut bytes[offset..offset + header::SIZE]);
    }
    bytes
}

/// A sample of 3 MiB whose log makes it one of 300 MiB, in as many entries.
fn larger(first_sector: u32, entries: u64) -> Vec<u8> {
    Log { first_sector, ..Log::new(larger_by(entries)) }.in_image(&Vhdx::default())
}

/// The entries of that log, of two sectors each.
fn larger_by(entries: u64) -> Vec<Vec<Change>> {
    let vhdx = Vhdx::default();
    let with_size = |size: u64| {
        let mut items = vhdx.items();
        items[1].bytes = size.to_le_bytes().to_vec();
        vhdx.bytes_with(&vhdx.regions(), &items)
    };
    let step = |number: u64| {
        let size = if number == entries { 300 * MIB } else { number * 10 * MIB };
        Change::between(&vhdx, &vhdx.bytes(), &with_size(size))
    };
    (1..=entries).map(step).collect()
}

fn with_regions(regions: &[Region]) -> Vec<u8> {
    let entry = |(id, offset, length, required): &Region| Entry {
        id: *id,
        offset: (*offset).into(),
        length: u32::try_from(*length).expect("a region is not that long").into(),
        required: (*required).into(),
    };
    let table = region_table(&regions.iter().map(entry).collect::<Vec<_>>());
    let vhdx = Vhdx::default();
    vhdx.bytes_with(&table, &vhdx.items())
}

fn with_items(change: fn(&mut Vec<Item>)) -> Vec<u8> {
    let vhdx = Vhdx::default();
    let mut items = vhdx.items();
    change(&mut items);
    vhdx.bytes_with(&vhdx.regions(), &items)
}

/// A sample with another value of an item.
fn with_item(id: Guid, value: &[u8]) -> Vec<u8> {
    let vhdx = Vhdx::default();
    let mut items = vhdx.items();
    items.iter_mut().filter(|item| item.id == id).for_each(|item| item.bytes = value.to_vec());
    vhdx.bytes_with(&vhdx.regions(), &items)
}

/// A sample with an item elsewhere in the region.
fn with_item_at(number: usize, offset: u32) -> Vec<u8> {
    let mut bytes = Vhdx::default().bytes();
    let place = (2 << 20) + 32 + number * 32 + 16;
    bytes[place..place + 4].copy_from_slice(&offset.to_le_bytes());
    bytes
}

fn with_block_size(block_size: u32) -> Vec<u8> {
    with_item(metadata::FILE_PARAMETERS, &u64::from(block_size).to_le_bytes())
}

fn with_sector_size(sector_size: u32) -> Vec<u8> {
    with_item(metadata::LOGICAL_SECTOR_SIZE, &sector_size.to_le_bytes())
}

/// A sample with another entry in its block allocation table.
fn with_entry(number: usize, entry: u64) -> Vec<u8> {
    let mut bytes = Vhdx::default().bytes();
    let place = (3 << 20) + number * 8;
    bytes[place..place + 8].copy_from_slice(&entry.to_le_bytes());
    bytes
}

/// A differencing disk with something on it.
fn child(relative: &str, absolute: &str) -> Vec<u8> {
    let parent = Vhdx::default();
    let locator = Parent::new(parent.data_write_id, relative, absolute);
    let content = vec![(7, vec![7; 1024])];
    Vhdx { parent: Some(locator), content, ..Vhdx::differencing(&parent) }.bytes()
}

/// A differencing disk with another parent locator.
fn with_locator(change: fn(&mut [u8])) -> Vec<u8> {
    let vhdx = Vhdx::differencing(&Vhdx::default());
    let mut items = vhdx.items();
    change(&mut items[5].bytes);
    vhdx.bytes_with(&vhdx.regions(), &items)
}
