//! What is on the disks of images, as the formats read them on the host, held against
//! qemu-img.

use formats::image::Image;
use tests::Place;
use tests::native;
use tests::sources::{self, Source};

/// Reads every image, and then says what was wrong with all.
fn judge(sources: &[Source]) {
    let mut complaints = Vec::new();
    for source in sources {
        let place = Place::new();
        source.make(&place);
        let disk = native::open(&place, source.file, None);
        let read = disk.and_then(|disk| {
            extents_cover_the_disk(disk.image.as_ref())?;
            native::content(&disk)
        });
        let expected = source.content(&place);
        match (read, expected) {
            (Ok(read), Ok(expected)) => {
                if let Some(complaint) = difference(&read, &expected) {
                    complaints.push(format!("{}: {complaint}", source.name));
                }
            }
            (Err(read), Err(expected)) if read == expected => {}
            (read, expected) => {
                let (read, expected) = (read.map(|_| ()), expected.map(|_| ()));
                complaints.push(format!("{}: {read:?}, expected {expected:?}", source.name));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Where two disks differ, if they do.
fn difference(read: &[u8], expected: &[u8]) -> Option<String> {
    if read.len() != expected.len() {
        return Some(format!("{} bytes, expected {}", read.len(), expected.len()));
    }
    let place = read.iter().zip(expected).position(|(read, expected)| read != expected)?;
    let (read, expected) = (read[place], expected[place]);
    Some(format!("{read:#x} at {place:#x}, expected {expected:#x}"))
}

/// Whether extents cover a disk exactly once, however it is asked about: an extent
/// says the same of a place, wherever the question starts.
fn extents_cover_the_disk(image: &dyn Image) -> Result<(), String> {
    let size = image.description().virtual_size;
    for step in [u64::MAX, 5_000_011, 512] {
        let mut offset = 0;
        let mut asked = 0;
        while offset < size && asked < 10_000 {
            let limit = step.min(size - offset);
            let extent = image.extent(offset, limit).map_err(|error| error.to_string())?;
            if extent.length == 0 || extent.length > limit {
                return Err(format!("{} of {limit} bytes at {offset}", extent.length));
            }
            let middle = extent.length / 2;
            let later = image.extent(offset + middle, 1).map_err(|error| error.to_string())?;
            if later.content != extent.content.inside(middle) {
                return Err(format!("{extent:?} at {offset}, but {later:?} in its middle"));
            }
            offset += extent.length;
            asked += 1;
        }
    }
    Ok(())
}

#[test]
fn bochs() {
    judge(sources::bochs::SOURCES);
}

#[test]
fn cloop() {
    judge(sources::cloop::SOURCES);
}

#[test]
fn dmg() {
    judge(sources::dmg::SOURCES);
}

#[test]
fn luks() {
    judge(sources::luks::SOURCES);
}

#[test]
fn parallels() {
    judge(sources::parallels::SOURCES);
}

#[test]
fn raw() {
    judge(sources::raw::SOURCES);
}

#[test]
fn vdi() {
    judge(sources::vdi::SOURCES);
}

#[test]
fn vpc() {
    judge(sources::vpc::SOURCES);
}

#[test]
fn vhdx() {
    judge(sources::vhdx::SOURCES);
}

#[test]
fn vmdk() {
    judge(sources::vmdk::SOURCES);
}
