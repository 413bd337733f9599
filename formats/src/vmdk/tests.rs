use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::sample::{Cowd, Hosted, SeSparse, Text, odd_descriptor};
use super::*;
use crate::error::ErrorKind;
use crate::image::{
    Backing, Description, Extent, ExtentFile, MAX_DISK, Part, Reference, Role, Specific,
    Vmdk as VmdkSpecific,
};
use crate::testing;

fn opened(bytes: impl AsRef<[u8]>) -> Result<Box<dyn Image>, Error> {
    Vmdk.open(Rc::new(bytes.as_ref().to_vec()))
}

/// An image with the files that it refers to.
fn with_files(descriptor: &Text, files: &[Vec<u8>]) -> Result<Box<dyn Image>, Error> {
    let mut image = opened(descriptor.bytes())?;
    for (index, file) in files.iter().enumerate() {
        image.attach(index, Rc::new(file.clone()))?;
    }
    Ok(image)
}

/// Why an image cannot be opened; nothing if it can.
fn said(opened: Result<Box<dyn Image>, Error>) -> String {
    opened.map_or_else(|error| error.to_string(), |_| String::new())
}

fn extents(image: &dyn Image) -> Vec<Extent> {
    let mut extents = Vec::new();
    let visited = image.visit_parts(&mut |part| {
        let Part::Extent(extent) = part else { panic!("{part:?}") };
        extents.push(extent);
        Ok(())
    });
    visited.unwrap();
    extents
}

fn create_type(image: &dyn Image) -> String {
    let Some(Specific::Vmdk(specific)) = image.description().specific else { panic!() };
    String::from_utf8(specific.create_type).unwrap()
}

/// An extent as `visit_parts` has it: type, name, sectors, sectors of a grain.
fn part(kind: &str, name: Option<&str>, sectors: u64, grain: Option<u64>) -> Extent {
    Extent {
        kind: kind.into(),
        file: match (kind, name) {
            (_, Some(name)) => ExtentFile::Named(name.as_bytes().to_vec()),
            ("ZERO", None) => ExtentFile::Nowhere,
            (_, None) => ExtentFile::Own,
        },
        virtual_size: sectors * SECTOR,
        cluster_size: grain.map(|grain| grain * SECTOR),
        compressed: false,
    }
}

fn confidence(bytes: &[u8]) -> Confidence {
    testing::confidence(&Vmdk, bytes, b"vmdk")
}

#[test]
fn images_are_recognised_by_magic_or_text() {
    for (bytes, expected) in [
        (Hosted::default().bytes(), Confidence::CERTAIN),
        (Hosted::extent().bytes(), Confidence::CERTAIN),
        (Cowd::default().bytes(), Confidence::CERTAIN),
        (Text::new("vmfs", &[]).bytes(), Confidence::CERTAIN),
        (b"KDMV".to_vec(), Confidence::CERTAIN),
        (b"COWD".to_vec(), Confidence::CERTAIN),
        (b"KDM".to_vec(), Confidence::NONE),
        (b"VMDK".to_vec(), Confidence::NONE),
        (SeSparse::default().bytes(), Confidence::NONE),
        (odd_descriptor(), Confidence::NONE),
        (vec![0; 4096], Confidence::NONE),
        (Vec::new(), Confidence::NONE),
    ] {
        assert_eq!(confidence(&bytes), expected, "{:?}", bytes.get(..4));
    }
    let found = crate::probe::detect(&Hosted::default().bytes(), b"");
    assert_eq!(found.unwrap().name(), "vmdk");
}

#[test]
fn a_comment_can_be_longer_than_what_is_looked_at() {
    for (length, expected) in [(2037, Confidence::CERTAIN), (2038, Confidence::NONE)] {
        let text = [&vec![b'#'; length][..], b"\nversion=1\n"].concat();
        assert_eq!(confidence(&text), expected, "{length}");
    }
}

#[test]
fn a_sparse_extent_with_a_descriptor_is_an_image() {
    let image = opened(Hosted::default().bytes()).unwrap();
    let specific = VmdkSpecific {
        content_id: 0x1234_5678,
        parent_content_id: u32::MAX,
        create_type: b"monolithicSparse".to_vec(),
    };
    assert_eq!(
        image.description(),
        Description {
            virtual_size: 1 << 20,
            cluster_size: Some(65_536),
            encrypted: false,
            dirty: Some(false),
            backing: None,
            specific: Some(Specific::Vmdk(specific)),
        }
    );
    assert_eq!(extents(image.as_ref()), [part("", None, 2048, Some(128))]);
    assert_eq!(image.references(), []);
}

