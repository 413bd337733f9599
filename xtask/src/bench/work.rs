//! `bench convert`: the first table, which has all kinds of work.

use std::path::Path;

use anyhow::{Result, ensure};

use super::content::DENSE;
use super::pairs::{Pairs, Programs};
use super::place::{self, Place};
use super::{chains, sizes};

/// What is measured, and how often.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only rows whose names have this in them, in any table.
    #[arg(long, value_name = "FILTER", default_value = "")]
    pub(super) rows: String,

    /// How often both programs run, in turn. A row stops after a minute, with two pairs at
    /// least; one of milliseconds has eight times as many.
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) pairs: u16,

    /// Use images of a sixteenth of the size: the figures are worse, and there in a minute.
    #[arg(long)]
    pub(super) quick: bool,

    /// The machine that exuvia uses.
    #[arg(long, default_value = "kvm")]
    pub(super) backend: String,
}

impl Args {
    /// The size that stands for a GiB.
    pub(super) fn unit(&self) -> u64 {
        if self.quick { 64 << 20 } else { 1 << 30 }
    }

    /// How often something is run.
    pub(super) fn count(&self) -> usize {
        usize::from(self.pairs)
    }

    /// Whether a row is wanted.
    pub(super) fn wants(&self, row: &str) -> bool {
        row.contains(&self.rows)
    }
}

/// What a row is about, which decides what is aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Bytes are moved as they are. Each goes in and out of a machine: a fifth more.
    Plain,
    /// Bytes are compressed or decompressed, on all processors: no more.
    Codec,
    /// Two disks are compared: no more.
    Compare,
    /// Only metadata is read or written: no more. It takes milliseconds, so it is run more
    /// often.
    Metadata,
}

impl Kind {
    /// How long it may take, in times of qemu-img.
    fn target(self) -> f64 {
        if self == Self::Plain { 1.2 } else { 1.0 }
    }

    /// How often it is run for every pair that was asked for.
    fn factor(self) -> usize {
        if self == Self::Metadata { 8 } else { 1 }
    }
}

/// A row.
struct Work {
    name: &'static str,
    /// The command, for both programs. Images that it names are made before.
    words: &'static str,
    kind: Kind,
}

const fn work(kind: Kind, name: &'static str, words: &'static str) -> Work {
    Work { name, words, kind }
}

/// The rows.
const WORK: [Work; 37] = [
    work(Kind::Plain, "raw to raw", "convert -f raw -O raw raw.img new"),
    work(Kind::Plain, "raw to qcow2", "convert -f raw -O qcow2 raw.img new"),
    work(Kind::Plain, "raw to qcow2 -W", "convert -W -f raw -O qcow2 raw.img new"),
    work(
        Kind::Plain,
        "raw to qcow2, clusters of 2 MiB",
        "convert -f raw -O qcow2 -o cluster_size=2M raw.img new",
    ),
    work(Kind::Plain, "qcow2 to raw", "convert -f qcow2 -O raw plain.qcow2 new"),
    work(Kind::Plain, "qcow2 to qcow2", "convert -f qcow2 -O qcow2 plain.qcow2 new"),
    work(Kind::Codec, "qcow2 (zlib) to raw", "convert -f qcow2 -O raw zlib.qcow2 new"),
    work(Kind::Codec, "qcow2 (zstd) to raw", "convert -f qcow2 -O raw zstd.qcow2 new"),
    work(Kind::Plain, "vmdk to raw", "convert -f vmdk -O raw sparse.vmdk new"),
    work(Kind::Codec, "vmdk streamOptimized to raw", "convert -f vmdk -O raw stream.vmdk new"),
    work(Kind::Plain, "vpc to raw", "convert -f vpc -O raw dynamic.vpc new"),
    work(Kind::Plain, "vhdx to raw", "convert -f vhdx -O raw dynamic.vhdx new"),
    work(Kind::Plain, "vdi to raw", "convert -f vdi -O raw dynamic.vdi new"),
    work(Kind::Plain, "raw to vmdk", "convert -f raw -O vmdk raw.img new"),
    work(Kind::Plain, "raw to vhdx", "convert -f raw -O vhdx raw.img new"),
    work(Kind::Plain, "raw to vpc", "convert -f raw -O vpc raw.img new"),
    work(Kind::Plain, "raw to vdi", "convert -f raw -O vdi raw.img new"),
    work(Kind::Codec, "raw to qcow2 -c (zlib)", "convert -c -f raw -O qcow2 raw.img new"),
    work(
        Kind::Codec,
        "raw to qcow2 -c -m 16 (zlib)",
        "convert -c -m 16 -f raw -O qcow2 raw.img new",
    ),
    work(
        Kind::Codec,
        "raw to qcow2 -c (zstd)",
        "convert -c -f raw -O qcow2 -o compression_type=zstd raw.img new",
    ),
    work(
        Kind::Codec,
        "raw to vmdk streamOptimized",
        "convert -f raw -O vmdk -o subformat=streamOptimized raw.img new",
    ),
    work(Kind::Compare, "compare raw, raw", "compare -f raw -F raw raw.img copy.img"),
    work(Kind::Compare, "compare raw, qcow2", "compare -f raw -F qcow2 raw.img plain.qcow2"),
    work(Kind::Compare, "compare qcow2, qcow2", "compare -f qcow2 -F qcow2 plain.qcow2 copy.qcow2"),
    work(Kind::Compare, "compare raw, qcow2 (zlib)", "compare -f raw -F qcow2 raw.img zlib.qcow2"),
    work(Kind::Compare, "compare raw, qcow2 (zstd)", "compare -f raw -F qcow2 raw.img zstd.qcow2"),
    work(Kind::Metadata, "map of 1 TiB, preallocated", "map --output=json large.qcow2"),
    work(Kind::Metadata, "map of 64 GiB, clusters of 4 KiB", "map --output=json fine.qcow2"),
    work(Kind::Metadata, "map, small", "map --output=json small.qcow2"),
    work(Kind::Metadata, "measure", "measure -f raw -O qcow2 raw.img"),
    work(Kind::Metadata, "measure, small", "measure -O qcow2 small.qcow2"),
    work(Kind::Metadata, "create", "create -q -f qcow2 new 1G"),
    work(Kind::Metadata, "info qcow2", "info small.qcow2"),
    work(Kind::Metadata, "info vmdk", "info sparse.vmdk"),
    work(Kind::Metadata, "info vpc", "info dynamic.vpc"),
    work(Kind::Metadata, "info vhdx", "info dynamic.vhdx"),
    work(Kind::Metadata, "info vdi", "info dynamic.vdi"),
];

