use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::header::IN_USE;
use super::sample::{Disk, Extension};
use super::*;
use crate::creation::Value;
use crate::extent::{Content, Extent, File, Place};
use crate::image::Description;
use crate::testing;
use crate::whole::{Disk as Whole, Files};

fn opened(bytes: impl AsRef<[u8]>) -> Result<Box<dyn Image>, Error> {
    Parallels.open(Rc::new(bytes.as_ref().to_vec()))
}

/// Why an image cannot be opened; nothing if it can.
fn said(opened: Result<Box<dyn Image>, Error>) -> String {
    opened.map_or_else(|error| error.to_string(), |_| String::new())
}

fn confidence(bytes: &[u8]) -> Confidence {
    testing::confidence(&Parallels, bytes, b"")
}

#[test]
fn images_are_recognised_by_magic_and_version() {
    let mut version_1 = Disk::old().bytes();
    version_1[16] = 1;
    for (bytes, expected) in [
        (Disk::default().bytes(), Confidence::CERTAIN),
        (Disk::old().bytes(), Confidence::CERTAIN),
        (Disk::old().bytes()[..20].to_vec(), Confidence::CERTAIN),
        (Disk::old().bytes()[..16].to_vec(), Confidence::NONE),
        (version_1, Confidence::NONE),
        (vec![0; 4096], Confidence::NONE),
        (vec![], Confidence::NONE),
    ] {
        assert_eq!(confidence(&bytes), expected, "{}", bytes.len());
    }
    let found = crate::probe::detect(&Disk::default().bytes(), b"hds");
    assert_eq!(found.unwrap().name(), "parallels");
}

#[test]
fn an_image_is_described() {
    for disk in [
        Disk::default(),
        Disk::old(),
        Disk { in_use: IN_USE, ..Disk::default() },
        Disk { extension: Some(Extension::dirty_bitmap()), ..Disk::default() },
        Disk { sectors: 0, ..Disk::default() },
        Disk { sectors: 1 << 20, cluster_sectors: 2048, ..Disk::default() },
    ] {
        let image = opened(disk.bytes()).unwrap();
        assert_eq!(
            image.description(),
            Description {
                virtual_size: disk.sectors * 512,
                cluster_size: None,
                encrypted: false,
                dirty: (disk.in_use == IN_USE).then_some(true),
                backing: None,
                specific: None,
            },
            "{disk:?}"
        );
        assert_eq!(image.references(), []);
    }
}

#[test]
fn a_file_that_ends_early_is_an_error() {
    let bytes = Disk { sectors: 4096, ..Disk::default() }.bytes();
    for length in 0..=bytes.len() {
        // Fields of the header that are missing are zero.
        let expected = match length {
            0..=16 => "Image not in Parallels format",
            17..=28 => "Invalid image: Zero sectors per track",
            // No entries: 512 has its only bit in the second byte.
            29..=33 => "",
            34..=2048 => "the BAT at 64 (2048 bytes) does not lie in the file",
            _ => "",
        };
        assert_eq!(said(opened(&bytes[..length])), expected, "{length}");
    }
}

#[test]
fn no_byte_of_an_image_can_do_harm() {
    let extension = Some(Extension::dirty_bitmap());
    let samples = [
        (Disk { sectors: 800, extension, ..Disk::default() }.bytes(), 4096),
        (Disk { sectors: 800, ..Disk::old() }.bytes(), 0),
    ];
    for (bytes, extension) in samples {
        let extension = extension..bytes.len().min(extension + 24);
        for place in (0..80).chain(extension) {
            for value in [0, 1, 2, 0x7f, 0x80, 0xff] {
                let mut bytes: Vec<u8> = bytes.clone();
                bytes[place] = value;
                // Whatever it says, it must say it.
                if let Ok(image) = opened(bytes) {
                    testing::extents(image.as_ref());
                }
            }
        }
    }
}

/// The extent at an offset of a disk of 100 clusters, some of which have these entries.
fn extent(disk: &Disk, entries: &[(usize, u32)], offset: u64, limit: u64) -> Result<Extent, Error> {
    let mut bytes = disk.bytes();
    for (cluster, entry) in entries {
        let place = 64 + cluster * 4;
        bytes[place..place + 4].copy_from_slice(&entry.to_le_bytes());
    }
    opened(bytes).unwrap().extent(offset, limit)
}