#[test]
fn a_compressed_extent_is_stream_optimized() {
    for footer in [false, true] {
        let image = opened(Hosted { footer, ..Hosted::stream_optimized() }.bytes()).unwrap();
        assert_eq!(create_type(image.as_ref()), "streamOptimized");
        let expected = Extent { compressed: true, ..part("", None, 2048, Some(128)) };
        assert_eq!(extents(image.as_ref()), [expected], "{footer}");
    }
}

#[test]
fn an_image_that_was_left_open_is_dirty() {
    for unclean in [false, true] {
        let image = opened(Hosted { unclean, ..Hosted::default() }.bytes()).unwrap();
        assert_eq!(image.description().dirty, Some(unclean));
    }
}

#[test]
fn an_esx_extent_is_an_image_only_with_a_descriptor() {
    let text = b"CID=1\nparentCID=2\n".to_vec();
    let image = opened(Cowd { descriptor: text, ..Cowd::default() }.bytes()).unwrap();
    assert_eq!(image.description().virtual_size, 1 << 20);
    assert_eq!(create_type(image.as_ref()), "");
    assert_eq!(extents(image.as_ref()), [part("", None, 2048, Some(1))]);
    let message =
        "the file is an extent without a descriptor: the disk is opened by its descriptor";
    for extent in [Cowd::default().bytes(), Hosted::extent().bytes()] {
        assert_eq!(said(opened(extent)), message);
    }
}

#[test]
fn flat_extents_need_no_file() {
    for (text, lines, expected) in [
        (
            "monolithicFlat",
            &["RW 2048 FLAT \"disk-flat.vmdk\" 0"][..],
            vec![part("FLAT", Some("disk-flat.vmdk"), 2048, None)],
        ),
        (
            "twoGbMaxExtentFlat",
            &["RW 2048 FLAT \"b\" 0", "RW 1024 FLAT \"a\" 9"],
            vec![part("FLAT", Some("b"), 2048, None), part("FLAT", Some("a"), 1024, None)],
        ),
        ("vmfs", &["RW 8 VMFS \"a\""], vec![part("VMFS", Some("a"), 8, None)]),
        ("vmfsThin", &["RW 8 VMFS \"a\""], vec![part("VMFS", Some("a"), 8, None)]),
        (
            "monolithicFlat",
            &["RW 8 FLAT \"a\" 0", "RW 4 ZERO", "RDONLY 8 FLAT \"a\" 0"],
            vec![
                part("FLAT", Some("a"), 8, None),
                part("ZERO", None, 4, None),
                part("FLAT", Some("a"), 8, None),
            ],
        ),
    ] {
        let image = opened(Text::new(text, lines).bytes()).unwrap();
        assert_eq!(create_type(image.as_ref()), text);
        assert_eq!(extents(image.as_ref()), expected);
        let description = image.description();
        let size: u64 = expected.iter().map(|extent| extent.virtual_size).sum();
        assert_eq!(description.virtual_size, size);
        assert_eq!((description.cluster_size, description.dirty), (None, Some(false)));
    }
}

#[test]
fn sparse_extents_are_known_when_their_files_are_there() {
    for (text, line, file, grain) in [
        ("twoGbMaxExtentSparse", "RW 8 SPARSE \"a\"", Hosted::extent().bytes(), 128),
        ("vmfsSparse", "RW 8 VMFSSPARSE \"a\"", Cowd::default().bytes(), 1),
        // The magic decides which of the two it is.
        ("twoGbMaxExtentSparse", "RW 8 SPARSE \"a\"", Cowd::default().bytes(), 1),
        ("vmfsSparse", "RW 8 VMFSSPARSE \"a\"", Hosted::extent().bytes(), 128),
        ("seSparse", "RW 8 SESPARSE \"a\"", SeSparse::default().bytes(), 8),
    ] {
        let text = Text::new(text, &[line]);
        let kind = line.split(' ').nth(2).unwrap();
        let alone = opened(text.bytes()).unwrap();
        assert_eq!(extents(alone.as_ref()), [part(kind, Some("a"), 8, None)]);
        let description = alone.description();
        assert_eq!((description.virtual_size, description.cluster_size), (8 * 512, None));
        assert_eq!(description.dirty, Some(false));
        // With the file its header counts.
        let image = with_files(&text, &[file]).unwrap();
        assert_eq!(extents(image.as_ref()), [part(kind, Some("a"), 2048, Some(grain))]);
        let description = image.description();
        assert_eq!(description.virtual_size, 2048 * 512);
        assert_eq!(description.cluster_size, Some(grain * 512));
        assert_eq!(description.dirty, Some(false));
    }
}

