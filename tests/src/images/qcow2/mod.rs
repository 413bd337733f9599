//! qcow2 images of versions 2 and 3.
//!
//! What qemu-img makes is here. Images with snapshots and bitmaps are in [`lists`],
//! those with backing files in [`chains`]; [`encrypted`], [`extended`] and
//! [`damaged`] have what their names say.

/// Makes an image with qemu-img.
macro_rules! create {
    ($($options:expr),+) => {
        Step::Run(concat!("qemu-img create -f qcow2 ", $($options),+))
    };
}

/// An image as qemu-img makes it.
macro_rules! made {
    ($name:literal, $($options:expr),+) => {
        made($name, &[create!($($options),+)])
    };
}

/// An image from the sample maker.
macro_rules! written {
    ($name:literal, $sample:expr) => {
        made($name, &[Step::Write(FILE, || $sample.bytes())])
    };
}

/// An image of qemu-img with other bytes in some places.
macro_rules! patched {
    ($name:literal, $($place:literal: $bytes:literal),+) => {
        made($name, &[create!("a.qcow2 10M"), $(Step::Patch(FILE, $place, $bytes)),+])
    };
}

pub mod chains;
pub mod damaged;
pub mod encrypted;
pub mod extended;
pub mod lists;

use formats::qcow2::sample::Sample;

use super::{Image, Step};

const FILE: &str = "a.qcow2";

const fn made(name: &'static str, steps: &'static [Step]) -> Image {
    Image::new(name, FILE, steps)
}

/// Every kind of image that qemu-img makes.
pub const IMAGES: &[Image] = &[
    made!("nothing special", "a.qcow2 10M"),
    made!("no size", "a.qcow2 0"),
    made!("an odd size", "a.qcow2 1000"),
    made!("version 2", "-o compat=0.10 a.qcow2 10M"),
    made!("version 2 with small clusters", "-o compat=0.10,cluster_size=512 a.qcow2 10M"),
    made!("clusters of 512 bytes", "-o cluster_size=512 a.qcow2 10M"),
    made!("clusters of 1 KiB", "-o cluster_size=1k a.qcow2 10M"),
    made!("clusters of 2 KiB", "-o cluster_size=2k a.qcow2 10M"),
    made!("clusters of 4 KiB", "-o cluster_size=4k a.qcow2 10M"),
    made!("clusters of 8 KiB", "-o cluster_size=8k a.qcow2 10M"),
    made!("clusters of 16 KiB", "-o cluster_size=16k a.qcow2 10M"),
    made!("clusters of 32 KiB", "-o cluster_size=32k a.qcow2 10M"),
    made!("clusters of 64 KiB", "-o cluster_size=64k a.qcow2 10M"),
    made!("clusters of 128 KiB", "-o cluster_size=128k a.qcow2 10M"),
    made!("clusters of 256 KiB", "-o cluster_size=256k a.qcow2 10M"),
    made!("clusters of 512 KiB", "-o cluster_size=512k a.qcow2 10M"),
    made!("clusters of 1 MiB", "-o cluster_size=1M a.qcow2 10M"),
    made!("clusters of 2 MiB", "-o cluster_size=2M a.qcow2 10M"),
    made!("reference counts of 1 bit", "-o refcount_bits=1 a.qcow2 10M"),
    made!("reference counts of 2 bits", "-o refcount_bits=2 a.qcow2 10M"),
    made!("reference counts of 4 bits", "-o refcount_bits=4 a.qcow2 10M"),
    made!("reference counts of 8 bits", "-o refcount_bits=8 a.qcow2 10M"),
    made!("reference counts of 16 bits", "-o refcount_bits=16 a.qcow2 10M"),
    made!("reference counts of 32 bits", "-o refcount_bits=32 a.qcow2 10M"),
    made!("reference counts of 64 bits", "-o refcount_bits=64 a.qcow2 10M"),
    made!("lazy reference counts", "-o lazy_refcounts=on a.qcow2 10M"),
    made!("subclusters", "-o extended_l2=on a.qcow2 10M"),
    made!("the smallest subclusters", "-o extended_l2=on,cluster_size=16k a.qcow2 10M"),
    made!("the largest subclusters", "-o extended_l2=on,cluster_size=2M a.qcow2 10M"),
    made!("Zstandard", "-o compression_type=zstd a.qcow2 10M"),
    made!("preallocated metadata", "-o preallocation=metadata a.qcow2 10M"),
    made!("preallocated space", "-o preallocation=falloc a.qcow2 3M"),
    made!("preallocated zeros", "-o preallocation=full a.qcow2 3M"),
    made!(
        "everything at once",
        "-o lazy_refcounts=on,extended_l2=on,compression_type=zstd,refcount_bits=64,cluster_size=32k a.qcow2 1G"
    ),
    made!("16 TiB", "a.qcow2 16T"),
    made!("1 EiB", "-o cluster_size=2M a.qcow2 1E"),
    made!("the largest disk", "-o cluster_size=2M a.qcow2 2E"),
    made(
        "with data",
        &[
            Step::Write("a.raw", || b"data".repeat(1 << 20)),
            Step::Run("qemu-img convert -f raw -O qcow2 a.raw a.qcow2"),
        ],
    ),
    made(
        "with compressed data",
        &[
            Step::Write("a.raw", || b"data".repeat(1 << 20)),
            Step::Run("qemu-img convert -f raw -O qcow2 -c a.raw a.qcow2"),
        ],
    ),
    made(
        "a disk that has grown",
        &[
            create!("-o cluster_size=512 a.qcow2 64k"),
            Step::Run("qemu-img resize a.qcow2 100M"),
            Step::Run("qemu-io -c 'write 50M 64k' a.qcow2"),
        ],
    ),
    made(
        "an empty disk that has grown",
        &[create!("a.qcow2 0"), Step::Run("qemu-img resize a.qcow2 1G")],
    ),
    made(
        "a disk that has shrunk",
        &[create!("a.qcow2 1G"), Step::Run("qemu-img resize --shrink a.qcow2 1M")],
    ),
    made(
        "a disk that was changed to version 3",
        &[create!("-o compat=0.10 a.qcow2 1G"), Step::Run("qemu-img amend -o compat=1.1 a.qcow2")],
    ),
    made(
        "a disk that was changed to version 2",
        &[create!("a.qcow2 1G"), Step::Run("qemu-img amend -o compat=0.10 a.qcow2")],
    ),
];

/// An image with header extensions.
fn extended(extensions: &[(u32, &[u8])]) -> Sample {
    let extensions = extensions.iter().map(|(kind, data)| (*kind, data.to_vec())).collect();
    Sample { cluster_bits: 16, extensions, ..Sample::default() }
}

/// An image with a backing file of no format.
fn on(name: &[u8], extensions: &[(u32, &[u8])]) -> Sample {
    Sample { backing: Some(name.to_vec()), ..extended(extensions) }
}
