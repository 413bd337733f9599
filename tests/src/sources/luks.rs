//! LUKS volumes, which are encrypted.

use formats::luks::sample::{Version1, Version2};

use super::Source;
use crate::images::Step;

/// The image.
const FILE: &str = "a.luks";

/// Both versions.
pub const SOURCES: &[Source] = &[
    Source::new("version 1", FILE, &[Step::Write(FILE, || Version1::default().bytes())])
        .refused("Parameter 'key-secret' is required for cipher"),
    Source::new("version 2", FILE, &[Step::Write(FILE, || Version2::default().bytes())])
        .refused("the content of LUKS version 2 is encrypted and cannot be read"),
];
