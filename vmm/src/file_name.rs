//! File names as qemu takes them apart and puts them together.
//!
//! Names are bytes: Linux allows anything but NUL in them.

/// The path of a file that an image names, seen from where the image's own name
/// is seen from. Nothing if the name is empty.
#[must_use]
pub fn full(image: &[u8], named: &[u8]) -> Option<Vec<u8>> {
    if named.is_empty() {
        None
    } else if protocol(named).is_some() || named.starts_with(b"/") {
        Some(named.to_vec())
    } else if image.is_empty() || image.starts_with(b"json:") {
        None
    } else {
        Some(combine(image, named))
    }
}

/// A name relative to the folder of a file.
#[must_use]
pub fn combine(base: &[u8], name: &[u8]) -> Vec<u8> {
    if name.starts_with(b"/") {
        return name.to_vec();
    }
    let behind_protocol = protocol(base).map_or(0, |protocol| protocol.len() + 1);
    let behind_slash = base.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let folder = base.get(..behind_slash.max(behind_protocol)).unwrap_or_default();
    [folder, name].concat()
}

/// The protocol in front of a name: what comes before the first colon, if that
/// comes before the first slash.
#[must_use]
pub fn protocol(name: &[u8]) -> Option<&[u8]> {
    let end = name.iter().position(|byte| matches!(byte, b':' | b'/'))?;
    (name.get(end) == Some(&b':')).then(|| name.get(..end)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_relative_to_the_folder_of_the_image() {
        for (base, name, expected) in [
            ("a.qcow2", "b.raw", "b.raw"),
            ("dir/a.qcow2", "b.raw", "dir/b.raw"),
            ("./a.qcow2", "b.raw", "./b.raw"),
            ("/x/y/a.qcow2", "../b.raw", "/x/y/../b.raw"),
            ("dir/a.qcow2", "/b.raw", "/b.raw"),
            ("file:a.qcow2", "b.raw", "file:b.raw"),
            ("file:dir/a.qcow2", "b.raw", "file:dir/b.raw"),
        ] {
            let combined = combine(base.as_bytes(), name.as_bytes());
            assert_eq!(String::from_utf8(combined).unwrap(), expected);
        }
    }

    #[test]
    fn protocols_come_before_the_first_slash() {
        for (name, expected) in [
            ("nbd://host/x", Some("nbd")),
            ("json:{}", Some("json")),
            (":", Some("")),
            ("./a:b", None),
            ("a/b:c", None),
            ("plain", None),
        ] {
            assert_eq!(protocol(name.as_bytes()), expected.map(str::as_bytes), "{name}");
        }
    }

    #[test]
    fn some_names_lead_nowhere() {
        assert_eq!(full(b"a", b""), None);
        assert_eq!(full(b"json:{}", b"b"), None);
        assert_eq!(full(b"json:{}", b"/b"), Some(b"/b".to_vec()));
        assert_eq!(full(b"d/a", b"nbd:x"), Some(b"nbd:x".to_vec()));
        assert_eq!(full(b"d/a", b"b"), Some(b"d/b".to_vec()));
    }
}