#[test]
fn references_are_numbered_without_extents_of_zeros() {
    let lines = ["RW 8 ZERO", "RW 8 FLAT \"../a\" 0", "RW 8 ZERO", "RW 8 SPARSE \"/b\""];
    let image = opened(Text::new("twoGbMaxExtentSparse", &lines).bytes()).unwrap();
    let reference =
        |path: &[u8], number| Reference { path: path.to_vec(), role: Role::Extent(number) };
    assert_eq!(image.references(), [reference(b"../a", 0), reference(b"/b", 1)]);

    let mut image = image;
    image.attach(0, Rc::new(Vec::new())).unwrap();
    image.attach(1, Rc::new(Hosted::extent().bytes())).unwrap();
    let message = image.attach(2, Rc::new(Vec::new())).unwrap_err().to_string();
    assert_eq!(message, "the image does not refer to a file number 2");
    assert_eq!(extents(image.as_ref())[3].cluster_size, Some(65_536));
}

#[test]
fn extents_that_differ_have_no_common_cluster_size() {
    let lines = ["RW 8 SPARSE \"a\"", "RW 8 SPARSE \"b\""];
    let text = Text::new("twoGbMaxExtentSparse", &lines);
    let plain = Hosted::extent();
    let small = Hosted { grain_size: 16, ..plain.clone() };
    let compressed = Hosted { compressed: true, ..plain.clone() };
    for (other, cluster_size) in [(&plain, Some(65_536)), (&small, None), (&compressed, None)] {
        let image = with_files(&text, &[plain.bytes(), other.bytes()]).unwrap();
        let description = image.description();
        assert_eq!(description.cluster_size, cluster_size);
        assert_eq!(description.dirty, cluster_size.map(|_| false));
    }
    let lines = ["RW 8 ZERO", "RW 8 SPARSE \"a\"", "RW 8 FLAT \"b\" 0"];
    for (count, dirty) in [(1, Some(false)), (2, Some(false)), (3, None)] {
        let image = opened(Text::new("monolithicFlat", &lines[..count]).bytes()).unwrap();
        assert_eq!(image.description().dirty, dirty, "{count}");
    }
}

#[test]
fn a_compressed_extent_makes_the_disk_stream_optimized() {
    let text = Text::new("twoGbMaxExtentSparse", &["RW 2048 SPARSE \"a\""]);
    // The footer is at the end of the extent's own file.
    let file = Hosted { descriptor: None, ..Hosted::stream_optimized() }.bytes();
    let image = with_files(&text, &[file]).unwrap();
    assert_eq!(create_type(image.as_ref()), "streamOptimized");
    assert!(extents(image.as_ref())[0].compressed);
}

#[test]
fn an_unclean_extent_makes_the_disk_dirty() {
    let text = Text::new("vmfsSparse", &["RW 8 VMFSSPARSE \"a\"", "RW 8 VMFSSPARSE \"b\""]);
    let files = [Cowd::default().bytes(), Cowd { unclean: true, ..Cowd::default() }.bytes()];
    assert_eq!(with_files(&text, &files).unwrap().description().dirty, Some(true));
}

#[test]
fn a_parent_is_a_backing_file_in_the_same_format() {
    let text = Text {
        parent: Some(b"../base.vmdk".to_vec()),
        parent_content_id: 7,
        ..Text::new("vmfs", &["RW 8 VMFS \"a\""])
    };
    let sparse = Hosted { descriptor: Some(text.bytes()), ..Hosted::default() };
    for bytes in [text.bytes(), sparse.bytes()] {
        let description = opened(bytes).unwrap().description();
        let backing = Backing { path: b"../base.vmdk".to_vec(), format: Some(b"vmdk".to_vec()) };
        assert_eq!(description.backing, Some(backing));
        let Some(Specific::Vmdk(specific)) = description.specific else { panic!() };
        assert_eq!((specific.content_id, specific.parent_content_id), (0x1234_5678, 7));
    }
}

