//! Sizes for people, with three significant digits.

/// The units, each 1024 times the one before.
const UNITS: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// A size in bytes as qemu-img prints it: `%0.3g` of the largest unit of which
/// there are at least 0.977, so that the number has at most three digits before
/// the point.
#[must_use]
pub fn human(bytes: u64) -> String {
    let mut unit = 0;
    // The next unit is used from 1000 of this one on.
    while unit + 1 < UNITS.len() && at_least(bytes, 1000, unit) {
        unit += 1;
    }
    let name = UNITS.get(unit).unwrap_or(&"");
    format!("{} {name}B", three_digits(bytes, unit))
}

/// Whether a size is at least `count` of a unit.
fn at_least(bytes: u64, count: u64, unit: usize) -> bool {
    bytes >= count << (10 * unit)
}

/// `%0.3g` of a size in a unit: three significant digits, no zeros at the end.
fn three_digits(bytes: u64, unit: usize) -> String {
    let value = exact_quotient(bytes, unit);
    let decimals = match value {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        value if value >= 1.0 => 2,
        _ => 3,
    };
    let rounded = format!("{value:.decimals$}");
    // Rounding can add a digit: 99.96 becomes 100.0, and 999.6 a thousand, which
    // %g writes with an exponent.
    match rounded.as_str() {
        "1000" => "1e+03".to_owned(),
        text if text.contains('.') => {
            let digits = text.chars().filter(char::is_ascii_digit).count();
            let surplus = digits > 3 && !text.starts_with("0.");
            let text = if surplus { text.get(..text.len() - 1).unwrap_or(text) } else { text };
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        text => text.to_owned(),
    }
}

/// A size in a unit. Both are converted as C does: the size to the nearest
/// double, the division by a power of two without loss.
#[expect(clippy::cast_precision_loss, reason = "the nearest double is what is wanted")]
fn exact_quotient(bytes: u64, unit: usize) -> f64 {
    bytes as f64 / (1_u64 << (10 * unit)) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_qemu_prints_them() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1, "1 B"),
            (512, "512 B"),
            (999, "999 B"),
            (1000, "0.977 KiB"),
            (1008, "0.984 KiB"),
            (1023, "0.999 KiB"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (1_048_575, "1 MiB"),
            (197_120, "192 KiB"),
            (200_704, "196 KiB"),
            (1_122_000, "1.07 MiB"),
            (10 << 20, "10 MiB"),
            (104_805_376, "100 MiB"),
            (1_023_500, "1e+03 KiB"),
            (1_048_524_800, "1e+03 MiB"),
            (1_048_576_000, "0.977 GiB"),
            (1 << 60, "1 EiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(human(bytes), expected, "{bytes}");
        }
    }
}
