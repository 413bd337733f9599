//! VDI images.

use super::Source;
use crate::images::Step;

/// The image.
const FILE: &str = "a.vdi";

/// Some blocks of a disk, not in order.
const WRITTEN: &[Step] = &[
    Step::Run("qemu-img create -f vdi a.vdi 10500K"),
    Step::Run("qemu-io -f vdi -c 'write -P 1 7M 2M' -c 'write -P 2 1000K 100K' a.vdi"),
    Step::Run("qemu-io -f vdi -c 'write -P 3 10499K 1K' -c 'write -P 4 0 512' a.vdi"),
];

/// What qemu makes, and what it does not.
pub const SOURCES: &[Source] = &[
    Source::new("empty", FILE, &[Step::Run("qemu-img create -f vdi a.vdi 0")]),
    Source::new("nothing written", FILE, &[Step::Run("qemu-img create -f vdi a.vdi 3M")]),
    Source::new("blocks out of order", FILE, WRITTEN),
    Source::new(
        "static",
        FILE,
        &[
            Step::Run("qemu-img create -f vdi -o static=on a.vdi 3M"),
            Step::Run("qemu-io -f vdi -c 'write -P 1 1M 5K' a.vdi"),
        ],
    ),
    Source::new(
        "a block that was freed",
        FILE,
        &[
            Step::Run("qemu-img create -f vdi a.vdi 3M"),
            Step::Run("qemu-io -f vdi -c 'write -P 1 0 3M' a.vdi"),
            Step::Patch(FILE, 516, b"\xfe\xff\xff\xff"),
        ],
    ),
    Source::new(
        "a block behind the end of the file",
        FILE,
        &[Step::Run("qemu-img create -f vdi a.vdi 3M"), Step::Patch(FILE, 516, b"\x05\0\0\0")],
    ),
];
