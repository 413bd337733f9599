//! qcow images.

use formats::qcow::sample::Sample;

use super::{Image, Step, Verdict};

const FILE: &str = "a.qcow";

/// Makes an image with qemu-img.
macro_rules! create {
    ($options:literal) => {
        Step::Run(concat!("qemu-img create -f qcow ", $options))
    };
}

/// An image as qemu-img makes it.
macro_rules! made {
    ($name:literal, $options:literal) => {
        made($name, &[create!($options)])
    };
}

/// An image of qemu-img with other bytes in some places.
macro_rules! patched {
    ($name:literal, $($place:literal: $bytes:literal),+) => {
        made($name, &[create!("a.qcow 10M"), $(Step::Patch(FILE, $place, $bytes)),+])
    };
}

/// An image from the sample maker.
macro_rules! written {
    ($name:literal, $sample:expr) => {
        made($name, &[Step::Write(FILE, || $sample.bytes())])
    };
}

/// An image of qemu-img of which only the first bytes are left.
macro_rules! cut {
    ($name:literal, $length:literal) => {
        made(
            $name,
            &[create!("a.qcow 10M"), Step::Run(concat!("truncate -s ", $length, " a.qcow"))],
        )
    };
}

const fn made(name: &'static str, steps: &'static [Step]) -> Image {
    Image::new(name, FILE, steps)
}

/// What qemu-img makes, what it does not make, and what is damaged.
pub const IMAGES: &[Image] = &[
    made!("10 MiB", "a.qcow 10M"),
    made!("a sector", "a.qcow 512"),
    made!("an odd size", "a.qcow 1000"),
    made!("16 TiB", "a.qcow 16T"),
    made!(
        "AES",
        "--object secret,id=s,data=x -o encrypt.format=aes,encrypt.key-secret=s a.qcow 10M"
    ),
    made(
        "with data",
        &[
            Step::Write("a.raw", || b"data".repeat(1 << 18)),
            Step::Run("qemu-img convert -f raw -O qcow a.raw a.qcow"),
        ],
    ),
    made(
        "on raw",
        &[Step::Run("qemu-img create -f raw b.raw 3M"), create!("-b b.raw -F raw a.qcow")],
    ),
    made("on qcow", &[create!("b.qcow 3M"), create!("-b b.qcow -F qcow a.qcow")]),
    made(
        "on qcow2",
        &[Step::Run("qemu-img create -f qcow2 b.qcow2 3M"), create!("-b b.qcow2 -F qcow2 a.qcow")],
    ),
    made(
        "in folders",
        &[
            Step::Run("mkdir sub"),
            Step::Run("qemu-img create -f raw sub/c.raw 3M"),
            create!("-b c.raw -F raw sub/b.qcow"),
            create!("-b sub/b.qcow -F qcow a.qcow"),
        ],
    ),
    made("on nothing", &[create!("-u -b b.raw -F raw a.qcow 3M")]),
    written!("on itself", Sample { backing: Some(b"a.qcow".to_vec()), ..Sample::default() }),
    written!(
        "the smallest clusters and tables",
        Sample { cluster_bits: 9, l2_bits: 6, ..Sample::default() }
    ),
    written!(
        "the largest clusters and tables",
        Sample { cluster_bits: 16, l2_bits: 13, ..Sample::default() }
    ),
    written!("a disk of 2 bytes", Sample { size: 2, ..Sample::default() }),
    written!("a disk of 1023 bytes", Sample { size: 1023, ..Sample::default() }),
    written!("1 PiB", Sample { size: 1 << 50, cluster_bits: 16, l2_bits: 13, ..Sample::default() }),
    written!(
        "a name that is not ASCII",
        Sample { backing: Some("größe".into()), ..Sample::default() }
    ),
    written!("an empty name", Sample { backing: Some(Vec::new()), ..Sample::default() }),
    written!(
        "a name with an end",
        Sample { backing: Some(b"b.raw\0c".to_vec()), ..Sample::default() }
    ),
    made(
        "a name of 1023 bytes",
        &[
            Step::Write("b.raw", || vec![7; 512]),
            Step::Write(FILE, || {
                let name = "./".repeat(509) + "b.raw";
                Sample { backing: Some(name.into()), ..Sample::default() }.bytes()
            }),
        ],
    ),
    written!(
        "a name of 1024 bytes",
        Sample { backing: Some(vec![b'a'; 1024]), ..Sample::default() }
    ),
    patched!("a time of the backing file", 20: b"\xff\xff\xff\xff"),
    patched!("a padding", 34: b"\xff\xff"),
    patched!("an L1 table in the header", 40: b"\0\0\0\0\0\0\0\0"),
    patched!("an L1 table at an odd place", 40: b"\0\0\0\0\0\0\0\x31"),
    patched!("a disk of no bytes", 24: b"\0\0\0\0\0\0\0\0"),
    patched!("a disk of 1 byte", 24: b"\0\0\0\0\0\0\0\x01"),
    patched!("a disk of 16 EiB", 24: b"\xff\xff\xff\xff\xff\xff\xff\xff"),
    patched!("a disk of 1 EiB", 24: b"\x10\0\0\0\0\0\0\0"),
    patched!("clusters of 256 bytes", 32: b"\x08"),
    patched!("clusters of 128 KiB", 32: b"\x11"),
    patched!("L2 tables of 256 bytes", 33: b"\x05"),
    patched!("L2 tables of 128 KiB", 33: b"\x0e"),
    patched!("unknown encryption", 36: b"\0\0\0\x02"),
    patched!("version 0", 4: b"\0\0\0\0"),
    patched!("version 2", 4: b"\0\0\0\x02"),
    patched!("a name outside the file", 8: b"\0\0\x01\0\0\0\0\0\0\0\0\x05").verdict(
        Verdict::Refused(
            "the name of the backing file at 1099511627776 (5 bytes) does not lie in the file",
        ),
    ),
    patched!("an L1 table outside the file", 40: b"\0\0\x01\0\0\0\0\0").verdict(Verdict::Refused(
        "the L1 table at 1099511627776 (40 bytes) does not lie in the file",
    )),
    patched!("an L1 table at the end of numbers", 40: b"\xff\xff\xff\xff\xff\xff\xff\xff").verdict(
        Verdict::Refused(
            "the L1 table at 18446744073709551615 (40 bytes) does not lie in the file",
        ),
    ),
    patched!("an L1 table that ends outside the file", 24: b"\0\0\x01\0\0\0\0\0")
        .verdict(Verdict::Refused("the L1 table at 48 (4194304 bytes) does not lie in the file")),
    cut!("half a version", 6),
    cut!("a magic and a version", 8),
    cut!("half a header", 30),
    cut!("a header", 48),
];
