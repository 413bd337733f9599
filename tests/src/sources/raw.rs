//! Raw images.

use super::Source;
use crate::images::Step;

/// Files of any length, with holes and without.
pub const SOURCES: &[Source] = &[
    Source::new("empty", "a.raw", &[Step::Write("a.raw", Vec::new)]),
    Source::new("one byte", "a.raw", &[Step::Write("a.raw", || vec![7])]),
    Source::new("a sector", "a.raw", &[Step::Write("a.raw", || vec![7; 512])]),
    Source::new("an odd length", "a.raw", &[Step::Write("a.raw", || vec![7; 1_000_001])]),
    Source::new(
        "a hole in the middle",
        "a.raw",
        &[
            Step::Write("a.raw", || vec![7; 100_000]),
            Step::Run("truncate -s 10M a.raw"),
            Step::Patch("a.raw", 5_000_000, &[8; 10_000]),
        ],
    ),
    Source::new("all hole", "a.raw", &[Step::Run("truncate -s 3M a.raw")]),
];
