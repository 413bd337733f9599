//! cloop images.

use formats::cloop::sample::Compressed;

use super::Source;
use crate::images::Step;

/// The image.
const FILE: &str = "a.img";

/// Blocks of several sizes.
pub const SOURCES: &[Source] = &[
    Source::new("four blocks", FILE, &[Step::Write(FILE, || Compressed::default().bytes())]),
    Source::new(
        "no blocks",
        FILE,
        &[Step::Write(FILE, || Compressed { blocks: vec![], ..Compressed::default() }.bytes())],
    ),
    Source::new("many blocks", FILE, &[Step::Write(FILE, || many(512, 3000))]),
    Source::new("large blocks", FILE, &[Step::Write(FILE, || many(3 << 20, 4))]),
    Source::new("an odd size", FILE, &[Step::Write(FILE, || many(1536, 77))]),
    Source::new(
        "a damaged block",
        FILE,
        &[Step::Write(FILE, || Compressed::default().bytes()), Step::Patch(FILE, 176, &[0])],
    )
    .refused("Input/output error"),
    Source::new(
        "a block of another length",
        FILE,
        &[
            Step::Write(FILE, || Compressed::default().bytes()),
            Step::Patch(FILE, 128, &[0, 1, 2, 0]),
        ],
    )
    .refused("Input/output error"),
    Source::new(
        "blocks cut off",
        FILE,
        &[
            Step::Write(FILE, || Compressed::default().bytes()),
            Step::Run("truncate -s 100000 a.img"),
        ],
    )
    .refused("Input/output error"),
];

/// Blocks that differ from each other.
fn many(block_size: u32, count: usize) -> Vec<u8> {
    let length = usize::try_from(block_size).unwrap_or(0);
    let block = |number: usize| (0_u8..=250).cycle().skip(number % 251).take(length).collect();
    Compressed { block_size, blocks: (0..count).map(block).collect() }.bytes()
}