#[test]
fn entries_of_the_bat_say_where_clusters_are() {
    let new = Disk { sectors: 800, ..Disk::default() };
    let old = Disk { sectors: 6300, ..Disk::old() };
    let data = |place: u64| Content::Data(Place::own(place));
    let (cluster, old_cluster) = (4096, 63 * 512);
    for (disk, entries, offset, length, content) in [
        (&new, &[][..], 0, 100 * cluster, Content::Unallocated),
        (&new, &[(3, 1)], 0, 3 * cluster, Content::Unallocated),
        (&new, &[(3, 1)], 3 * cluster, cluster, data(cluster)),
        // Clusters that follow each other, and those that do not.
        (
            &new,
            &[(3, 9), (4, 10), (5, 12)],
            3 * cluster + 5,
            2 * cluster - 5,
            data(9 * cluster + 5),
        ),
        (&new, &[(3, 9), (4, 10), (5, 12)], 5 * cluster, cluster, data(12 * cluster)),
        // Behind the end of the file there are zeros.
        (&new, &[(0, u32::MAX)], 0, cluster, data(u64::from(u32::MAX) * cluster)),
        // Behind the old magic entries count sectors.
        (&old, &[(1, 65), (2, 128)], old_cluster, 2 * old_cluster, data(65 * 512)),
        (&old, &[(1, 65), (2, 66)], old_cluster, old_cluster, data(65 * 512)),
    ] {
        let found = extent(disk, entries, offset, disk.sectors * 512 - offset).unwrap();
        assert_eq!(found, Extent { length, content }, "{entries:?} at {offset}");
    }
}

#[test]
fn what_the_bat_does_not_cover_is_not_there() {
    let mut bytes = Disk { sectors: 800, ..Disk::default() }.bytes();
    bytes[32..36].copy_from_slice(&2_u32.to_le_bytes());
    bytes[64..76].copy_from_slice(&[1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]);
    let found = testing::extents(opened(bytes).unwrap().as_ref());
    let data = Content::Data(Place::own(4096));
    let expected = [(8192, data), (98 * 4096, Content::Unallocated)];
    assert_eq!(found, expected.map(|(length, content)| Extent { length, content }));
}

#[test]
fn all_clusters_lie_where_files_can_be() {
    // The largest clusters: 2,143,297,024 bytes.
    let cluster_sectors = header::MAX_CLUSTER_SECTORS;
    let cluster = u64::from(cluster_sectors) * 512;
    let mut bytes = Disk { sectors: 8, ..Disk::default() }.bytes();
    bytes[28..32].copy_from_slice(&cluster_sectors.to_le_bytes());
    bytes[64..68].copy_from_slice(&[0xff; 4]);
    let found = opened(&bytes).unwrap().extent(0, 512).unwrap();
    let place = u64::from(u32::MAX) * cluster;
    assert_eq!(found.content, Content::Data(Place::own(place)));
    assert!(storage::is_reachable(place, cluster));
}

fn creation(size: u64, cluster_size: Option<u64>) -> Creation<'static> {
    let mut creation = Creation { size, ..Creation::default() };
    let set = cluster_size.map(Value::Number);
    set.into_iter().for_each(|value| creation.options.set("cluster_size", value));
    creation
}

#[test]
fn a_disk_that_was_written_is_read_again() {
    let mut disk = vec![0; 5_000_192];
    disk[3_000_000..3_100_000].fill(3);
    disk[1_040_000..1_060_000].fill(1);
    disk[5_000_191] = 4;
    for (cluster_size, start, clusters) in [
        (None, 1 << 20, 4),
        (Some(65_536), 65_536, 6),
        (Some(512), 39_424, 254),
        (Some(1), 39_424, 254),
    ] {
        let creation = creation(disk.len() as u64, cluster_size);
        let mut files = Files::default();
        let mut writer = Parallels.create(&creation).unwrap();
        files.make(writer.as_mut(), &disk, 4096).unwrap();
        let file = files.file(File::Own).to_vec();
        assert!(file.len() as u64 <= writer.longest(File::Own));
        let image = opened(&file).unwrap();
        let mut read = vec![7; disk.len()];
        let length = start + clusters * usize::try_from(writer.unit()).unwrap();
        let context = std::format!("{cluster_size:?}");
        assert_eq!(file.len(), length, "{context}");
        Whole::new(image, Rc::new(file)).read(0, &mut read).unwrap();
        assert!(read == disk, "{context}");
    }
}

#[test]
fn images_that_are_made_have_limits() {
    let (cluster, disk) =
        ("Cluster size is too large", "Image size is too large for this cluster size");
    let (too_large, too_many) = ("Invalid image: Too big cluster", "Catalog too large");
    let largest = u64::from(header::MAX_CLUSTER_SECTORS) * 512;
    let most = u64::from(header::MAX_BAT_ENTRIES);
    for (size, cluster_size, expected) in [
        (0, 0, disk),
        (1 << 20, 0, disk),
        (1 << 20, 1, ""),
        (1 << 20, largest, ""),
        (1 << 20, largest + 1, too_large),
        (1 << 20, (1 << 31) - 512, too_large),
        (1 << 20, (1 << 31) - 511, cluster),
        (1 << 20, u64::MAX, cluster),
        (most * 512 - 511, 512, ""),
        (most * 512, 512, ""),
        (most * 512 + 1, 512, too_many),
        ((1 << 41) - 512, 512, too_many),
        ((1 << 41) - 511, 512, disk),
        (u64::MAX, 1 << 20, disk),
    ] {
        let made = Parallels.create(&creation(size, Some(cluster_size)));
        let said = made.map_or_else(|error| error.to_string(), |_| String::new());
        assert_eq!(said, expected, "{size} {cluster_size}");
    }
}
