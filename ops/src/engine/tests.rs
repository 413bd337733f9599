//! The engine over a world in memory: whatever a disk consists of, what comes out is
//! what was in it.

use alloc::vec;
use alloc::vec::Vec;
use std::string::String;

use abi::compare::Finding;
use abi::convert::{ExamineRequest, Range, Recreation, Request, Setting, State, Target, Value};
use abi::info::Format;
use abi::reply::Reply;
use abi::source::Source;
use abi::text::Text;
use formats::extent::File;
use formats::writer::Output;

use crate::engine::{Before, Sink};
use crate::testing::World;
use crate::{Error, convert, map, recreate};

fn source(slot: u8) -> Source {
    Source::whole(slot, None)
}

fn request(sources: Vec<Source>, slot: u8, format: Format) -> Request {
    Request {
        sources,
        target: Target {
            slot,
            others: vec![],
            format,
            options: vec![],
            compress: false,
            file_name: Text::default(),
            backing: None,
            before: None,
            state: State::New,
            seed: [7; 16],
            time: 0,
        },
        range: Range::ALL,
        only_top: false,
        sparse: 4096,
        progress: false,
        salvage: false,
        hash: false,
        max_depth: 8,
    }
}

/// A disk with data here and there, some of it in the middle of a block.
fn disk(size: usize) -> Vec<u8> {
    let mut disk = vec![0; size];
    for (number, piece) in disk.chunks_mut(70_000).enumerate() {
        if number % 3 == 0 {
            piece.iter_mut().zip(0_u8..=255).for_each(|(byte, value)| *byte = value);
        }
        if number % 7 == 5 {
            piece.fill(u8::try_from(number % 250 + 1).unwrap());
        }
    }
    disk
}

/// What becomes of a disk that is converted to a format and back.
fn there_and_back(disk: &[u8], format: Format, sparse: u32) -> Vec<u8> {
    let world = World::with_image(disk.to_vec());
    let (image, back) = (world.plug(vec![]), world.plug(vec![]));
    let there = Request { sparse, ..request(vec![source(0)], image, format) };
    convert::run(&there, &world).unwrap();
    let again = Request { sparse, ..request(vec![source(image)], back, Format::Raw) };
    convert::run(&again, &world).unwrap();
    world.file(back)
}

#[test]
fn units_are_compressed_and_decompressed() {
    for (format, option) in [
        (Format::Qcow2, None),
        (Format::Qcow2, Some(("compression_type", "zstd"))),
        (Format::Qcow, None),
        (Format::Vmdk, Some(("subformat", "streamOptimized"))),
    ] {
        for size in [512, 65_536, (1 << 20) + 512] {
            for sparse in [0, 4096] {
                let disk = disk(size);
                let world = World::with_image(disk.clone());
                let (image, back) = (world.plug(vec![]), world.plug(vec![]));
                let mut there = Request { sparse, ..request(vec![source(0)], image, format) };
                there.target.compress = true;
                there.target.options.extend(option.map(|(name, value)| Setting {
                    name: Text::from(name),
                    value: Value::Text(Text::from(value)),
                }));
                convert::run(&there, &world).unwrap();
                let again = request(vec![source(image)], back, Format::Raw);
                let read = convert::run(&again, &world);
                assert_eq!(read, Ok(()), "{format:?} {option:?} {size} {sparse}");
                assert!(world.file(back) == disk, "{format:?} {option:?} {size} {sparse}");
            }
        }
    }
}

#[test]
fn what_comes_back_is_what_went_there() {
    for format in [
        Format::Raw,
        Format::Vdi,
        Format::Qcow2,
        Format::Qcow,
        Format::Qed,
        Format::Vmdk,
        Format::Vhdx,
        Format::Parallels,
    ] {
        for size in [0, 512, 4096, 1_000_448, (1 << 20) + 512, 5_000_192] {
            for sparse in [0, 512, 4096, 65_536, 3 << 20] {
                let disk = disk(size);
                // Some formats have no empty disks.
                if size > 0 || matches!(format, Format::Raw | Format::Vdi) {
                    let back = there_and_back(&disk, format, sparse);
                    assert!(back == disk, "{format:?} {size} {sparse}");
                }
            }
        }
    }
}

#[test]
fn a_disk_ends_with_a_whole_sector() {
    let disk = disk(1000);
    let back = there_and_back(&disk, Format::Raw, 4096);
    assert_eq!(back.len(), 1024);
    assert_eq!(back[..1000], disk);
    assert_eq!(back[1000..], [0; 24]);
}

