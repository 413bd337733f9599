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

/// Numbers that look like any, the same for a seed.
fn numbers(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |limit| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) % limit
    }
}

/// Has qemu-io write here and there on disks of any size, in each way of making them, and
/// reads them.
fn judge_random(format: &str, ways: &[&str]) {
    for (seed, options) in (1..).zip(ways) {
        let mut below = numbers(seed);
        let place = Place::new();
        let size = 512 * (10_000 + below(30_000));
        let (options, size_text) = (["-o", options], size.to_string());
        let create = [&["create", "-f", format], &options[..], &["a.x", &size_text]].concat();
        place.must("qemu-img", &create);
        let mut commands = Vec::new();
        for number in 1..30 {
            let offset = 512 * below(size / 512 - 1);
            // Mostly short, and not always whole sectors.
            let length = (1 << below(21)) + below(2) * below(5000);
            let length = length.min(size - offset);
            commands.push(match below(8) {
                0 => format!("write -z {offset} {length}"),
                1 => format!("discard {offset} {length}"),
                _ => format!("write -P {number} {offset} {length}"),
            });
        }
        let commands = commands.iter().flat_map(|command| ["-c", command]);
        let arguments: Vec<&str> = ["-f", format].into_iter().chain(commands).collect();
        place.must("qemu-io", &[&arguments[..], &["a.x"]].concat());
        place.must("qemu-img", &["convert", "-f", format, "-O", "raw", "a.x", "truth.raw"]);
        let disk = native::open(&place, "a.x", Some(format)).expect("an image");
        extents_cover_the_disk(disk.image.as_ref()).expect("extents");
        let read = native::content(&disk).expect("the disk");
        let expected = std::fs::read(place.file("truth.raw")).expect("the truth");
        assert_eq!(difference(&read, &expected), None, "{format} {options:?}");
    }
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
    judge_random("vpc", &["subformat=dynamic", "force_size=on", "subformat=fixed"]);
}

#[test]
fn vhdx() {
    judge(sources::vhdx::SOURCES);
    judge_random(
        "vhdx",
        &[
            "block_size=1M",
            "block_size=4M,block_state_zero=off",
            "subformat=fixed,block_size=1M",
            "subformat=fixed,block_state_zero=off,block_size=2M",
        ],
    );
}
