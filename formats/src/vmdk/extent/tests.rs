use std::format;
use std::string::{String, ToString};

use super::*;

fn parsed(line: &str) -> Result<Option<(ExtentType, u64, String, u64)>, String> {
    let extent = ExtentLine::parse(line.as_bytes()).map_err(|error| error.to_string())?;
    Ok(extent
        .map(|it| (it.extent_type, it.sectors, String::from_utf8(it.name).unwrap(), it.offset)))
}

#[test]
fn a_line_describes_an_extent() {
    for (line, extent_type, sectors, name, offset) in [
        (r#"RW 8 FLAT "a.vmdk" 0"#, ExtentType::Flat, 8, "a.vmdk", 0),
        (r#"RW 8 FLAT "a.vmdk" 63"#, ExtentType::Flat, 8, "a.vmdk", 63),
        (r#"RW 8 VMFS "a-flat.vmdk""#, ExtentType::Vmfs, 8, "a-flat.vmdk", 0),
        (r#"RW 8 SPARSE "a-s001.vmdk""#, ExtentType::Sparse, 8, "a-s001.vmdk", 0),
        (r#"RW 8 VMFSSPARSE "a-delta.vmdk""#, ExtentType::VmfsSparse, 8, "a-delta.vmdk", 0),
        (r#"RW 8 SESPARSE "a-sesparse.vmdk""#, ExtentType::SeSparse, 8, "a-sesparse.vmdk", 0),
        ("RW 8 ZERO", ExtentType::Zero, 8, "", 0),
        (r#"RDONLY 8 SPARSE "a""#, ExtentType::Sparse, 8, "a", 0),
        // White space is free, and numbers end where digits do.
        ("RW\t8  FLAT \t\"a\"  7 and more", ExtentType::Flat, 8, "a", 7),
        (r#"RW 8FLAT "a"7x"#, ExtentType::Flat, 8, "a", 7),
        (r#"RW 8 SPARSE "a" partition"#, ExtentType::Sparse, 8, "a", 0),
        // A name can be anything. What it leads to is not decided here.
        (r#"RW 8 FLAT "/etc/shadow" 0"#, ExtentType::Flat, 8, "/etc/shadow", 0),
        (r#"RW 8 FLAT "../../a b = ü" 0"#, ExtentType::Flat, 8, "../../a b = ü", 0),
        (r#"RW 8 FLAT "json:{}" 0"#, ExtentType::Flat, 8, "json:{}", 0),
        (
            r#"RW 18446744073709551615 FLAT "a" 18446744073709551615"#,
            ExtentType::Flat,
            u64::MAX,
            "a",
            u64::MAX,
        ),
    ] {
        assert_eq!(parsed(line), Ok(Some((extent_type, sectors, name.into(), offset))), "{line}");
    }
}

#[test]
fn other_lines_and_empty_extents_are_none() {
    for line in [
        "",
        "CID=12345678",
        "RWX 8 ZERO",
        "rw 8 ZERO",
        "WO 8 ZERO",
        "RW0 ZERO",
        r#"RW 0 FLAT "a" 0"#,
        r#"RW 0 SPARSE "a""#,
        "RW 0 ZERO",
        "NOACCESS 0 ZERO",
    ] {
        assert_eq!(parsed(line), Ok(None), "{line}");
    }
}

#[test]
fn a_line_that_starts_well_must_go_on_well() {
    for line in [
        "RW",
        "RW ",
        "RW x",
        "RW -8 ZERO",
        "RW +8 ZERO",
        "RW 18446744073709551616 ZERO",
        r#"RW "8" FLAT "a" 0"#,
        "RW 8",
        "RW 8 FLAT",
        "RW 8 FLAT a 0",
        r#"RW 8 FLAT "a 0"#,
        r#"RW 8 FLAT "" 0"#,
        r#"RW 8 FLAT "a""#,
        r#"RW 8 FLAT "a" -1"#,
        r#"RW 8 FLAT "a" x"#,
        r#"RW 8 FLAT "a" 99999999999999999999"#,
        r#"RW 0 FLAT "a""#,
        r#"RW 8 VMFS "a" 0"#,
        r#"RW 8 SPARSE "a" 0"#,
        r#"RW 8 SPARSE "a"#,
        "RW 8 SESPARSE",
    ] {
        assert_eq!(parsed(line), Err(format!("Invalid extent line: {}", line)), "{line}");
    }
}

#[test]
fn other_extents_are_not_supported() {
    for (line, message) in [
        (r#"RW 8 VMFSRDM "a""#, "Unsupported extent type 'VMFSRDM'"),
        (r#"RW 8 flat "a" 0"#, "Unsupported extent type 'flat'"),
        (r#"RW 8 FLAT"a" 0"#, "Unsupported extent type 'FLAT\"a\"'"),
        (r#"NOACCESS 8 FLAT "a" 0"#, "Unsupported extent access 'NOACCESS'"),
        ("NOACCESS 8 ZERO", "Unsupported extent access 'NOACCESS'"),
    ] {
        assert_eq!(parsed(line), Err(message.into()), "{line}");
    }
}

#[test]
fn a_name_has_a_limit() {
    for (length, fits) in [(510, true), (511, true), (512, false)] {
        let line = format!("RW 8 FLAT \"{}\" 0", "a".repeat(length));
        assert_eq!(parsed(&line).is_ok(), fits, "{length}");
    }
}

#[test]
fn a_message_quotes_the_start_of_a_long_line() {
    let line = format!("RW {}", "x".repeat(1 << 20));
    let message = parsed(&line).unwrap_err();
    assert!(message.len() < 700, "{}", message.len());
}
