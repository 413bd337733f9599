//! Units that are compressed here, held against those who read images: zlib, as python3
//! has it, and the zstd tool.

use std::path::Path;

use formats::codec::Encoder;
use formats::writer::Encoding;
use tests::Place;
use tests::tool::{is_installed, run};

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
    let mut state = 88_172_645_463_325_252_u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) % below
    };
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
