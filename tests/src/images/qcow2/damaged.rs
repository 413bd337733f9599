//! qcow2 images whose header says what cannot be, and files that lack something.

use super::super::{Image, Step, Verdict};
use super::{FILE, made};

/// An image of qemu-img of which only the first bytes are left.
macro_rules! cut {
    ($name:literal, $length:literal) => {
        made(
            $name,
            &[create!("a.qcow2 10M"), Step::Run(concat!("truncate -s ", $length, " a.qcow2"))],
        )
    };
}

/// Field by field.
pub const IMAGES: &[Image] = &[
    patched!("version 4", 4: b"\0\0\0\x04"),
    patched!("a version with a sign", 4: b"\xff\xff\xff\xff"),
    patched!("a header of version 2", 4: b"\0\0\0\x02"),
    patched!("clusters of 1 byte", 20: b"\0\0\0\0"),
    patched!("clusters of 256 bytes", 20: b"\0\0\0\x08"),
    patched!("smaller clusters than it has", 20: b"\0\0\0\x09"),
    patched!("larger clusters than it has", 20: b"\0\0\0\x15"),
    patched!("clusters of 4 MiB", 20: b"\0\0\0\x16"),
    patched!("clusters beyond 64 bits", 20: b"\xff\xff\xff\xff"),
    patched!("a header of 103 bytes", 100: b"\0\0\0\x67"),
    patched!("a header of 105 bytes", 100: b"\0\0\0\x69"),
    patched!("a header that fills the cluster", 100: b"\0\x01\0\0"),
    patched!("a header longer than the cluster", 100: b"\0\x01\0\x01"),
    patched!("a name outside the cluster", 8: b"\0\0\0\0\0\x01\0\x01"),
    patched!("a name at the end of the cluster", 8: b"\0\0\0\0\0\x01\0\0\0\0\0\x01"),
    patched!("no name at the end of the cluster", 8: b"\0\0\0\0\0\x01\0\0\0\0\0\0"),
    patched!("a name that starts with its end", 8: b"\0\0\0\0\0\0\xff\0\0\0\0\x02"),
    patched!("a name of 1024 bytes", 8: b"\0\0\0\0\0\0\x80\0\0\0\x04\0"),
    patched!("a name that ends outside the cluster", 8: b"\0\0\0\0\0\0\xff\xfe\0\0\0\x03"),
    patched!("subclusters in small clusters", 20: b"\0\0\0\x0d", 79: b"\x10"),
    patched!("reference counts of 128 bits", 96: b"\0\0\0\x07"),
    patched!("reference counts beyond all bits", 96: b"\xff\xff\xff\xff"),
    patched!("no refcount table", 56: b"\0\0\0\0"),
    patched!("a refcount table that is too large", 56: b"\0\0\0\x81"),
    patched!("a refcount table at an odd place", 48: b"\0\0\0\0\0\0\0\x01"),
    patched!("a refcount table with a sign", 48: b"\x80\0\0\0\0\0\0\0"),
    patched!("a refcount table in the header", 48: b"\0\0\0\0\0\0\0\0"),
    patched!("a refcount table outside the file", 48: b"\0\0\x01\0\0\0\0\0").verdict(
        Verdict::Refused(
            "the refcount table at 1099511627776 (65536 bytes) does not lie in the file",
        ),
    ),
    patched!("a refcount table that ends outside the file", 56: b"\0\0\0\x80").verdict(
        Verdict::Refused("the refcount table at 65536 (8388608 bytes) does not lie in the file"),
    ),
    patched!("65,537 snapshots", 60: b"\0\x01\0\x01"),
    patched!("a snapshot table at an odd place", 64: b"\0\0\0\0\0\0\0\x01"),
    patched!("a snapshot table with a sign", 64: b"\xff\xff\xff\xff\xff\xff\0\0"),
    patched!("a snapshot table in the header", 60: b"\0\0\0\x01"),
    patched!("a snapshot table outside the file", 60: b"\0\0\0\x01", 64: b"\0\0\x01\0\0\0\0\0")
        .verdict(Verdict::Refused(
            "the entry of the snapshot table at 1099511627776 (40 bytes) does not lie in the file",
        )),
    patched!("no L1 table", 36: b"\0\0\0\0"),
    patched!("an L1 table that is too large", 36: b"\0\x40\0\x01"),
    patched!("an L1 table at an odd place", 40: b"\0\0\0\0\0\x03\x02\0"),
    patched!("an L1 table with a sign", 40: b"\x80\0\0\0\0\0\0\0"),
    patched!("an L1 table in the header", 40: b"\0\0\0\0\0\0\0\0"),
    patched!("an L1 table outside the file", 40: b"\0\0\x01\0\0\0\0\0").verdict(Verdict::Refused(
        "the L1 table at 1099511627776 (8 bytes) does not lie in the file",
    )),
    patched!("an L1 table that ends outside the file", 36: b"\0\x40\0\0").verdict(
        Verdict::Refused("the L1 table at 196608 (33554432 bytes) does not lie in the file"),
    ),
    patched!("a disk of 1 byte", 24: b"\0\0\0\0\0\0\0\x01"),
    patched!("a disk of no bytes", 24: b"\0\0\0\0\0\0\0\0"),
    patched!("a disk as large as the L1 table", 24: b"\0\0\0\0\x20\0\0\0"),
    patched!("a disk larger than the L1 table", 24: b"\0\0\0\0\x20\0\0\x01"),
    patched!("a disk of 1 EiB", 24: b"\x10\0\0\0\0\0\0\0"),
    patched!("a disk of 8 EiB", 24: b"\x80\0\0\0\0\0\0\0"),
    patched!("a disk of almost 16 EiB", 24: b"\xff\xff\xff\xff\xe0\0\0\0"),
    patched!("a disk of 16 EiB", 24: b"\xff\xff\xff\xff\xff\xff\xff\xff"),
    made("an empty file", &[Step::Write(FILE, Vec::new)]),
    made("a magic", &[Step::Write(FILE, || b"QFI\xfb".to_vec())]),
    made("a magic and a version", &[Step::Write(FILE, || b"QFI\xfb\0\0\0\x02".to_vec())]),
    made("half a version", &[Step::Write(FILE, || b"QFI\xfb\0\x01".to_vec())]),
    cut!("half a header", 60),
    cut!("a header without its length", 100),
    cut!("a header", 112).verdict(NO_L1_TABLE),
    cut!("a cluster", 65_536).verdict(NO_L1_TABLE),
    cut!("no L1 table", 196_608).verdict(NO_L1_TABLE),
    cut!("a bit of the L1 table", 196_609),
    made(
        "no end of the first cluster",
        &[
            create!("-o cluster_size=2M a.qcow2 10M"),
            Step::Patch(FILE, 40, &[0; 16]),
            Step::Run("truncate -s 4096 a.qcow2"),
        ],
    )
    .verdict(Verdict::Refused("the refcount table at 0 (2097152 bytes) does not lie in the file")),
];

const NO_L1_TABLE: Verdict =
    Verdict::Refused("the L1 table at 196608 (8 bytes) does not lie in the file");