#[test]
fn disks_are_put_one_behind_the_other() {
    let (first, second) = (disk(700_416), disk(100_352));
    let world = World::with_image(first.clone());
    world.plug(second.clone());
    let target = world.plug(vec![]);
    let sources = vec![source(0), source(1), source(0)];
    convert::run(&request(sources, target, Format::Raw), &world).unwrap();
    assert!(world.file(target) == [first.clone(), second, first].concat());
}

#[test]
fn a_part_of_a_disk_is_copied() {
    let disk = disk(3 << 20);
    for (start, length) in [(0, 512), (512, 1 << 20), (3 << 20, 512), (1 << 20, u64::MAX), (0, 0)] {
        let world = World::with_image(disk.clone());
        let target = world.plug(vec![]);
        let request = request(vec![source(0)], target, Format::Raw);
        convert::run(&Request { range: Range { start, length, ..Range::ALL }, ..request }, &world)
            .unwrap();
        let from = usize::try_from(start).unwrap();
        let to = usize::try_from(start.saturating_add(length)).unwrap_or(usize::MAX);
        assert!(world.file(target) == disk[from..to.min(disk.len())], "{length} at {start}");
    }
}

#[test]
fn what_is_there_is_overwritten_with_zeros_too() {
    let disk = disk(1 << 20);
    for (state, expected) in [(State::Used, 0), (State::Zeroed, 0xff)] {
        let world = World::with_image(disk.clone());
        let target = world.plug(vec![0xff; 2 << 20]);
        let mut request = request(vec![source(0)], target, Format::Raw);
        request.target.state = state;
        convert::run(&request, &world).unwrap();
        let file = world.file(target);
        assert_eq!(file.len(), 2 << 20, "it keeps its length");
        assert!(file[1 << 20..].iter().all(|byte| *byte == 0xff), "what is behind stays");
        let hole = disk.chunks(4096).position(|block| block.iter().all(|byte| *byte == 0)).unwrap();
        assert_eq!(file[hole * 4096], expected, "{state:?}");
    }
}

#[test]
fn what_follows_in_the_next_sector_is_written_along() {
    // Each grain takes a part of a sector, and they lie one behind the other.
    let world = World::with_image(vec![0; 16 << 20]);
    let target = world.plug(vec![]);
    let mut request = request(vec![source(0)], target, Format::Vmdk);
    let value = Value::Text(Text::from("streamOptimized"));
    request.target.options.push(Setting { name: Text::from("subformat"), value });
    request.sparse = 0;
    convert::run(&request, &world).unwrap();
    assert!(world.file(target).len() > 256 * 512, "there are grains");
    assert!(world.writes() < 8, "{} requests", world.writes());
}

/// Writes as an image with compressed clusters does, in any order: data that goes on where
/// it ended, the sector of which is written again, and tables in clusters of their own,
/// some of them more than once.
#[test]
fn what_is_written_later_stays() {
    const CLUSTER: usize = 4096;
    const CLUSTERS: usize = 30;
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    for round in 0..500 {
        let world = World::with_image(vec![]);
        let mut sink = Sink::new(&world, vec![0], Before::Nothing);
        let mut model = vec![0; CLUSTERS * CLUSTER];
        let (mut free, mut position, mut tables) = (1, 0, Vec::new());
        while free < CLUSTERS {
            let value = u8::try_from(random(255) + 1).unwrap();
            let range = if random(4) > 0 {
                let most = [60, 2000][random(2)];
                let length = random(most) + 1;
                if position % CLUSTER + length > CLUSTER || position == 0 {
                    position = free * CLUSTER;
                    free += 1;
                }
                model[position..position + length].fill(value);
                position += length;
                (position - length) / 512 * 512..position
            } else {
                if tables.is_empty() || random(2) == 0 {
                    tables.push(free);
                    free += 1;
                }
                let table = tables[random(tables.len())] * CLUSTER;
                model[table..table + CLUSTER].fill(value);
                table..table + CLUSTER
            };
            sink.write(File::Own, range.start as u64, &model[range]).unwrap();
        }
        sink.settle().unwrap();
        let mut file = world.file(0);
        file.resize(model.len(), 0);
        let difference = file.iter().zip(&model).position(|(made, wanted)| made != wanted);
        assert_eq!(difference, None, "round {round}");
    }
}

