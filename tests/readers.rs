//! What is on the disks of images, as the formats read them on the host, held against
//! qemu-img.

use formats::image::Image;
use formats::vmdk::sample::{Hosted, Text};
use tests::native;
use tests::sources::{self, Source};
use tests::{Place, Random};

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

/// Writes at random, whole and compressed, zeros, and gives back, and then reads.
fn judge_random(format: &str, options: &str, commands: &[&str]) {
    for seed in 1..=2_u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut next = |limit: u64| random.below(limit);
        let place = Place::new();
        let sectors = 2000 + next(9000);
        let size = (sectors * 512).to_string();
        let mut create = vec!["create", "-f", format];
        create.extend(if options.is_empty() { vec![] } else { vec!["-o", options] });
        create.extend(["a", &size]);
        place.must("qemu-img", &create);
        let mut arguments = vec!["-f".to_owned(), format.to_owned()];
        for number in 0..40 {
            let command = commands[usize::try_from(next(commands.len() as u64)).unwrap()];
            let (unit, most) = if command.contains("-c") { (128, 1) } else { (1, 300) };
            let start = next(sectors / unit) * unit;
            let length = (unit + next(most) / unit * unit).min(sectors - start);
            let command = command.replace('?', &(1 + number).to_string());
            arguments.push("-c".to_owned());
            arguments.push(format!("{command} {} {}", start * 512, length * 512));
        }
        arguments.push("a".to_owned());
        // Some can fail: a compressed cluster takes the place of no other.
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let _ = tests::tool::run("qemu-io".as_ref(), &arguments, place.path(), &[]);
        place.must("qemu-img", &["convert", "-f", format, "-O", "raw", "a", "truth"]);
        let disk = native::open(&place, "a", Some(format)).unwrap();
        extents_cover_the_disk(disk.image.as_ref()).unwrap();
        let complaint = difference(
            &native::content(&disk).unwrap(),
            &std::fs::read(place.file("truth")).unwrap(),
        );
        assert_eq!(complaint, None, "{format} {options} {seed}");
    }
}

/// What qemu-io can do to a disk; the question mark is for a byte.
const COMMANDS: [&str; 5] = ["write -P ?", "write -P ?", "write -c -P ?", "write -z", "discard"];

#[test]
fn qcow2() {
    judge(sources::qcow2::SOURCES);
}

#[test]
fn qcow2_at_random() {
    for options in [
        "cluster_size=65536",
        "cluster_size=512",
        "cluster_size=4096,compat=0.10",
        "extended_l2=on,cluster_size=16384",
        "extended_l2=on,compression_type=zstd",
        "cluster_size=2097152",
    ] {
        judge_random("qcow2", options, &COMMANDS);
    }
    judge_random("qcow2", "data_file=data", &["write -P ?", "write -z", "discard"]);
}

#[test]
fn qcow2_snapshots() {
    use formats::image::SnapshotChoice;
    let place = Place::new();
    let truth = |bytes: u8, size: usize| vec![bytes; size];
    place.must("qemu-img", &["create", "-f", "qcow2", "a.qcow2", "1M"]);
    for (fill, name, size) in [(1, "one", "2M"), (2, "two", "3M"), (3, "1", "3M")] {
        let command = format!("write -P {fill} 0 1M");
        place.must("qemu-io", &["-f", "qcow2", "-c", &command, "a.qcow2"]);
        place.must("qemu-img", &["snapshot", "-c", name, "a.qcow2"]);
        place.must("qemu-img", &["resize", "-f", "qcow2", "a.qcow2", size]);
    }
    place.must("qemu-io", &["-f", "qcow2", "-c", "write -P 4 0 3M", "a.qcow2"]);
    let mut disk = native::open(&place, "a.qcow2", None).unwrap();
    assert_eq!(native::content(&disk).unwrap(), truth(4, 3 << 20));
    let active = disk.image;
    // Ids come before names.
    for (wanted, fill, size) in [("one", 1, 1), ("1", 1, 1), ("two", 2, 2), ("3", 3, 3)] {
        let choice = SnapshotChoice::Either(wanted.as_bytes().to_vec());
        disk.image = active.snapshot(&choice).unwrap();
        extents_cover_the_disk(disk.image.as_ref()).unwrap();
        // It is as large as it was, while qemu-img makes it as large as the disk is now.
        let mut expected = truth(fill, 1 << 20);
        expected.resize(size << 20, 0);
        assert_eq!(difference(&native::content(&disk).unwrap(), &expected), None, "{wanted}");
        place.must("qemu-img", &["convert", "-l", wanted, "-O", "raw", "a.qcow2", "b.raw"]);
        expected.resize(3 << 20, 0);
        let qemu = std::fs::read(place.file("b.raw")).unwrap();
        assert_eq!(difference(&qemu, &expected), None, "{wanted}");
    }
}

#[test]
fn qcow() {
    judge(sources::qcow::SOURCES);
}

#[test]
fn qcow_at_random() {
    // Its clusters are smaller than what is compressed here at a time.
    judge_random("qcow", "", &["write -P ?", "write -z"]);
}

#[test]
fn qed() {
    judge(sources::qed::SOURCES);
}

#[test]
fn qed_at_random() {
    for options in ["cluster_size=65536", "cluster_size=4096,table_size=2"] {
        judge_random("qed", options, &["write -P ?", "write -z"]);
    }
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

/// Numbers that are the same each time.
fn numbers(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    move |below| (random.number() >> 11) % below
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
fn vpc() {
    judge(sources::vpc::SOURCES);
    for options in ["subformat=dynamic", "force_size=on", "subformat=fixed"] {
        judge_random("vpc", options, &["write -P ?", "write -z", "discard"]);
    }
}

#[test]
fn vhdx() {
    judge(sources::vhdx::SOURCES);
    for options in [
        "block_size=1M",
        "block_size=4M,block_state_zero=off",
        "subformat=fixed,block_size=1M",
        "subformat=fixed,block_state_zero=off,block_size=2M",
    ] {
        judge_random("vhdx", options, &["write -P ?", "write -z", "discard"]);
    }
}

#[test]
fn vmdk() {
    judge(sources::vmdk::SOURCES);
}