#[test]
fn a_header_without_capacity_has_only_a_descriptor() {
    let text = Text::new("monolithicFlat", &["RW 8 FLAT \"a\" 0"]);
    let hosted = Hosted { capacity: 0, descriptor: Some(text.bytes()), ..Hosted::default() };
    let image = opened(hosted.bytes()).unwrap();
    assert_eq!(create_type(image.as_ref()), "monolithicFlat");
    assert_eq!(extents(image.as_ref()), [part("FLAT", Some("a"), 8, None)]);
    // As the extent of another disk it would lead round in circles.
    let text = Text::new("twoGbMaxExtentSparse", &["RW 8 SPARSE \"a\""]);
    let message = said(with_files(&text, &[hosted.bytes()]));
    assert_eq!(message, "the file of an extent holds a descriptor instead");
}

#[test]
fn the_header_knows_where_the_descriptor_is() {
    let moved = |offset: u64, size: u64| {
        let mut bytes = Hosted::default().bytes();
        let text: Vec<u8> = bytes[512..512 + 10_240].to_vec();
        bytes.extend_from_slice(&text);
        bytes[28..36].copy_from_slice(&offset.to_le_bytes());
        bytes[36..44].copy_from_slice(&size.to_le_bytes());
        said(opened(bytes))
    };
    let outside = "the descriptor at sector 128 (10752 bytes) does not lie in the file";
    let nothing =
        "the file is an extent without a descriptor: the disk is opened by its descriptor";
    for (offset, size, expected) in [
        (1, 20, ""),
        (1, 0, ""),
        (1, 1, ""),
        (0, 0, ""),
        (128, 20, ""),
        (128, 0, ""),
        (128, 21, outside),
        (30, 20, nothing),
    ] {
        assert_eq!(moved(offset, size), expected, "{offset} {size}");
    }
}

#[test]
fn files_that_are_no_image_are_refused() {
    for (bytes, expected) in [
        (Vec::new(), "File is too small, not a valid image"),
        (b"abc".to_vec(), "invalid VMDK image descriptor"),
        (vec![0; 4096], "invalid VMDK image descriptor"),
        (SeSparse::default().bytes(), "invalid VMDK image descriptor"),
    ] {
        let error = opened(bytes).err().unwrap();
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::NotThisFormat, expected.into()));
    }
}

#[test]
fn descriptors_are_checked_in_order() {
    let flat = ["RW 8 FLAT \"a\" 0"];
    let without = |text: &Text, key: &str| {
        let text = String::from_utf8(text.bytes()).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with(key));
        lines.collect::<Vec<_>>().join("\n")
    };
    let good = Text::new("monolithicFlat", &flat);
    for (text, expected) in [
        (without(&good, "createType"), "invalid VMDK image descriptor"),
        (without(&good, "CID"), "the descriptor has no valid CID"),
        (without(&good, "parentCID"), "the descriptor has no valid parentCID"),
        (without(&good, "RW"), "the descriptor names no extents"),
        (without(&Text::new("custom", &[]), "CID"), "Unsupported image type 'custom'"),
        (without(&Text::new("vmfs", &["RW 8 VMFS"]), "CID"), "Invalid extent line: RW 8 VMFS"),
        (
            without(&Text::new("vmfs", &["RW 8 VMFSRDM \"a\""]), "CID"),
            "Unsupported extent type 'VMFSRDM'",
        ),
        (
            without(&Text::new("vmfs", &["parentFileNameHint=\"a", flat[0]]), "CID"),
            "the name of the parent is not in quotation marks",
        ),
    ] {
        assert_eq!(said(opened(&text)), expected, "{text}");
    }
}

