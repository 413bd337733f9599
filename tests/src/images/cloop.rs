//! cloop images. Nothing that is still around makes them, so the sample does.

use formats::cloop::sample::{Compressed, file};

use super::{Image, Step, Verdict};

/// What the tools make, and what is damaged.
pub const IMAGES: &[Image] = &[
    Image::new("four blocks", "a.img", &[SAMPLE]),
    Image::new(
        "small blocks",
        "a.img",
        &[Step::Write("a.img", || {
            let blocks = (0..100).map(|byte| vec![byte; 512]).collect();
            Compressed { block_size: 512, blocks }.bytes()
        })],
    ),
    Image::new("no blocks", "a.img", &[Step::Write("a.img", || file(512, &[144]))]),
    Image::new("empty blocks", "a.img", &[Step::Write("a.img", || file(1024, &[9; 10]))]),
    Image::new("long table", "a.img", &[Step::Write("a.img", || file(1024, &[9; 50_000]))]),
    Image::new(
        "just below 2 TiB",
        "a.img",
        &[Step::Write("a.img", || file(64 << 20, &[0; 32_768]))],
    ),
    // The qemu-img of Debian counts sectors in 32 bits.
    Image::new("3 TiB", "a.img", &[Step::Write("a.img", || file(64 << 20, &[0; 49_153]))])
        .alone(Verdict::Expected("cloop-3-tib"))
        .chain(Verdict::Expected("cloop-3-tib-chain")),
    Image::new("blocks cut off", "a.img", &[SAMPLE, Step::Run("truncate -s 1000 a.img")]),
    // Another script makes it raw.
    Image::new("version 3", "a.img", &[SAMPLE, Step::Patch("a.img", 12, b"3")]),
    Image::new("only a script", "a.img", &[SAMPLE, Step::Run("truncate -s 100 a.img")])
        .verdict(Verdict::Refused("the header (136 bytes) does not lie in the file")),
    Image::new("block size of zero", "a.img", &[SAMPLE, Step::Patch("a.img", 128, &[0; 4])]),
    Image::new("odd block size", "a.img", &[SAMPLE, Step::Patch("a.img", 128, &[0, 0, 2, 1])]),
    Image::new("largest block size", "a.img", &[SAMPLE, Step::Patch("a.img", 128, &[4, 0, 0, 0])]),
    Image::new("large block size", "a.img", &[SAMPLE, Step::Patch("a.img", 128, &[4, 0, 2, 0])]),
    Image::new("too many blocks", "a.img", &[SAMPLE, Step::Patch("a.img", 132, &[32, 0, 0, 0])]),
    Image::new("too many offsets", "a.img", &[SAMPLE, Step::Patch("a.img", 132, &[4, 0, 0, 0])]),
    // qemu-img computes the size of the table in 32 bits, and asks for nothing.
    Image::new(
        "offsets wrap",
        "a.img",
        &[SAMPLE, Step::Patch("a.img", 132, &[0x1f, 0xff, 0xff, 0xff])],
    )
    .verdict(Verdict::Refused("image requires too many offsets, try increasing block size")),
    Image::new("offset goes down", "a.img", &[SAMPLE, Step::Patch("a.img", 152, &[0; 8])]),
    Image::new("offset goes far", "a.img", &[SAMPLE, Step::Patch("a.img", 155, &[1])]),
    Image::new("last offset goes far", "a.img", &[SAMPLE, Step::Patch("a.img", 168, &[255])]),
    Image::new("longest block", "a.img", &[Step::Write("a.img", || file(512, &[0, 128 << 20]))]),
    Image::new(
        "too long a block",
        "a.img",
        &[Step::Write("a.img", || file(512, &[0, (128 << 20) + 1]))],
    ),
    // qemu-img reads zeros where the file has nothing, and they go down.
    Image::new("table cut off", "a.img", &[SAMPLE, Step::Run("truncate -s 175 a.img")]).verdict(
        Verdict::Refused("the table of offsets at 136 (40 bytes) does not lie in the file"),
    ),
];

const SAMPLE: Step = Step::Write("a.img", || Compressed::default().bytes());
