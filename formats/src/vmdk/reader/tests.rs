use alloc::rc::Rc;
use std::boxed::Box;
use std::string::{String, ToString};
use std::vec::Vec;

use super::*;
use crate::Format;
use crate::image::Image;
use crate::storage::MAX_LENGTH;
use crate::vmdk::Vmdk;
use crate::vmdk::sample::{Hosted, Text};

fn opened(lines: &[&str]) -> Box<dyn Image> {
    Vmdk.open(Rc::new(Text::new("twoGbMaxExtentFlat", lines).bytes())).unwrap()
}

fn checked(image: &dyn Image) -> String {
    image.check_content().map_or_else(|error| error.to_string(), |()| String::new())
}

#[test]
fn extents_follow_each_other_on_the_disk() {
    let image = opened(&["RW 8 FLAT \"a\" 3", "RW 4 ZERO", "RW 8 FLAT \"b\" 0"]);
    let data = |file, offset| Content::Data(Place { file: File::Other(file), offset });
    for (offset, limit, length, content) in [
        (0, 20 * 512, 8 * 512, data(0, 3 * 512)),
        (1, 7, 7, data(0, 3 * 512 + 1)),
        (8 * 512 - 1, 512, 1, data(0, 11 * 512 - 1)),
        (8 * 512, 12 * 512, 4 * 512, Content::Zero(None)),
        (12 * 512 + 5, 8 * 512 - 5, 8 * 512 - 5, data(1, 5)),
    ] {
        let found = image.extent(offset, limit).unwrap();
        assert_eq!(found, Extent { length, content }, "{offset}");
    }
    let message = image.extent(20 * 512, 1).unwrap_err().to_string();
    assert_eq!(message, "the disk has no extent at 10240");
}

#[test]
fn flat_extents_lie_where_files_reach() {
    let last = MAX_LENGTH / SECTOR - 8;
    for (sector, good) in [(last - 1, true), (last, true), (last + 1, false), (u64::MAX, false)] {
        let image = opened(&[&std::format!("RW 8 FLAT \"a\" {sector}")]);
        assert_eq!(image.extent(0, 512).is_ok(), good, "{sector}");
    }
}

#[test]
fn content_needs_every_file() {
    let missing = |name| std::format!("the file '{name}' with an extent of the disk is missing");
    let mut image = opened(&["RW 8 FLAT \"a\" 0", "RW 4 ZERO", "RW 2048 SPARSE \"b\""]);
    assert_eq!(checked(image.as_ref()), missing("a"));
    image.attach(0, Rc::new(Vec::new())).unwrap();
    assert_eq!(checked(image.as_ref()), missing("b"));
    let message = image.extent(12 * 512, 512).unwrap_err().to_string();
    assert_eq!(message, missing("b"));
    image.attach(1, Rc::new(Hosted::extent().bytes())).unwrap();
    assert_eq!(checked(image.as_ref()), "");
    assert!(image.extent(12 * 512, 512).is_ok());
}

#[test]
fn compressed_grains_have_a_largest_size() {
    let message = "compressed grains of 2097664 bytes are too large, the limit is 2097152";
    for (grain_size, compressed, expected) in
        [(4095, true, ""), (4096, true, ""), (4097, true, message), (4097, false, "")]
    {
        let extent = Hosted { grain_size, compressed, ..Hosted::extent() };
        let mut image = opened(&["RW 2048 SPARSE \"b\""]);
        image.attach(0, Rc::new(extent.bytes())).unwrap();
        assert_eq!(checked(image.as_ref()), expected, "{grain_size}");
    }
}

#[test]
fn extents_that_turn_out_longer_move_those_behind() {
    let mut image = opened(&["RW 8 SPARSE \"a\"", "RW 8 FLAT \"b\" 0"]);
    image.attach(0, Rc::new(Hosted::extent().bytes())).unwrap();
    let found = image.extent(2048 * 512, 512).unwrap();
    let place = Place { file: File::Other(1), offset: 0 };
    assert_eq!(found.content, Content::Data(place));
}
