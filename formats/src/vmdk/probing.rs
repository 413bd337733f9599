//! What a descriptor file looks like.

/// The first lines that a descriptor can have after its comments.
const VERSIONS: [&[u8]; 6] = [
    b"version=1\n",
    b"version=2\n",
    b"version=3\n",
    b"version=1\r\n",
    b"version=2\r\n",
    b"version=3\r\n",
];

/// Whether a file starts like a descriptor: comments and blank lines, then its
/// version. As with qemu-img a blank line starts with a blank; an empty line is
/// none.
pub(super) fn is_descriptor(mut text: &[u8]) -> bool {
    loop {
        text = match text {
            [b'#', ..] => after_line(text),
            [b' ', ..] => {
                let blank = after_line(text);
                let line = text.strip_suffix(blank).unwrap_or(text);
                if !is_blank(line) {
                    return false;
                }
                blank
            }
            _ => return VERSIONS.iter().any(|version| text.starts_with(version)),
        }
    }
}

/// What follows the first line; nothing if it is the last.
fn after_line(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| *byte == b'\n');
    end.and_then(|end| text.get(end..)).and_then(|rest| rest.get(1..)).unwrap_or_default()
}

/// Whether a line has only spaces before its end.
fn is_blank(line: &[u8]) -> bool {
    let Some(line) = line.strip_suffix(b"\n") else { return false };
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.iter().all(|byte| *byte == b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_starts_with_its_version() {
        for (text, expected) in [
            (&b"version=1\n"[..], true),
            (b"version=2\n", true),
            (b"version=3\nCID=1", true),
            (b"version=1\r\n", true),
            (b"version=4\n", false),
            (b"version=1", false),
            (b"version=1\r", false),
            (b"version=1 \n", false),
            (b"version=12\n", false),
            (b"Version=1\n", false),
            (b"version = 1\n", false),
            (b"# Disk DescriptorFile\nversion=1\n", true),
            (b"# Disk DescriptorFile\r\nversion=1\r\n", true),
            (b"#\n#\n  \n \r\nversion=1\n", true),
            (b"# comment without an end version=1\n", false),
            (b"# Disk DescriptorFile\nCID=1\nversion=1\n", false),
            (b" version=1\n", false),
            (b"\nversion=1\n", false),
            (b"\r\nversion=1\n", false),
            (b"\tversion=1\n", false),
            (b" \r \nversion=1\n", false),
            (b"  ", false),
            (b"#", false),
            (b"# Disk DescriptorFile\n", false),
            (b"", false),
        ] {
            assert_eq!(is_descriptor(text), expected, "{}", text.escape_ascii());
        }
    }
}
