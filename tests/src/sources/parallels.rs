//! Parallels images.

use formats::parallels::sample::{Disk, Extension};

use super::Source;
use crate::images::Step;

/// The image.
const FILE: &str = "a.hds";

/// What qemu makes, and what other software makes.
pub const SOURCES: &[Source] = &[
    Source::new("empty", FILE, &[Step::Run("qemu-img create -f parallels a.hds 0")]),
    Source::new("nothing written", FILE, &[Step::Run("qemu-img create -f parallels a.hds 3M")]),
    Source::new(
        "clusters out of order",
        FILE,
        &[
            Step::Run("qemu-img create -f parallels a.hds 10500K"),
            Step::Run(
                "qemu-io -f parallels -c 'write -P 1 7M 2M' -c 'write -P 2 1000K 100K' a.hds",
            ),
            Step::Run("qemu-io -f parallels -c 'write -P 3 10499K 1K' -c 'write -P 4 0 512' a.hds"),
        ],
    ),
    Source::new(
        "small clusters, zeros and discards",
        FILE,
        &[
            Step::Run("qemu-img create -f parallels -o cluster_size=64K a.hds 5M"),
            Step::Run("qemu-io -f parallels -c 'write -P 1 100K 3M' -c 'write -z 512K 1M' a.hds"),
            Step::Run("qemu-io -f parallels -c 'discard 2M 192K' -c 'write -P 5 2100K 10K' a.hds"),
        ],
    ),
    Source::new(
        "clusters of 63 sectors",
        FILE,
        &[
            Step::Run("qemu-img create -f parallels -o cluster_size=32256 a.hds 3M"),
            Step::Run("qemu-io -f parallels -c 'write -P 1 1M 100K' -c 'write -P 2 0 1K' a.hds"),
        ],
    ),
    Source::new(
        "clusters of one sector",
        FILE,
        &[
            Step::Run("qemu-img create -f parallels -o cluster_size=512 a.hds 100K"),
            Step::Run("qemu-io -f parallels -c 'write -P 1 1K 50K' -c 'write -P 2 512 512' a.hds"),
        ],
    ),
    Source::new(
        "the old magic",
        FILE,
        &[
            Step::Write(FILE, || Disk::old().bytes()),
            Step::Run("qemu-io -f parallels -c 'write -P 1 1M 100K' -c 'write -P 2 0 1K' a.hds"),
        ],
    ),
    Source::new(
        "a dirty bitmap",
        FILE,
        &[Step::Write(FILE, || {
            Disk { extension: Some(Extension::dirty_bitmap()), ..Disk::default() }.bytes()
        })],
    ),
    Source::new(
        "a cluster behind the end of the file",
        FILE,
        &[Step::Run("qemu-img create -f parallels a.hds 3M"), Step::Patch(FILE, 68, b"\x05")],
    ),
    Source::new(
        "clusters used twice",
        FILE,
        &[
            Step::Run("qemu-img create -f parallels a.hds 3M"),
            Step::Run("qemu-io -f parallels -c 'write -P 1 0 3M' a.hds"),
            Step::Patch(FILE, 68, b"\x01"),
        ],
    ),
    Source::new(
        "fewer entries than the disk has",
        FILE,
        &[
            Step::Run("qemu-img create -f parallels a.hds 3M"),
            Step::Run("qemu-io -f parallels -c 'write -P 1 0 3M' a.hds"),
            Step::Patch(FILE, 32, b"\x02"),
        ],
    ),
    Source::new(
        "left open",
        FILE,
        &[
            Step::Run("qemu-img create -f parallels a.hds 3M"),
            Step::Run("qemu-io -f parallels -c 'write -P 1 100K 2M' a.hds"),
            Step::Patch(FILE, 44, b"Ynot"),
        ],
    ),
    Source::new(
        "a file that ends in a cluster",
        FILE,
        &[
            Step::Run("qemu-img create -f parallels a.hds 3M"),
            Step::Run("qemu-io -f parallels -c 'write -P 1 0 3M' a.hds"),
            Step::Run("truncate -s -700001 a.hds"),
        ],
    ),
];
