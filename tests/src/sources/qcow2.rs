//! qcow2 images.

use super::Source;
use crate::images::Step;

/// The image.
const FILE: &str = "a.qcow2";

/// Creates the image with these options, and runs these commands of qemu-io on it.
macro_rules! written {
    ($name:literal, $options:literal, $size:literal $(, $command:literal)*) => {
        Source::new(
            $name,
            FILE,
            &[
                Step::Run(concat!("qemu-img create -f qcow2 ", $options, " a.qcow2 ", $size)),
                $(Step::Run(concat!("qemu-io -f qcow2 -c '", $command, "' a.qcow2"))),*
            ],
        )
    };
}

/// The same, on top of a raw image of 3 MiB with the same byte everywhere.
macro_rules! layered {
    ($name:literal, $options:literal, $size:literal $(, $command:literal)*) => {
        Source::new(
            $name,
            FILE,
            &[
                Step::Write("base.raw", || vec![9; 3 << 20]),
                Step::Run(concat!(
                    "qemu-img create -f qcow2 -b base.raw -F raw ", $options, " a.qcow2 ", $size
                )),
                $(Step::Run(concat!("qemu-io -f qcow2 -c '", $command, "' a.qcow2"))),*
            ],
        )
    };
}

/// What qemu makes, and what it does not.
pub const SOURCES: &[Source] = &[
    written!("empty", "", "0"),
    written!("nothing written", "", "10500K"),
    written!(
        "out of order",
        "",
        "10500K",
        "write -P 1 7M 2M",
        "write -P 2 1000K 100K",
        "write -P 3 10499K 1K",
        "write -P 4 0 512"
    ),
    written!("small clusters", "-o cluster_size=512", "1M", "write -P 1 300K 111K", "write 0 1K"),
    written!("large clusters", "-o cluster_size=2M", "9M", "write -P 1 3M 1K", "write -P 2 8M 1M"),
    written!("version 2", "-o compat=0.10", "5M", "write -P 1 1M 3M", "discard 2M 64K"),
    written!(
        "zeros and discards",
        "",
        "8M",
        "write -P 1 0 8M",
        "write -z 1M 1M",
        "write -zu 3M 100K",
        "discard 5M 128K",
        "write -z 6M 1000"
    ),
    written!(
        "compressed",
        "",
        "5M",
        "write -c -P 1 0 64K",
        "write -c -P 2 192K 64K",
        "write -P 3 256K 64K",
        "write -c -P 4 1M 2M",
        "write -P 5 1088K 1K"
    ),
    written!(
        "compressed with Zstandard",
        "-o compression_type=zstd",
        "5M",
        "write -c -P 1 0 64K",
        "write -c -P 2 192K 64K",
        "write -P 3 256K 64K",
        "write -c -P 4 1M 2M"
    ),
    written!(
        "compressed small clusters",
        "-o cluster_size=512",
        "1M",
        "write -c -P 1 0 10K",
        "write -c -P 2 700K 1K"
    ),
    written!(
        "compressed large clusters",
        "-o cluster_size=2M,compression_type=zstd",
        "5M",
        "write -c -P 1 0 2M",
        "write -c -P 2 4M 1M"
    ),
    written!(
        "subclusters",
        "-o extended_l2=on",
        "5M",
        "write -P 1 0 4K",
        "write -P 2 10K 1K",
        "write -P 3 1M 1M",
        "write -z 1100K 10K",
        "write -P 4 40K 2K",
        "discard 1200K 4K",
        "write -z 3M 2K",
        "write -c -P 5 4M 64K"
    ),
    written!(
        "subclusters of 512 bytes",
        "-o extended_l2=on,cluster_size=16K",
        "1M",
        "write -P 1 512 1K",
        "write -z 100K 3K",
        "write -P 2 17K 30K"
    ),
    written!("preallocated", "-o preallocation=metadata", "5M", "write -P 1 1M 1K"),
    written!("preallocated in full", "-o preallocation=full", "2M", "write -P 1 1M 1K"),
    written!(
        "preallocated subclusters",
        "-o preallocation=metadata,extended_l2=on",
        "3M",
        "write -P 1 1M 3K"
    ),
    written!("narrow reference counts", "-o refcount_bits=1", "3M", "write -c -P 1 0 1M"),
    written!("wide reference counts", "-o refcount_bits=64", "3M", "write -c -P 1 0 1M"),
    written!(
        "data in another file",
        "-o data_file=data.raw",
        "5M",
        "write -P 1 3M 1M",
        "write -P 2 0 1K",
        "write -z 3100K 64K"
    ),
    written!(
        "data in another file that is raw",
        "-o data_file=data.raw,data_file_raw=on",
        "3M",
        "write -P 1 1M 1M",
        "write -z 1100K 64K"
    ),
    written!(
        "subclusters in another file",
        "-o data_file=data.raw,extended_l2=on",
        "3M",
        "write -P 1 0 2K",
        "write -P 2 1M 1K",
        "write -z 2M 10K"
    ),
    layered!("on another image", "", "3M", "write -P 1 1M 100K", "write -z 2M 64K"),
    layered!(
        "smaller than the other",
        "",
        "1M",
        "write -P 1 500K 1K",
        "write -z 700K 64K",
        "write -zu 900K 124K"
    ),
    layered!("larger than the other", "", "5M", "write -P 1 4M 1K", "discard 1M 1M"),
    layered!("version 2 on another image", "-o compat=0.10", "3M", "write -z 1M 100K"),
    layered!(
        "subclusters on another image",
        "-o extended_l2=on",
        "3M",
        "write -P 1 1M 3K",
        "write -z 2M 10K",
        "write -c -P 2 0 64K",
        "write -P 3 2050K 1K"
    ),
    layered!(
        "preallocated on another image",
        "-o extended_l2=on,preallocation=metadata",
        "3M",
        "write -P 1 1M 3K"
    ),
    layered!(
        "a data file on another image",
        "-o data_file=data.raw",
        "3M",
        "write -P 1 1M 3K",
        "write -z 0 64K"
    ),
    Source::new(
        "a chain of three",
        FILE,
        &[
            Step::Run("qemu-img create -f qcow2 -o cluster_size=4K one.qcow2 3M"),
            Step::Run("qemu-io -f qcow2 -c 'write -P 1 0 2M' one.qcow2"),
            Step::Run("qemu-img create -f qcow2 -b one.qcow2 -F qcow2 two.qcow2"),
            Step::Run("qemu-io -f qcow2 -c 'write -c -P 2 1M 1M' two.qcow2"),
            Step::Run("qemu-img create -f qcow2 -b two.qcow2 -F qcow2 a.qcow2"),
            Step::Run("qemu-io -f qcow2 -c 'write -z 500K 1000K' a.qcow2"),
        ],
    ),
    Source::new(
        "compressed by convert",
        FILE,
        &[
            Step::Write("b.raw", || {
                (0..900_000_u32).flat_map(|it| (it / 7).to_le_bytes()).collect()
            }),
            Step::Run("qemu-img convert -c -O qcow2 b.raw a.qcow2"),
        ],
    ),
    Source::new(
        "compressed by convert with Zstandard",
        FILE,
        &[
            Step::Write("b.raw", || {
                (0..900_000_u32).flat_map(|it| (it / 7).to_le_bytes()).collect()
            }),
            Step::Run("qemu-img convert -c -O qcow2 -o compression_type=zstd b.raw a.qcow2"),
        ],
    ),
    Source::new(
        "after a snapshot",
        FILE,
        &[
            Step::Run("qemu-img create -f qcow2 a.qcow2 3M"),
            Step::Run("qemu-io -f qcow2 -c 'write -P 1 0 2M' a.qcow2"),
            Step::Run("qemu-img snapshot -c one a.qcow2"),
            Step::Run("qemu-io -f qcow2 -c 'write -P 2 1M 2M' a.qcow2"),
        ],
    ),
    Source::new(
        "a file that is cut off",
        FILE,
        &[
            Step::Run("qemu-img create -f qcow2 a.qcow2 3M"),
            Step::Run("qemu-io -f qcow2 -c 'write -P 1 0 2M' a.qcow2"),
            Step::Run("truncate -s 1000001 a.qcow2"),
        ],
    ),
    Source::new(
        "an L2 table behind the end of the file",
        FILE,
        &[
            Step::Run("qemu-img create -f qcow2 a.qcow2 3M"),
            Step::Patch(FILE, 0x30000, b"\x80\0\x10\0\0\0\0\0"),
        ],
    ),
    Source::new(
        "an L2 table inside a cluster",
        FILE,
        &[
            Step::Run("qemu-img create -f qcow2 a.qcow2 3M"),
            Step::Patch(FILE, 0x30000, b"\x80\0\0\0\0\x04\x02\0"),
        ],
    )
    .refused("L2 table offset 0x40200 unaligned (L1 index: 0x0)"),
    Source::new(
        "encrypted",
        FILE,
        &[Step::Run(
            "qemu-img create -f qcow2 --object secret,id=s,data=abc -o \
             encrypt.format=aes,encrypt.key-secret=s a.qcow2 1M",
        )],
    )
    .refused("Parameter 'encrypt.key-secret' is required for cipher"),
];