#[test]
fn on_a_device_nothing_shows_of_what_was_there() {
    let disk = disk(2 << 20);
    for (format, options) in [
        (Format::Raw, &[][..]),
        (Format::Qcow2, &[]),
        (Format::Qcow2, &[("cluster_size", Value::Number(2 << 20))]),
        (Format::Qcow2, &[("extended_l2", Value::Flag(true))]),
        (Format::Qcow2, &[("cluster_size", Value::Number(512))]),
        (Format::Qcow, &[]),
        (Format::Qed, &[]),
        (Format::Vdi, &[]),
        (Format::Vdi, &[("static", Value::Flag(true))]),
        (Format::Vhdx, &[]),
        (Format::Vhdx, &[("subformat", Value::Text(Text::from("fixed")))]),
        (Format::Vpc, &[]),
        (Format::Parallels, &[]),
        (Format::Vmdk, &[]),
    ] {
        let world = World::with_image(disk.clone());
        let device = world.plug(vec![0xff; 24 << 20]);
        let mut request = request(vec![source(0)], device, format);
        request.target.state = State::Stale;
        request.sparse = 512;
        let set = options
            .iter()
            .map(|(name, value)| Setting { name: Text::from(*name), value: value.clone() });
        request.target.options = set.collect();
        convert::run(&request, &world).unwrap();
        assert_eq!(world.file(device).len(), 24 << 20, "it keeps its length");
        let mut there = source(device);
        there.format = Some(format);
        let back = world.plug(vec![]);
        convert::run(&self::request(vec![there], back, Format::Raw), &world).unwrap();
        let found = world.file(back);
        assert!(found[..disk.len()] == disk, "{format:?} {options:?}");
        // The device is longer than a raw disk, and a VHD has room for its geometry.
        let rest = &found[disk.len()..];
        let is_blank = rest.iter().all(|byte| *byte == 0);
        assert!(is_blank || format == Format::Raw, "{format:?} {options:?}");
    }
}

/// What a guest says of an image that is to be made anew with these disks.
fn examine(
    world: &World,
    sources: Vec<Source>,
    target: u8,
    only_top: bool,
) -> Result<Recreation, String> {
    let target = Source { format: Some(Format::Qcow2), ..source(target) };
    let request = ExamineRequest { sources, target, only_top, compress: false, max_depth: 8 };
    let said = recreate::examine(&request, world);
    said.map_err(|error| match error {
        Error::Failed { message, .. } => message,
        Error::StartOver => "start over".into(),
    })?;
    let mut replies = world.replies().into_iter();
    let found = replies.find_map(|reply| match reply {
        Reply::Recreation(recreation) => Some(recreation),
        _ => None,
    });
    Ok(found.unwrap())
}

#[test]
fn an_image_is_looked_at_before_it_is_made_anew() {
    let behind = "the image that is there has data behind the end of the input, which would be \
                  lost";
    let kept = "the image that is there has data, which -B would keep and a new image would not";
    let smaller = "output file is smaller than input file";
    let mut end = vec![0; 3 << 20];
    end.iter_mut().rev().take(512).for_each(|byte| *byte = 1);
    for (there, copied, only_top, expected) in [
        (vec![0; 3 << 20], 3 << 20, false, Ok(3 << 20)),
        (vec![0; 3 << 20], 1 << 20, false, Ok(3 << 20)),
        (vec![0; 3 << 20], (3 << 20) + 512, false, Err(smaller)),
        (end.clone(), 3 << 20, false, Ok(3 << 20)),
        (end.clone(), (3 << 20) - 512, false, Err(behind)),
        (vec![0; 3 << 20], 3 << 20, true, Ok(3 << 20)),
        (end, 3 << 20, true, Err(kept)),
    ] {
        let world = World::with_image(there);
        let target = world.plug(vec![]);
        convert::run(&request(vec![source(0)], target, Format::Qcow2), &world).unwrap();
        let before = world.file(target);
        let disk = world.plug(vec![1; copied]);
        let found = examine(&world, vec![source(disk)], target, only_top);
        assert_eq!(found.map(|it| it.size), expected.map_err(Into::into), "{copied} {only_top}");
        assert!(world.file(target) == before, "nothing is written");
    }
}

#[test]
fn the_same_request_makes_the_same_bytes() {
    let make = || {
        let world = World::with_image(disk(2_000_896));
        let target = world.plug(vec![]);
        let mut request = request(vec![source(0)], target, Format::Vdi);
        let value = Value::Flag(true);
        request.target.options.push(Setting { name: Text::from("static"), value });
        convert::run(&request, &world).unwrap();
        world.file(target)
    };
    assert!(make() == make());
}

#[test]
fn progress_adds_up() {
    let world = World::with_image(disk(5 << 20));
    let target = world.plug(vec![]);
    let request = request(vec![source(0)], target, Format::Raw);
    convert::run(&Request { progress: true, ..request }, &world).unwrap();
    let reports = world.replies().into_iter().filter_map(|reply| match reply {
        Reply::Progress(progress) => Some(progress),
        _ => None,
    });
    let reports: Vec<_> = reports.collect();
    assert!(reports.windows(2).all(|pair| pair[0].done < pair[1].done));
    let last = reports.last().unwrap();
    assert_eq!((last.done, last.total), (5 << 20, 5 << 20));
}

