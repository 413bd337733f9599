//! Raw images.

use super::{Image, Step};

/// Images of every length, and of nothing in particular.
pub const IMAGES: &[Image] = &[
    Image::new("10 MiB of nothing", "a.raw", &[Step::Run("qemu-img create -f raw a.raw 10M")]),
    Image::new("an odd length", "a.raw", &[Step::Write("a.raw", || vec![7; 1000])]),
    Image::new("an empty file", "a.raw", &[Step::Write("a.raw", Vec::new)]),
    Image::new("garbage", "a.raw", &[Step::Write("a.raw", || b"garbage".repeat(1000))]),
    Image::new("4 TiB of nothing", "a.raw", &[Step::Run("truncate -s 4T a.raw")]),
];