#[test]
fn other_types_of_disks_are_not_supported() {
    for create_type in [
        "monolithicSparse",
        "streamOptimized",
        "fullDevice",
        "partitionedDevice",
        "vmfsRaw",
        "vmfsRawDeviceMap",
        "vmfsPassthroughRawDeviceMap",
        "custom",
        "VMFS",
        "",
    ] {
        let error = opened(Text::new(create_type, &["RW 8 VMFS \"a\""]).bytes()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(error.to_string(), std::format!("Unsupported image type '{create_type}'"));
    }
}

#[test]
fn a_disk_has_a_largest_size() {
    let most = MAX_DISK / SECTOR;
    let too_large = "Could not refresh total sector count: File too large";
    for (sectors, more, expected) in [
        (most - 1, 0, ""),
        (most, 0, ""),
        (most + 1, 0, too_large),
        (most - 8, 8, ""),
        (most - 8, 9, too_large),
        (u64::MAX / 512, 0, too_large),
        (u64::MAX, 0, too_large),
        (u64::MAX, u64::MAX, too_large),
    ] {
        let lines = [sectors, more].map(|sectors| std::format!("RW {sectors} FLAT \"a\" 0"));
        let text = Text::new("monolithicFlat", &[&lines[0], &lines[1]]);
        assert_eq!(said(opened(text.bytes())), expected, "{sectors} {more}");
    }
    // Also when it is only known with the file.
    let text = Text::new("seSparse", &["RW 8 SESPARSE \"a\""]);
    for (capacity, expected) in [(most, ""), (most + 1, too_large), (u64::MAX, too_large)] {
        assert_eq!(said(with_files(&text, &[SeSparse { capacity }.bytes()])), expected);
    }
}

#[test]
fn files_of_extents_are_checked() {
    let sparse = Text::new("twoGbMaxExtentSparse", &["RW 8 SPARSE \"a\""]);
    let se_sparse = Text::new("seSparse", &["RW 8 SESPARSE \"a\""]);
    let flat = Text::new("monolithicFlat", &["RW 8 FLAT \"a\" 0"]);
    let mut version_4 = Hosted::extent().bytes();
    version_4[4] = 4;
    for (text, file, expected) in [
        (&flat, Vec::new(), ""),
        (&flat, Hosted::default().bytes(), ""),
        (&sparse, Hosted::default().bytes(), ""),
        (&sparse, Vec::new(), "File is too small, not a valid image"),
        (&sparse, vec![0; 512], "Image not in VMDK format"),
        (&sparse, SeSparse::default().bytes(), "Image not in VMDK format"),
        (&sparse, flat.bytes(), "Image not in VMDK format"),
        (&sparse, version_4, "Unsupported VMDK version 4"),
        (&se_sparse, Hosted::extent().bytes(), "Bad const header magic: 0x00000001564d444b"),
        (
            &se_sparse,
            Vec::new(),
            "the constant header at sector 0 (512 bytes) does not lie in the file",
        ),
    ] {
        assert_eq!(said(with_files(text, &[file])), expected);
    }
}

#[test]
fn no_byte_of_an_image_can_do_harm() {
    let text = Text::new("vmfs", &["RW 8 VMFS \"a\"", "RW 8 ZERO"]).bytes();
    let samples = [
        (Hosted::default().bytes(), 1200),
        (Hosted::stream_optimized().bytes(), 1200),
        (Cowd { descriptor: text.clone(), ..Cowd::default() }.bytes(), 1200),
        (text, usize::MAX),
        (odd_descriptor(), usize::MAX),
    ];
    for (bytes, end) in samples {
        for place in 0..bytes.len().min(end) {
            for value in [0, 1, 0x7f, 0xff, b'"', b'\n', b'#'] {
                let mut bytes = bytes.clone();
                bytes[place] = value;
                // Whatever it says, it must say it.
                if let Ok(image) = opened(bytes) {
                    let _ = (image.description(), extents(image.as_ref()), image.references());
                }
            }
        }
    }
}

#[test]
fn no_cut_can_do_harm() {
    for bytes in [
        Hosted::default().bytes(),
        Hosted::stream_optimized().bytes(),
        Cowd::default().bytes(),
        Text::new("vmfs", &["RW 8 VMFS \"a\""]).bytes(),
        odd_descriptor(),
    ] {
        for length in 0..bytes.len() {
            if let Ok(image) = opened(&bytes[..length]) {
                let _ = (image.description(), extents(image.as_ref()));
            }
        }
    }
}
