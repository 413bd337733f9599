//! What is on the disks of images, as the formats read them on the host, held against
//! qemu-img.

use formats::image::Image;
use formats::vmdk::sample::{Hosted, Text};
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
    if read == expected {
        return None;
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
fn raw() {
    judge(sources::raw::SOURCES);
}

#[test]
fn vdi() {
    judge(sources::vdi::SOURCES);
}

/// Numbers that are the same each time.
fn numbers(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) % below
    }
}

/// Writes to grains of any size, wherever it may be, are found again.
#[test]
fn vmdk_at_random() {
    for seed in 1..=12 {
        let mut number = numbers(seed);
        let place = Place::new();
        // One disk of two extents that have nothing in common. The first ends with a
        // grain: otherwise qemu goes on in it where the second has begun.
        let grains = [1 + number(200), 1 + number(200)];
        let sectors = [grains[0] * (1 + number(20)), 1 + number(3000)];
        let lines = sectors.map(|sectors| format!("RW {sectors} SPARSE \"{sectors}\""));
        let text = Text::new("twoGbMaxExtentSparse", &[&lines[0], &lines[1]]);
        place.write("a.vmdk", &text.bytes());
        for (capacity, grain_size) in sectors.into_iter().zip(grains) {
            let version = 1 + u32::from(number(2) == 0);
            let extent = Hosted { version, capacity, ..Hosted::extent() };
            let extent = Hosted { grain_size, redundant: number(2) == 0, ..extent };
            place.write(&capacity.to_string(), &extent.bytes());
        }
        let end = sectors[0] + sectors[1];
        let mut arguments = Vec::new();
        for _ in 0..12 {
            let start = number(end);
            let length = 1 + number((end - start).min(300));
            let what = ["-P 7", "-P 9", "-z"][usize::try_from(number(3)).unwrap()];
            let write = format!("write {what} {} {}", start * 512, length * 512);
            arguments.extend(["-c".to_owned(), write]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        place.must("qemu-io", &[&arguments, &["-f", "vmdk", "a.vmdk"][..]].concat());
        place.must("qemu-img", &["convert", "-O", "raw", "a.vmdk", "truth.raw"]);
        let disk = native::open(&place, "a.vmdk", None).expect("an image");
        extents_cover_the_disk(disk.image.as_ref()).expect("good extents");
        let read = native::content(&disk).expect("its content");
        let truth = std::fs::read(place.file("truth.raw")).expect("the truth");
        assert_eq!(difference(&read, &truth), None, "seed {seed}: {arguments:?}");
    }
}

#[test]
fn vmdk() {
    judge(sources::vmdk::SOURCES);
}
