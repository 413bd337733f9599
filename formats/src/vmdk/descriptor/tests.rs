use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::*;
use crate::vmdk::sample::{Text, odd_descriptor};

fn descriptor(text: impl AsRef<[u8]>) -> Descriptor {
    Descriptor::whole_file(&text.as_ref().to_vec()).unwrap()
}

#[test]
fn keys_have_values() {
    let text = Text { parent: Some(b"base.vmdk".to_vec()), ..Text::new("vmfs", &[]) };
    for line_end in ["\n", "\r\n"] {
        let descriptor = descriptor(Text { line_end, ..text.clone() }.bytes());
        assert_eq!(descriptor.create_type(), Ok(&b"vmfs"[..]));
        assert_eq!(descriptor.content_id(), Ok(0x1234_5678));
        assert_eq!(descriptor.parent_content_id(), Ok(u32::MAX));
        assert_eq!(descriptor.parent(), Ok(Some(&b"base.vmdk"[..])));
    }
}

#[test]
fn the_type_of_a_disk_is_in_quotation_marks() {
    for (text, expected) in [
        ("createType=\"vmfs\"", Some("vmfs")),
        ("createType = \"vmfs\"", Some("vmfs")),
        ("\n  createType=\"a\" b \"\r\n", Some("a")),
        ("createType=\"\"", Some("")),
        ("createType=\"a\"\ncreateType=\"b\"", Some("a")),
        ("createType=a", None),
        ("createType=\"a", None),
        ("createType=\"a\nb\"", None),
        ("createType", None),
        ("createType=", None),
        ("#createType=\"a\"", None),
        ("xcreateType=\"a\"", None),
        ("createTypes=\"a\"", None),
        ("\0createType=\"a\"", None),
        ("", None),
    ] {
        let expected = expected.map(str::as_bytes).ok_or(VmdkError::InvalidDescriptor);
        assert_eq!(descriptor(text).create_type(), expected, "{text}");
    }
    for (length, fits) in [(126, true), (127, true), (128, false)] {
        let text = format!("createType=\"{}\"", "x".repeat(length));
        assert_eq!(descriptor(text).create_type().is_ok(), fits, "{length}");
    }
}

#[test]
fn content_ids_are_hexadecimal() {
    for (value, expected) in [
        ("12345678", Some(0x1234_5678)),
        ("fffffffe", Some(0xffff_fffe)),
        ("FFFFFFFE", Some(0xffff_fffe)),
        ("0", Some(0)),
        ("0x12", Some(0x12)),
        ("000000000000000000012", Some(0x12)),
        (" 12 and more", Some(0x12)),
        ("12zz", Some(0x12)),
        ("100000000", None),
        ("-1", None),
        ("+1", None),
        ("\"12\"", None),
        ("zz", None),
        ("0x", None),
        ("", None),
    ] {
        let text = descriptor(format!("CID={value}\nparentCID={value}\n"));
        assert_eq!(text.content_id().ok(), expected, "{value}");
        assert_eq!(text.parent_content_id().ok(), expected, "{value}");
    }
    // One is not the other.
    assert!(descriptor("parentCID=1").content_id().is_err());
    assert!(descriptor("CID=1").parent_content_id().is_err());
}

#[test]
fn a_parent_has_a_name_in_quotation_marks() {
    for (text, expected) in [
        ("", Ok(None)),
        ("parentFileNameHint=\"\"", Ok(None)),
        ("parentFileNameHint=\"../a b.vmdk\"", Ok(Some("../a b.vmdk"))),
        ("parentFileNameHint=\"/dev/zero\"", Ok(Some("/dev/zero"))),
        ("parentFileNameHint=a", Err("the name of the parent is not in quotation marks")),
        ("parentFileNameHint=\"a", Err("the name of the parent is not in quotation marks")),
        ("parentFileNameHint=\"a\nb\"", Err("the name of the parent is not in quotation marks")),
    ] {
        let descriptor = descriptor(text);
        let parent = descriptor.parent().map_err(|error| error.to_string());
        let expected = expected.map(|name| name.map(str::as_bytes)).map_err(String::from);
        assert_eq!(parent, expected, "{text}");
    }
}

#[test]
fn the_name_of_a_parent_has_a_limit() {
    for (length, fits) in [(4094, true), (4095, true), (4096, false)] {
        let descriptor = descriptor(format!("parentFileNameHint=\"{}\"", "p".repeat(length)));
        let error = VmdkError::ParentTooLong { limit: MAX_PARENT_NAME };
        let expected = if fits { Ok(Some(length)) } else { Err(error) };
        assert_eq!(descriptor.parent().map(|name| name.map(<[u8]>::len)), expected);
    }
}

