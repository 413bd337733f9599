//! The second table: what a GiB costs must not depend on how many there are.

use std::time::Duration;

use anyhow::Result;

use super::content::SPARSE;
use super::pairs::{Costs, NEW, Programs, check};
use super::place::{Place, RAW};
use super::work::{Args, mebibytes};

/// How many GiB the disks have.
const SIZES: [u64; 3] = [16, 4, 1];

/// By how much the costs of a GiB may differ, in per cent of the least.
const MOST: f64 = 15.0;

/// What is done, with the image that it is done with.
const ROWS: [(&str, &str, &str); 5] = [
    ("sizes: raw to raw", RAW, "convert -f raw -O raw raw.img new"),
    ("sizes: raw to qcow2", RAW, "convert -f raw -O qcow2 raw.img new"),
    ("sizes: qcow2 to raw", "plain.qcow2", "convert -f qcow2 -O raw plain.qcow2 new"),
    ("sizes: qcow2 to qcow2", "plain.qcow2", "convert -f qcow2 -O qcow2 plain.qcow2 new"),
    ("sizes: qcow2 (zstd) to raw", "zstd.qcow2", "convert -f qcow2 -O raw zstd.qcow2 new"),
];

/// What one size has cost.
struct Size {
    gibibytes: u64,
    exuvia: Costs,
    qemu_img: Costs,
}

/// Measures, and prints the table. How many rows there were.
pub(super) fn table(arguments: &Args, programs: &Programs<'_>) -> Result<usize> {
    let rows: Vec<_> = ROWS.iter().filter(|(name, ..)| arguments.wants(name)).collect();
    if rows.is_empty() {
        return Ok(0);
    }
    let unit = arguments.unit();
    println!(
        "\nThe same work on disks of {0}, {1} and {2} MiB. So that all of it has room in memory, \
         20 % of them are data,\nhalf of which can be compressed. Least seconds for every {0} \
         MiB; peak memory in MiB.\nTime may differ by {MOST} %, and so may memory.\n",
        unit >> 20,
        unit >> 18,
        unit >> 16
    );
    println!("{:28}{:^33}{:^25}{:^33}", "", "exuvia", "its memory", "qemu-img");
    println!(
        "{:28}{:>8}{:>8}{:>8}{:>9}{:>6}{:>6}{:>6}{:>7}{:>8}{:>8}{:>8}{:>9}",
        "work", "1", "4", "16", "spread", "1", "4", "16", "", "1", "4", "16", "spread"
    );
    for (name, file, words) in &rows {
        let mut sizes = Vec::new();
        for gibibytes in SIZES {
            // One size at a time is in memory: the largest needs most of it.
            let place = Place::new("sizes", gibibytes * unit, SPARSE)?;
            place.make_what_is_named(words)?;
            if *file != RAW {
                place.remove(RAW)?;
            }
            sizes.insert(0, measure(arguments, programs, &place, words, gibibytes)?);
        }
        println!("{}", line(name, &sizes));
    }
    Ok(rows.len())
}

/// Runs both programs in turn on a disk of one size.
fn measure(
    arguments: &Args,
    programs: &Programs<'_>,
    place: &Place,
    words: &str,
    gibibytes: u64,
) -> Result<Size> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for run in 0..arguments.count() {
        ours.push(programs.run_exuvia(place, words)?);
        if run == 0 {
            check(place, words)?;
        }
        theirs.push(programs.run_qemu_img(place, words)?);
    }
    place.remove(NEW)?;
    Ok(Size { gibibytes, exuvia: Costs::of(&ours), qemu_img: Costs::of(&theirs) })
}

/// A row.
fn line(name: &str, sizes: &[Size]) -> String {
    let of_one = |size: &Size, time: Duration| time.as_secs_f64() / size.gibibytes as f64;
    let ours: Vec<_> = sizes.iter().map(|size| of_one(size, size.exuvia.time.least)).collect();
    let theirs: Vec<_> = sizes.iter().map(|size| of_one(size, size.qemu_img.time.least)).collect();
    let memory: Vec<_> = sizes.iter().map(|size| size.exuvia.memory as f64).collect();
    let times = |times: &[f64]| -> String {
        let numbers: String = times.iter().map(|time| format!("{time:>8.4}")).collect();
        format!("{numbers}{:>7.0} %", spread(times))
    };
    let mebibytes: String =
        sizes.iter().map(|size| format!("{:>6}", mebibytes(size.exuvia.memory))).collect();
    let missed = [("time", spread(&ours)), ("memory", spread(&memory))];
    let missed: String = missed
        .iter()
        .filter(|(_, spread)| *spread > MOST)
        .map(|(what, _)| format!("  {what} missed"))
        .collect();
    format!(
        "{name:28}{}{mebibytes}{:>5.0} %{}{missed}",
        times(&ours),
        spread(&memory),
        times(&theirs)
    )
}

/// By how much numbers differ, in per cent of the least.
fn spread(numbers: &[f64]) -> f64 {
    let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let most = numbers.iter().copied().fold(0.0, f64::max);
    (most / least - 1.0) * 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_are_of_the_least() {
        assert!(spread(&[2.0, 2.0, 2.0]).abs() < 1e-9);
        assert!((spread(&[2.0, 3.0, 2.5]) - 50.0).abs() < 1e-9);
    }
}