/// Measures, and prints the tables.
pub(super) fn run(arguments: &Args, exuvia: &Path) -> Result<()> {
    // All images of the first table, or the largest of the second with what is made of it.
    place::prepare(10 * arguments.unit())?;
    say_whether_others_are_at_work();
    let programs = Programs { exuvia, backend: &arguments.backend };
    let mut count = first_table(arguments, &programs)?;
    count += sizes::table(arguments, &programs)?;
    count += chains::table(arguments, &programs)?;
    ensure!(count > 0, "no row has '{}' in its name", arguments.rows);
    Ok(())
}

/// Where more is running than there are processors, exuvia is the slower for it: what it
/// does at the same time has to wait for a turn.
fn say_whether_others_are_at_work() {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: f64 = load.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0.0);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    if load > processors as f64 / 2.0 {
        println!(
            "note: others are at work here (load {load:.1} on {processors} processors), so these \
             figures are not what they could be"
        );
    }
}

/// All kinds of work. How many rows there were.
fn first_table(arguments: &Args, programs: &Programs<'_>) -> Result<usize> {
    let rows: Vec<_> = WORK.iter().filter(|work| arguments.wants(work.name)).collect();
    if rows.is_empty() {
        return Ok(0);
    }
    let place = Place::new("work", arguments.unit(), DENSE)?;
    println!(
        "Work on a disk of {} MiB, 70 % of it data, half of which can be compressed. Seconds; \
         peak memory in MiB.",
        place.size() >> 20
    );
    println!("A row has missed its target if the ratio of its least times is above it.\n");
    println!("{:35}{:^15}{:^17}{:^17}{:^15}", "", "ratio of", "exuvia", "qemu-img", "memory of");
    println!(
        "{:35}{:>7}{:>8}{:>8}{:>9}{:>8}{:>9}{:>7}{:>8}{:>7}{:>8}",
        "work",
        "least",
        "median",
        "least",
        "median",
        "least",
        "median",
        "exuvia",
        "q.-img",
        "pairs",
        "target"
    );
    let mut missed = 0;
    for work in &rows {
        let count = arguments.count() * work.kind.factor();
        let pairs = programs.in_turn(&place, work.words, count)?;
        let (line, is_missed) = line(work, &pairs);
        println!("{line}");
        missed += usize::from(is_missed);
    }
    println!("\n{missed} of {} rows have missed their target.", rows.len());
    Ok(rows.len())
}

/// A row, and whether it has missed what was aimed at.
fn line(work: &Work, pairs: &Pairs) -> (String, bool) {
    let (ours, theirs) = (pairs.exuvia.time, pairs.qemu_img.time);
    let least = ours.least.as_secs_f64() / theirs.least.as_secs_f64();
    let median = ours.median.as_secs_f64() / theirs.median.as_secs_f64();
    let target = work.kind.target();
    let is_missed = least > target;
    let [ours_least, ours_median, theirs_least, theirs_median] =
        [ours.least, ours.median, theirs.least, theirs.median].map(|time| time.as_secs_f64());
    let line = format!(
        "{:35}{least:>7.2}{median:>8.2}{ours_least:>8.4}{ours_median:>9.4}{theirs_least:>8.4}\
         {theirs_median:>9.4}{:>7}{:>8}{:>7}{target:>8.1}{}",
        work.name,
        mebibytes(pairs.exuvia.memory),
        mebibytes(pairs.qemu_img.memory),
        pairs.count,
        if is_missed { "  missed" } else { "" }
    );
    (line, is_missed)
}

/// Memory, as it is printed.
pub(super) fn mebibytes(bytes: u64) -> u64 {
    (bytes + (1 << 19)) >> 20
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::super::pairs::Costs;
    use super::super::spread::Spread;
    use super::*;

    #[test]
    fn rows_have_names_of_their_own() {
        let names: BTreeSet<_> = WORK.iter().map(|work| work.name).collect();
        assert_eq!(names.len(), WORK.len());
    }

    #[test]
    fn a_row_above_its_target_is_marked() {
        let costs = |milliseconds| Costs {
            time: Spread::of(vec![Duration::from_millis(milliseconds)]),
            memory: 1 << 20,
        };
        for (kind, ours, theirs, expected) in [
            (Kind::Plain, 119, 100, false),
            (Kind::Plain, 121, 100, true),
            (Kind::Codec, 99, 100, false),
            (Kind::Codec, 101, 100, true),
            (Kind::Compare, 101, 100, true),
            (Kind::Metadata, 101, 100, true),
        ] {
            let pairs = Pairs { exuvia: costs(ours), qemu_img: costs(theirs), count: 1 };
            let (line, is_missed) = line(&work(kind, "row", ""), &pairs);
            assert_eq!(is_missed, expected, "{kind:?}, {ours}");
            assert_eq!(line.ends_with("missed"), expected, "{line}");
        }
    }
}
