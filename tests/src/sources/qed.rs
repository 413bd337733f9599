//! QED images.

use super::Source;
use crate::images::Step;

/// The image.
const FILE: &str = "a.qed";

/// What qemu makes, and what it does not.
pub const SOURCES: &[Source] = &[
    Source::new("empty", FILE, &[Step::Run("qemu-img create -f qed a.qed 0")]),
    Source::new("nothing written", FILE, &[Step::Run("qemu-img create -f qed a.qed 3M")]),
    Source::new(
        "out of order",
        FILE,
        &[
            Step::Run("qemu-img create -f qed a.qed 10500K"),
            Step::Run("qemu-io -f qed -c 'write -P 1 7M 2M' -c 'write -P 2 1000K 100K' a.qed"),
            Step::Run("qemu-io -f qed -c 'write -P 3 10499K 1K' -c 'write -P 4 0 512' a.qed"),
        ],
    ),
    Source::new(
        "small clusters and tables",
        FILE,
        &[
            Step::Run("qemu-img create -f qed -o cluster_size=4K,table_size=2 a.qed 9M"),
            Step::Run("qemu-io -f qed -c 'write -P 1 4000K 1M' -c 'write -P 2 100K 1K' a.qed"),
        ],
    ),
    Source::new(
        "zeros",
        FILE,
        &[
            Step::Run("qemu-img create -f qed a.qed 3M"),
            Step::Run("qemu-io -f qed -c 'write -P 1 0 3M' -c 'write -z 1M 128K' a.qed"),
        ],
    ),
    Source::new(
        "on another image",
        FILE,
        &[
            Step::Write("base.raw", || vec![9; 3 << 20]),
            Step::Run("qemu-img create -f qed -b base.raw -F raw a.qed 5M"),
            Step::Run("qemu-io -f qed -c 'write -P 1 1M 100K' -c 'write -z 2M 128K' a.qed"),
        ],
    ),
    Source::new(
        "left open",
        FILE,
        &[
            Step::Run("qemu-img create -f qed a.qed 3M"),
            Step::Run("qemu-io -f qed -c 'write -P 1 1M 1M' a.qed"),
            Step::Patch(FILE, 16, b"\x02"),
        ],
    ),
    Source::new(
        "a cluster behind the end of the file",
        FILE,
        &[
            Step::Run("qemu-img create -f qed a.qed 3M"),
            Step::Run("qemu-io -f qed -c 'write -P 1 0 64K' a.qed"),
            // Header, L1 table, and the cluster come before the L2 table.
            Step::Patch(FILE, 6 * 65_536, b"\0\0\0\x10"),
        ],
    )
    .refused("cluster 0 of the disk lies at 268435456, where none can be"),
];