#[test]
fn the_digest_is_that_of_the_disk() {
    use sha2::{Digest, Sha256};
    let disk = disk(3_000_320);
    let world = World::with_image(disk.clone());
    let target = world.plug(vec![]);
    let request = request(vec![source(0)], target, Format::Vdi);
    convert::run(&Request { hash: true, ..request }, &world).unwrap();
    let expected: [u8; 32] = Sha256::digest(&disk).into();
    assert!(world.replies().contains(&Reply::Digest(expected)));
}

#[test]
fn a_map_covers_the_disk_once() {
    let world = World::with_image(disk(5_000_192));
    let image = world.plug(vec![]);
    convert::run(&request(vec![source(0)], image, Format::Vdi), &world).unwrap();
    for (start, length) in [(0, None), (512, Some(3 << 20)), (4_000_000, None), (9_000_000, None)] {
        let before = world.replies().len();
        let wanted = abi::map::Request { source: source(image), start, length, max_depth: 8 };
        map::run(&wanted, &world).unwrap();
        let mut position = start;
        for reply in &world.replies()[before..] {
            let Reply::Map(extents) = reply else { panic!("{reply:?}") };
            for extent in extents {
                assert_eq!(extent.start, position);
                position += extent.length;
            }
        }
        let end = length.map_or(5_000_192, |length| start + length).min(5_000_192).max(start);
        assert_eq!(position, end, "{start} {length:?}");
    }
}

/// What a comparison of two files finds.
fn compared(left: Vec<u8>, right: Vec<u8>, formats: [Format; 2], strict: bool) -> Vec<Finding> {
    let world = World::with_image(left);
    let right = world.plug(right);
    let side = |slot, format| {
        let image = world.plug(vec![]);
        convert::run(&request(vec![source(slot)], image, format), &world).unwrap();
        source(image)
    };
    let [first, second] = formats;
    let sources = [side(0, first), side(right, second)];
    let before = world.replies().len();
    let request = abi::compare::Request { sources, strict, progress: false, max_depth: 8 };
    crate::compare::run(&request, &world).unwrap();
    let findings = world.replies().into_iter().skip(before).filter_map(|reply| match reply {
        Reply::Compare(finding) => Some(finding),
        _ => None,
    });
    findings.collect()
}

#[test]
fn disks_are_the_same_whatever_they_are_stored_in() {
    let disk = disk(5_000_192);
    for left in [Format::Raw, Format::Vdi] {
        for right in [Format::Raw, Format::Vdi] {
            let found = compared(disk.clone(), disk.clone(), [left, right], false);
            assert_eq!(found, [Finding::Identical], "{left:?} {right:?}");
        }
    }
}

#[test]
fn the_first_difference_is_told() {
    let left = disk(5_000_192);
    for place in [0, 511, 512, 70_001, 1_048_576, 3_000_001, 5_000_191] {
        let mut right = left.clone();
        right[place] ^= 0x55;
        let found = compared(left.clone(), right, [Format::Raw, Format::Raw], false);
        let sector = place as u64 / 512 * 512;
        assert_eq!(found, [Finding::ContentMismatch(sector)], "{place}");
    }
    // It is the same against what nobody has written to.
    let zeros = vec![0; 3 << 20];
    let mut one = zeros.clone();
    one[1_234_567] = 1;
    let found = compared(one, zeros, [Format::Raw, Format::Vdi], false);
    assert_eq!(found, [Finding::ContentMismatch(1_234_567 / 512 * 512)]);
}

#[test]
fn what_is_behind_the_shorter_disk_has_to_be_zeros() {
    let short = disk(1 << 20);
    let mut long = short.clone();
    long.resize(4 << 20, 0);
    let formats = [Format::Raw, Format::Raw];
    let found = compared(short.clone(), long.clone(), formats, false);
    assert_eq!(found, [Finding::SizeWarning, Finding::Identical]);
    let found = compared(short.clone(), long.clone(), formats, true);
    assert_eq!(found, [Finding::SizeMismatch]);
    long[3_000_000] = 9;
    for (left, right) in [(short.clone(), long.clone()), (long, short)] {
        let found = compared(left, right, formats, false);
        assert_eq!(found, [Finding::SizeWarning, Finding::ContentMismatch(3_000_000 / 512 * 512)]);
    }
}

#[test]
fn strictness_is_about_how_disks_are_stored() {
    let disk = disk(3 << 20);
    let same = compared(disk.clone(), disk.clone(), [Format::Vdi, Format::Vdi], true);
    assert_eq!(same, [Finding::Identical]);
    let mut zeros = vec![0; 3 << 20];
    zeros[0] = 1;
    let found = compared(zeros.clone(), zeros, [Format::Raw, Format::Vdi], true);
    assert_eq!(found, [Finding::StatusMismatch(1 << 20)]);
}
