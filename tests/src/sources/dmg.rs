//! DMG images. macOS makes them, so the sample does here.
//!
//! Debian's qemu-img reads neither bzip2 nor Apple Data Compression, so that another
//! image says what is compressed with them.

use std::io::Write;
use std::process::{Command, Stdio};

use formats::dmg::sample::{Chunk, Udif};

use super::Source;
use crate::images::Step;

/// The image.
const FILE: &str = "a.dmg";

/// What is on the disk where qemu-img cannot tell.
const TRUTH: &str = "truth";

/// Chunks of each kind, and where they are not.
pub const SOURCES: &[Source] = &[
    Source::new("property list", FILE, &[Step::Write(FILE, || Udif::default().bytes())]),
    Source::new(
        "resource fork",
        FILE,
        &[Step::Write(FILE, || Udif::default().with_resource_fork().bytes())],
    ),
    // qemu-img 10.0.2 has something of another chunk in what is missing of a sector.
    Source::new(
        "a part of a sector",
        FILE,
        &[Step::Write(FILE, || part_of_a_sector().0), Step::Write(TRUTH, || part_of_a_sector().1)],
    )
    .like(TRUTH),
    Source::new("many chunks", FILE, &[Step::Write(FILE, many)]),
    Source::new(
        "bzip2",
        FILE,
        &[Step::Write(FILE, || bzip2().0), Step::Write(TRUTH, || bzip2().1)],
    )
    .like(TRUTH),
    Source::new("ADC", FILE, &[Step::Write(FILE, || adc().0), Step::Write(TRUTH, || adc().1)])
        .like(TRUTH),
    Source::new("LZFSE", FILE, &[Step::Write(FILE, || Udif::of_kind(0x8000_0007).bytes())])
        .refused("the chunk at sector 0 is compressed with LZFSE, which is not supported"),
    Source::new("LZMA", FILE, &[Step::Write(FILE, || Udif::of_kind(0x8000_0008).bytes())])
        .refused("the chunk at sector 0 is compressed with LZMA, which is not supported"),
    Source::new("not zlib", FILE, &[Step::Write(FILE, || Udif::of_kind(0x8000_0005).bytes())])
        .refused("Input/output error"),
    Source::new(
        "a gap at the end",
        FILE,
        &[Step::Write(FILE, || Udif { sectors: 129, ..Udif::default() }.bytes())],
    )
    .refused("no chunk holds sector 128"),
];

/// Bytes that say where they are.
fn count(length: usize) -> Vec<u8> {
    (0..length).map(|place| u8::try_from(place * 7 / 13 % 256).expect("a byte")).collect()
}

/// A disk in chunks of which some end inside a sector.
fn part_of_a_sector() -> (Vec<u8>, Vec<u8>) {
    let contents = [1000, 512, 1, 2047].map(count);
    let chunks = contents.iter().map(|content| Chunk::raw(content)).collect();
    let whole = contents.map(|mut content| {
        content.resize(content.len().next_multiple_of(512), 0);
        content
    });
    image(chunks, &whole)
}

/// A disk of small chunks, in several tables.
fn many() -> Vec<u8> {
    let chunk = |number: usize| match number % 4 {
        0 => Chunk::new(0, 2, &[]),
        1 => Chunk::raw(&count((number % 2 + 1) * 512)),
        2 => Chunk::deflated(&count((number % 3 + 1) * 512)),
        _ => Chunk::new(2, 1, &[]),
    };
    let (mut tables, mut sector) = (Vec::new(), 0);
    for table in 0..7 {
        let chunks: Vec<Chunk> = (0..500).map(|number| chunk(table * 500 + number)).collect();
        let sectors: u64 = chunks.iter().map(|chunk| chunk.sectors).sum();
        tables.push((sector, chunks));
        sector += sectors;
    }
    Udif { sectors: sector, tables, ..Udif::default() }.bytes()
}

/// A chunk that is compressed by the bzip2 tool, for disks that it can compress well,
/// badly, and not at all.
fn bzip2() -> (Vec<u8>, Vec<u8>) {
    let mut state = 12_345_u32;
    let mut random = || {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        state.to_be_bytes()[0]
    };
    let contents = [
        count(1 << 20),
        vec![0; 3 << 20],
        (0..1_500_160).map(|_| random()).collect(),
        include_bytes!("dmg.rs").iter().copied().cycle().take(1 << 20).collect(),
        (0..100_352).map(|_| random() % 3).collect(),
    ];
    let mut chunks = Vec::new();
    for (content, level) in contents.iter().zip(["-9", "-9", "-5", "-1", "-2"]) {
        chunks.push(Chunk {
            kind: 0x8000_0006,
            stored: compress(level, content),
            ..Chunk::raw(content)
        });
    }
    image(chunks, &contents)
}

fn compress(level: &str, bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new("bzip2")
        .args([level, "-c"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("bzip2 can be run");
    let mut input = child.stdin.take().expect("a pipe");
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&bytes));
    let output = child.wait_with_output().expect("bzip2 ends");
    writer.join().expect("a thread ends").expect("bzip2 reads all");
    output.stdout
}

/// Chunks of Apple Data Compression with tokens of all kinds.
fn adc() -> (Vec<u8>, Vec<u8>) {
    let mut stored = vec![0xff];
    let mut content = count(128);
    stored.extend_from_slice(&content);
    while content.len() < 65_536 {
        let number = content.len();
        let (token, distance, length) = if number.is_multiple_of(3) {
            let distance = number % number.min(1024);
            let length = number % 16 + 3;
            let head = ((length - 3) << 2) | (distance >> 8);
            (vec![head, distance & 0xff], distance, length)
        } else {
            let distance = (number * 31) % number;
            let length = (number % 64 + 4).min(65_536 - number).max(4);
            (vec![0x40 | (length - 4), distance >> 8, distance & 0xff], distance, length)
        };
        if number + length > 65_536 {
            let rest = 65_536 - number;
            stored.push(0x80 | u8::try_from(rest - 1).expect("a byte"));
            stored.extend(vec![9; rest]);
            content.extend(vec![9; rest]);
            break;
        }
        stored.extend(token.into_iter().map(|byte| u8::try_from(byte).expect("a byte")));
        for _ in 0..length {
            content.push(content[content.len() - 1 - distance]);
        }
    }
    let chunk = Chunk { kind: 0x8000_0004, stored, ..Chunk::raw(&content) };
    image(vec![chunk], &[content])
}

/// An image of chunks, and its disk.
fn image(chunks: Vec<Chunk>, contents: &[Vec<u8>]) -> (Vec<u8>, Vec<u8>) {
    let disk = contents.concat();
    let sectors = u64::try_from(disk.len() / 512).expect("a small disk");
    (Udif { sectors, tables: vec![(0, chunks)], ..Udif::default() }.bytes(), disk)
}
