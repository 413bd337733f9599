//! qcow images.

use super::Source;
use crate::images::Step;

/// The image.
const FILE: &str = "a.qcow";

/// What qemu makes, and what it does not.
pub const SOURCES: &[Source] = &[
    Source::new("nothing written", FILE, &[Step::Run("qemu-img create -f qcow a.qcow 3M")]),
    Source::new(
        "out of order",
        FILE,
        &[
            Step::Run("qemu-img create -f qcow a.qcow 10500K"),
            Step::Run("qemu-io -f qcow -c 'write -P 1 7M 2M' -c 'write -P 2 1000K 100K' a.qcow"),
            Step::Run("qemu-io -f qcow -c 'write -P 3 10499K 1K' -c 'write -P 4 0 512' a.qcow"),
        ],
    ),
    Source::new(
        "compressed",
        FILE,
        &[
            Step::Run("qemu-img create -f qcow a.qcow 3M"),
            Step::Run("qemu-io -f qcow -c 'write -c -P 1 0 4K' -c 'write -P 2 8K 4K' a.qcow"),
            Step::Run("qemu-io -f qcow -c 'write -c -P 3 2M 4K' -c 'write -P 4 2M 1K' a.qcow"),
        ],
    ),
    Source::new(
        "on another image",
        FILE,
        &[
            Step::Write("base.raw", || vec![9; 3 << 20]),
            Step::Run("qemu-img create -f qcow -b base.raw -F raw a.qcow 3M"),
            Step::Run("qemu-io -f qcow -c 'write -P 1 1M 100K' -c 'write -z 2M 3K' a.qcow"),
            Step::Run("qemu-io -f qcow -c 'write -c -P 2 512 512' a.qcow"),
        ],
    ),
    Source::new(
        "a file that is cut off",
        FILE,
        &[
            Step::Run("qemu-img create -f qcow a.qcow 3M"),
            Step::Run("qemu-io -f qcow -c 'write -P 1 0 2M' a.qcow"),
            Step::Run("truncate -s 1000001 a.qcow"),
        ],
    ),
    Source::new(
        "encrypted",
        FILE,
        &[Step::Run(
            "qemu-img create -f qcow --object secret,id=s,data=abc -o \
             encrypt.format=aes,encrypt.key-secret=s a.qcow 1M",
        )],
    )
    .refused("Parameter 'encrypt.key-secret' is required for cipher"),
];
