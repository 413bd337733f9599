use super::*;

const OBJECT: &str = r#"{"type":"crypt","offset":"1048576","size":"dynamic","iv_tweak":"7","encryption":"aes-xts-plain64","sector_size":4096}"#;

fn parsed(text: &str) -> Result<Segment, &'static str> {
    Segment::parse(&mut Reader::new(text.as_bytes())).map_err(|fault| fault.what)
}

fn with(piece: &str, other: &str) -> Result<Segment, &'static str> {
    assert!(OBJECT.contains(piece), "{piece}");
    parsed(&OBJECT.replacen(piece, other, 1))
}

fn encryption() -> Encryption {
    let name = b"aes-xts-plain64".into();
    Encryption { name, sector_size: 4096, iv_tweak: 7, integrity: None }
}

#[test]
fn a_segment_is_taken_apart() {
    let content = Content::Encrypted(encryption());
    let segment = Segment { offset: 1 << 20, size: None, content, backup: false };
    assert_eq!(parsed(OBJECT), Ok(segment.clone()));
    assert_eq!(segment.sector_size(), 4096);
    assert_eq!(
        with("\"dynamic\"", "\"8192\""),
        Ok(Segment { size: Some(8192), ..segment.clone() })
    );
    assert_eq!(
        with("\"type\"", "\"flags\":[\"in-reencryption\",\"backup-previous\"],\"type\""),
        Ok(Segment { backup: true, ..segment.clone() })
    );
    assert_eq!(with("\"type\"", "\"flags\":[\"in-reencryption\"],\"type\""), Ok(segment.clone()));
    let integrity = "\"integrity\":{\"type\":\"hmac(sha256)\",\"journal_encryption\":\"none\"},";
    let encryption = Encryption { integrity: Some(b"hmac(sha256)".into()), ..encryption() };
    assert_eq!(
        with("\"type\"", &(std::string::String::from(integrity) + "\"type\"")),
        Ok(Segment { content: Content::Encrypted(encryption), ..segment })
    );
}

#[test]
fn what_is_not_encrypted_needs_less() {
    let segment = parsed(r#"{"type":"linear","offset":"512","size":"1024"}"#).unwrap();
    assert_eq!((segment.content.clone(), segment.size), (Content::Plain, Some(1024)));
    assert_eq!((segment.encryption(), segment.sector_size()), (None, 512));
    let segment = parsed(r#"{"type":"hw-opal","offset":"512","size":"dynamic"}"#).unwrap();
    assert_eq!(segment.content, Content::Unknown(b"hw-opal".into()));
}

#[test]
fn what_is_missing_is_named() {
    for (member, expected) in [
        ("type", "a segment has no type"),
        ("offset", "a segment has no offset"),
        ("size", "a segment has no size"),
        ("iv_tweak", "a segment has no iv_tweak"),
        ("encryption", "a segment has no encryption"),
        ("sector_size", "a segment has no valid sector_size"),
    ] {
        let (name, other) = (std::format!("\"{member}\""), std::format!("\"x{member}\""));
        assert_eq!(with(&name, &other), Err(expected));
    }
    assert_eq!(with("{", "{\"integrity\":{},"), Err("integrity has no type"));
    assert_eq!(with("{", "{\"integrity\":7,"), Err("an object is missing"));
    assert_eq!(with("{", "{\"flags\":7,"), Err("an array is missing"));
}

#[test]
fn sectors_have_one_of_four_sizes() {
    for size in ["512", "1024", "2048", "4096"] {
        assert!(with("4096", size).is_ok(), "{size}");
    }
    for size in ["0", "1", "511", "513", "1536", "8192", "18446744073709551615"] {
        assert_eq!(with("4096", size), Err("a segment has no valid sector_size"), "{size}");
    }
    assert_eq!(with("4096", "-1"), Err("a number is missing or invalid"));
}

#[test]
fn segments_have_whole_sectors() {
    let parts = Err("a segment has parts of sectors");
    for (offset, whole) in
        [("0", true), ("512", true), ("4608", true), ("1", false), ("513", false)]
    {
        assert_eq!(with("1048576", offset).map(drop), if whole { Ok(()) } else { parts });
    }
    for (size, whole) in [("0", true), ("4096", true), ("512", false), ("4097", false)] {
        assert_eq!(with("dynamic", size).map(drop), if whole { Ok(()) } else { parts });
    }
    assert_eq!(with("dynamic", "Dynamic"), Err("a segment has an invalid size"));
    assert_eq!(with("dynamic", "-1"), Err("a segment has an invalid size"));
    assert_eq!(with("1048576", "dynamic"), Err("a number in a string is invalid"));
}