#[test]
fn extents_keep_their_order() {
    let lines = ["RW 1 FLAT \"c\" 0", "RW 2 ZERO", "RW 0 FLAT \"x\" 0", "RW 3 SPARSE \"a\""];
    let extents = descriptor(Text::new("vmfs", &lines).bytes()).extents().unwrap();
    let sectors: Vec<u64> = extents.iter().map(|extent| extent.sectors).collect();
    assert_eq!(sectors, [1, 2, 3]);
}

#[test]
fn an_empty_line_does_not_count_an_extent_twice() {
    let text = "\n\n\nRW 8 FLAT \"a\" 0\n\n\nRW 8 FLAT \"b\" 0\n\n";
    assert_eq!(descriptor(text).extents().unwrap().len(), 2);
}

#[test]
fn a_disk_has_extents() {
    for text in ["", "# RW 8 ZERO", "RW 0 ZERO", "RX 8 ZERO", "\0RW 8 ZERO"] {
        assert_eq!(descriptor(text).extents(), Err(VmdkError::NoExtents), "{text}");
    }
}

#[test]
fn the_number_of_extents_has_a_limit() {
    for (count, fits) in [(MAX_EXTENTS - 1, true), (MAX_EXTENTS, true), (MAX_EXTENTS + 1, false)] {
        let extents = descriptor("RW 1 ZERO\n".repeat(count)).extents();
        let error = VmdkError::TooManyExtents { limit: MAX_EXTENTS };
        let expected = if fits { Ok(count) } else { Err(error) };
        assert_eq!(extents.map(|extents| extents.len()), expected);
    }
}

#[test]
fn text_has_a_limit() {
    for (length, tail, fits) in [
        (MAX_TEXT - 1, "", true),
        (MAX_TEXT, "", true),
        (MAX_TEXT, "\0RW 8 ZERO", true),
        (MAX_TEXT + 1, "", false),
        (4 << 20, "", false),
    ] {
        let text = format!("{}{tail}", "#".repeat(length)).into_bytes();
        let read = Descriptor::whole_file(&text).map_err(|error| error.to_string());
        let too_long = "the descriptor is longer than 1048575 bytes";
        let expected = if fits { Ok(length) } else { Err(String::from(too_long)) };
        assert_eq!(read.map(|descriptor| descriptor.text.len()), expected, "{length}");
    }
}

#[test]
fn a_text_of_any_length_is_read_whole() {
    for length in [PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
        let mut text = "#".repeat(length);
        text.push_str("\nCID=1");
        assert_eq!(descriptor(text).content_id(), Ok(1), "{length}");
    }
}

#[test]
fn a_descriptor_in_sectors_lies_in_the_file() {
    let mut file = [0; 512].to_vec();
    file.extend_from_slice(b"CID=1\n");
    for (first, count, expected) in [
        (1, 1, Ok(Some(1))),
        (1, 0, Ok(Some(1))),
        (0, 2, Ok(None)),
        (2, 0, Ok(None)),
        (1, 2, Err("the descriptor at sector 1 (1024 bytes) does not lie in the file")),
        (
            1,
            u64::MAX,
            Err("the descriptor at sector 1 (18446744073709551615 bytes) does not lie in the file"),
        ),
        (
            u64::MAX / 512 + 1,
            1,
            Err("the descriptor at sector 36028797018963968 (512 bytes) does not lie in the file"),
        ),
    ] {
        let read = Descriptor::in_sectors(&file, first, count);
        let id = read.map(|descriptor| descriptor.content_id().ok());
        assert_eq!(id.map_err(|error| error.to_string()), expected.map_err(String::from));
    }
}

#[test]
fn odd_text_is_read_with_care() {
    let descriptor = descriptor(odd_descriptor());
    assert_eq!(descriptor.create_type(), Ok(&b"twoGbMaxExtentFlat"[..]));
    assert_eq!(descriptor.content_id(), Ok(0x0012_abcd));
    assert_eq!(descriptor.parent_content_id(), Ok(u32::MAX));
    let extents = descriptor.extents().unwrap();
    let names: Vec<&[u8]> = extents.iter().map(|extent| &extent.name[..]).collect();
    assert_eq!(names, [&b"../../../../etc/passwd"[..], b"", b"/dev/null"]);
}

#[test]
fn bytes_that_are_no_text_do_no_harm() {
    let all: Vec<u8> = (1..=255).collect();
    for text in [all.clone(), all.repeat(100), b"=\"=\"\n\"=\n#=".repeat(9), b"RW\xff\n".to_vec()] {
        let descriptor = descriptor(&text);
        assert_eq!(descriptor.create_type(), Err(VmdkError::InvalidDescriptor));
        assert!(descriptor.content_id().is_err());
        assert_eq!(descriptor.parent(), Ok(None));
        assert_eq!(descriptor.extents(), Err(VmdkError::NoExtents));
    }
}
