//! Units that are compressed here, held against those who read images: zlib, as python3
//! has it, and the zstd tool; and those of the zstd tool, decompressed here.

use std::path::Path;

use formats::codec::{Codec, Decoder, Encoder};
use formats::writer::Encoding;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::io::Read;
use tests::tool::{is_installed, run};
use tests::{Place, Random};

/// Decompresses units of raw Deflate and of zlib, each behind its length, and prints
/// what they are of. A window that is smaller than it says would be refused: what is
/// compressed comes byte by byte, so that zlib has little more than the window.
const ZLIB: &str = "
import sys, zlib
bits, data = int(sys.argv[1]), open('units', 'rb').read()
result = b''
while data:
    length = int.from_bytes(data[:4], 'little')
    unit, data = data[4:4 + length], data[4 + length:]
    inflate = zlib.decompressobj(bits)
    result += b''.join(inflate.decompress(unit[i:i + 1]) for i in range(length))
    assert inflate.eof
open('result', 'wb').write(result)
";

/// Units of several kinds.
fn units() -> Vec<Vec<u8>> {
    let mut generator = Random(88_172_645_463_325_252);
    let mut random = move |below: u64| (generator.number() >> 11) % below;
    let text: &[u8] = include_bytes!("codecs.rs");
    let mut units = vec![vec![0; 65_536], text.to_vec(), text.repeat(20)];
    for different in [2, 16, 100, 200] {
        let byte = |_| u8::try_from(random(different)).unwrap();
        units.push((0..65_536).map(byte).collect());
    }
    for _ in 0..8 {
        let mut unit = text.to_vec();
        while unit.len() < 65_536 {
            let from = usize::try_from(random(unit.len() as u64 - 300)).unwrap();
            let count = usize::try_from(random(300)).unwrap();
            unit.extend_from_within(from..from + count);
            unit.push(u8::try_from(random(256)).unwrap());
        }
        units.push(unit);
    }
    units
}

/// Writes units that were compressed, and returns what they are of.
fn compressed(place: &Place, encoding: Encoding, with_length: bool) -> Vec<u8> {
    let (mut encoder, mut bytes) = (Encoder::default(), Vec::new());
    let (mut stored, mut expected) = (Vec::new(), Vec::new());
    for unit in units() {
        if encoder.encode(encoding, &unit, &mut bytes) {
            let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
            stored.extend_from_slice(if with_length { &length } else { &[] });
            stored.extend_from_slice(&bytes);
            expected.extend_from_slice(&unit);
        }
    }
    assert!(expected.len() > 800_000);
    place.write("units", &stored);
    expected
}

#[test]
fn zlib_decompresses_units() {
    if !is_installed("python3") {
        eprintln!("skipped: zlib_decompresses_units (python3 is not installed)");
        return;
    }
    for (encoding, bits) in [(Encoding::Deflate, "-12"), (Encoding::Zlib, "15")] {
        let place = Place::new();
        let expected = compressed(&place, encoding, true);
        let outcome = run(Path::new("python3"), &["-c", ZLIB, bits], place.path(), &[]);
        assert!(outcome.success(), "{encoding:?}: {outcome:?}");
        assert!(std::fs::read(place.file("result")).unwrap() == expected, "{encoding:?}");
    }
}

#[test]
fn zstd_decompresses_units() {
    if !is_installed("zstd") {
        eprintln!("skipped: zstd_decompresses_units (zstd is not installed)");
        return;
    }
    let place = Place::new();
    let expected = compressed(&place, Encoding::Zstandard, false);
    place.must("zstd", &["-d", "-q", "-f", "-o", "result", "--no-check", "units"]);
    assert!(std::fs::read(place.file("result")).unwrap() == expected);
}

/// Compresses units with the zstd tool. Returns the frames.
fn frames(place: &Place, units: &[Vec<u8>], options: &[&str]) -> Vec<Vec<u8>> {
    let names: Vec<String> = (0..units.len()).map(|number| format!("unit{number}")).collect();
    names.iter().zip(units).for_each(|(name, unit)| place.write(name, unit));
    let names = names.iter().map(String::as_str);
    let arguments = ["-q", "-f"].iter().chain(options).copied().chain(names.clone());
    place.must("zstd", &arguments.collect::<Vec<_>>());
    names.map(|name| std::fs::read(place.file(&format!("{name}.zst"))).unwrap()).collect()
}

fn decoded(decoder: &mut Decoder, frame: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut unit = vec![0; length];
    decoder.decode(Codec::Zstandard, frame, &mut unit).ok().map(|()| unit)
}

#[test]
fn frames_of_zstd_are_decompressed() {
    if !is_installed("zstd") {
        eprintln!("skipped: frames_of_zstd_are_decompressed (zstd is not installed)");
        return;
    }
    let (place, units, mut decoder) = (Place::new(), units(), Decoder::default());
    let mut levels: Vec<Vec<String>> = (1..=19).map(|level| vec![format!("-{level}")]).collect();
    levels.push(vec!["--ultra".to_owned(), "-22".to_owned()]);
    levels.push(vec!["--fast=5".to_owned(), "--no-check".to_owned()]);
    // Blocks that use the codes of those before them.
    levels.push(vec!["-3".to_owned(), "--target-compressed-block-size=1400".to_owned()]);
    levels.push(vec!["-19".to_owned(), "--target-compressed-block-size=300".to_owned()]);
    // Frames that do not say how long they are.
    levels.push(vec!["-3".to_owned(), "--no-content-size".to_owned()]);
    for options in levels {
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        for (unit, frame) in units.iter().zip(frames(&place, &units, &options)) {
            let found = decoded(&mut decoder, &frame, unit.len());
            assert!(found.as_ref() == Some(unit), "{options:?}");
        }
    }
}

/// What another decoder makes of a frame.
fn expected(mut frame: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut decoder = FrameDecoder::new();
    decoder.init(&mut frame).ok()?;
    decoder.decode_blocks(&mut frame, BlockDecodingStrategy::All).ok()?;
    let mut unit = vec![0; length];
    (decoder.can_collect() == length).then(|| decoder.read_exact(&mut unit).ok())??;
    Some(unit)
}

#[test]
fn damaged_frames_are_errors_or_what_another_decoder_makes_of_them() {
    if !is_installed("zstd") {
        eprintln!("skipped: damaged_frames_are_errors_or_what_another_decoder_makes_of_them");
        return;
    }
    let (place, mut decoder) = (Place::new(), Decoder::default());
    let text = &include_bytes!("codecs.rs")[..1500];
    let units = [text.to_vec(), units()[3][..500].to_vec()];
    for options in [
        &["-1", "--no-check"][..],
        &["-19", "--no-check"],
        &["-19", "--no-check", "--target-compressed-block-size=300"],
        &["-3", "--check"],
    ] {
        for (unit, frame) in units.iter().zip(frames(&place, &units, options)) {
            assert!(decoded(&mut decoder, &frame, unit.len()).as_ref() == Some(unit));
            for length in 0..frame.len() {
                let found = decoded(&mut decoder, &frame[..length], unit.len());
                assert_eq!(found, None, "{length}");
            }
            for bit in 0..frame.len() * 8 {
                let mut damaged = frame.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                if let Some(found) = decoded(&mut decoder, &damaged, unit.len()) {
                    assert!(Some(found) == expected(&damaged, unit.len()), "{options:?} {bit}");
                }
            }
        }
    }
}
