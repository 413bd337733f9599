//! Images that the formats make on the host, held against qemu-img: it finds on their
//! disks what was written, and nothing to complain of.

use formats::creation::{Options, Value};
use tests::{Place, native};

/// A way of making an image: the format, and its options.
type Way = (&'static str, &'static [(&'static str, Value)]);

/// The sizes of disks in bytes.
const SIZES: [usize; 6] = [0, 512, 4096, 65_536 + 512, (5 << 20) + 1536, 20 << 20];

/// How much is written at a time, in bytes.
const GRANULARITIES: [usize; 3] = [512, 4096, 3 << 20];

/// A disk of a size with some zeros, some of the same byte, and some of any.
fn disk(size: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    let mut bytes = vec![0; size];
    for (number, piece) in bytes.chunks_mut(50_000).enumerate() {
        match number % 12 {
            0 | 2 => piece.fill_with(&mut next),
            3 => piece.fill(next()),
            _ => {}
        }
    }
    bytes
}

/// Makes images of every size in every way, and then says what was wrong with all.
fn judge(ways: &[Way], has_check: bool) {
    let mut complaints = Vec::new();
    for (format, options) in ways {
        let mut set = Options::default();
        options.iter().for_each(|(name, value)| set.set(name, value.clone()));
        for size in SIZES {
            for granularity in GRANULARITIES {
                let place = Place::new();
                let disk = disk(size);
                place.write("disk.raw", &disk);
                let made = native::make(&place, "image.x", format, &set, &disk, granularity);
                let verdict = made.and_then(|()| verdict(&place, format, has_check));
                if let Err(complaint) = verdict {
                    complaints
                        .push(format!("{format} {options:?} {size} {granularity}: {complaint}"));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// What qemu-img thinks of an image.
fn verdict(place: &Place, format: &str, has_check: bool) -> Result<(), String> {
    let compared = place.qemu_img(&["compare", "-f", "raw", "-F", format, "disk.raw", "image.x"]);
    if compared.stdout != "Images are identical.\n" {
        return Err(format!("{compared:?}"));
    }
    let checked = place.qemu_img(&["check", "-f", format, "image.x"]);
    let is_clean = checked.success() && checked.stderr.is_empty();
    if has_check && !is_clean {
        return Err(format!("{checked:?}"));
    }
    // A second look, by what reads images here.
    let disk = native::open(place, "image.x", Some(format))?;
    let expected = std::fs::read(place.file("disk.raw")).expect("the disk");
    if native::content(&disk)? != expected {
        return Err("it is read otherwise".to_owned());
    }
    Ok(())
}

#[test]
fn parallels() {
    judge(
        &[
            ("parallels", &[]),
            ("parallels", &[("cluster_size", Value::Number(512))]),
            ("parallels", &[("cluster_size", Value::Number(32_256))]),
            ("parallels", &[("cluster_size", Value::Number(65_000))]),
            ("parallels", &[("cluster_size", Value::Number(4 << 20))]),
        ],
        true,
    );
}

#[test]
fn raw() {
    judge(&[("raw", &[])], false);
}

#[test]
fn vdi() {
    judge(&[("vdi", &[]), ("vdi", &[("static", Value::Flag(true))])], true);
}
