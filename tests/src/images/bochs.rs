//! Bochs images. bximage, which makes them, is not asked: the samples are the
//! same.

use formats::bochs::header::VERSION_1;
use formats::bochs::sample::Growing;

use super::{Image, Step, Verdict};

/// What Bochs makes, and what it does not.
pub const IMAGES: &[Image] = &[
    Image::new("empty", "a.img", &[EMPTY]),
    Image::new("written", "a.img", &[Step::Write("a.img", || Growing::written().bytes())]),
    Image::new(
        "version 1",
        "a.img",
        &[Step::Write("a.img", || Growing { version: VERSION_1, ..Growing::written() }.bytes())],
    ),
    Image::new("largest", "a.img", &[Step::Write("a.img", || Growing::largest().bytes())]),
    Image::new(
        "half a sector",
        "a.img",
        &[Step::Write("a.img", || Growing { disk: 1_000_000, ..Growing::default() }.bytes())],
    ),
    Image::new(
        "no sector",
        "a.img",
        &[Step::Write("a.img", || Growing { disk: 511, ..Growing::default() }.bytes())],
    ),
    Image::new("bitmap of nothing", "a.img", &[EMPTY, Step::Patch("a.img", 76, &[0; 4])]),
    // A name that is another makes it raw.
    Image::new("undoable", "a.img", &[EMPTY, Step::Patch("a.img", 48, b"Undoable")]),
    Image::new("version 3", "a.img", &[EMPTY, Step::Patch("a.img", 64, &[0, 0, 3, 0])]),
    Image::new("more behind a name", "a.img", &[EMPTY, Step::Patch("a.img", 24, b"more")]),
    Image::new("no end of a name", "a.img", &[EMPTY, Step::Patch("a.img", 22, &[b'e'; 10])]),
    Image::new("catalog too large", "a.img", &[EMPTY, Step::Patch("a.img", 72, &[1, 0, 16, 0])]),
    Image::new("catalog too small", "a.img", &[EMPTY, Step::Patch("a.img", 72, &[255, 0, 0, 0])]),
    Image::new("disk too large", "a.img", &[EMPTY, Step::Patch("a.img", 88, &[0xff; 8])]),
    Image::new("no extent size", "a.img", &[EMPTY, Step::Patch("a.img", 80, &[0, 0, 0, 0])]),
    Image::new("small extents", "a.img", &[EMPTY, Step::Patch("a.img", 80, &[255, 1, 0, 0])]),
    Image::new("odd extents", "a.img", &[EMPTY, Step::Patch("a.img", 80, &[0, 24, 0, 0])]),
    Image::new("large extents", "a.img", &[EMPTY, Step::Patch("a.img", 80, &[0, 0, 0, 1])]),
    // qemu-img reads zeros where the file has nothing, and takes them for the
    // places of extents.
    Image::new("catalog cut off", "a.img", &[EMPTY, Step::Run("truncate -s 2559 a.img")])
        .verdict(Verdict::Refused("the catalog at 512 (2048 bytes) does not lie in the file")),
    Image::new("catalog elsewhere", "a.img", &[EMPTY, Step::Patch("a.img", 68, &[0, 0, 0, 1])])
        .verdict(Verdict::Refused("the catalog at 16777216 (2048 bytes) does not lie in the file")),
    Image::new("header cut off", "a.img", &[EMPTY, Step::Run("truncate -s 100 a.img")])
        .verdict(Verdict::Refused("the header (512 bytes) does not lie in the file")),
];

const EMPTY: Step = Step::Write("a.img", || Growing::default().bytes());
