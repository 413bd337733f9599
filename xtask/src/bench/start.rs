//! `bench info` and `bench boot`: what a run costs that has hardly anything to do.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::process;
use super::spread::Spread;
use crate::build;
use crate::command::{Scratch, output};

/// What all benchmarks of this kind may be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How often each command runs.
    #[arg(long, default_value_t = 200)]
    runs: usize,

    /// The machine that exuvia uses.
    #[arg(long, default_value = "kvm")]
    backend: String,
}

/// A small image, in a folder that is gone with it.
fn small_image() -> Result<Scratch> {
    let scratch = Scratch::new()?;
    let image = scratch.path().join(SMALL);
    output(Command::new("qemu-img").args(["create", "-q", "-f", "qcow2"]).arg(&image).arg("1G"))?;
    Ok(scratch)
}

/// The name of the image.
const SMALL: &str = "small.qcow2";

/// How many runs there are before those that count.
const WARM_UP: usize = 10;

/// Measures the whole process, against qemu-img.
pub(super) fn info(arguments: &Args, exuvia: &Path) -> Result<()> {
    let scratch = small_image()?;
    let image = &scratch.path().join(SMALL);
    let mut ours = Command::new(exuvia);
    ours.args(["info", "--backend", &arguments.backend]).arg(image);
    let mut theirs = Command::new("qemu-img");
    theirs.arg("info").arg(image);
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    for run in 0..WARM_UP + arguments.runs {
        let (ours, theirs) = (process::run(&mut ours)?.time, process::run(&mut theirs)?.time);
        if run >= WARM_UP {
            our_times.push(ours);
            their_times.push(theirs);
        }
    }
    let (ours, theirs) = (Spread::of(our_times), Spread::of(their_times));
    println!("info of a small qcow2, whole process, {} runs in turn", arguments.runs);
    println!("  exuvia    {}", words(&ours));
    println!("  qemu-img  {}", words(&theirs));
    println!(
        "  ratio of the medians: {:.2}",
        ours.median.as_secs_f64() / theirs.median.as_secs_f64()
    );
    println!();
    println!("where the time of exuvia goes, medians:");
    let stages = stages(arguments, exuvia, image)?;
    let inside: Duration = stages.iter().map(|(_, spread)| spread.median).sum();
    for (stage, spread) in &stages {
        println!("{:>10} us  {stage}", spread.median.as_micros());
    }
    let outside = ours.median.saturating_sub(inside).as_micros();
    println!("{outside:>10} us  process: start, output, end");
    Ok(())
}

/// Measures how long it takes until the guest has answered.
pub(super) fn boot(arguments: &Args, exuvia: &Path) -> Result<()> {
    let scratch = small_image()?;
    let stages = stages(arguments, exuvia, &scratch.path().join(SMALL))?;
    println!("from the creation of the VM to the first reply, medians of {}:", arguments.runs);
    let until = stages.iter().take_while(|(stage, _)| stage != "take the reply");
    let mut total = Duration::ZERO;
    for (stage, spread) in until {
        println!("{:>10} us  {stage}", spread.median.as_micros());
        total += spread.median;
    }
    println!("{:>10} us  together", total.as_micros());
    let size = std::fs::metadata(build::kernel(false)?).context("no guest image")?.len();
    println!("the guest image has {size} bytes ({:.2} of 1 MiB)", size as f64 / f64::from(1 << 20));
    Ok(())
}

/// The stages that exuvia reports, each over many runs, in order.
fn stages(arguments: &Args, exuvia: &Path, image: &Path) -> Result<Vec<(String, Spread)>> {
    let mut order = Vec::new();
    let mut times: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
    for run in 0..WARM_UP + arguments.runs {
        let mut info = Command::new(exuvia);
        info.args(["info", "--timings", "--backend", &arguments.backend]).arg(image);
        let output = info.output().context("cannot run exuvia")?;
        ensure!(output.status.success(), "exuvia failed");
        for line in String::from_utf8_lossy(&output.stderr).lines() {
            let Some((microseconds, stage)) = line.split_once(" us  ") else {
                continue;
            };
            let microseconds: f64 = microseconds.trim().parse().context("a time is no number")?;
            if run < WARM_UP {
                if !order.contains(&stage.to_owned()) {
                    order.push(stage.to_owned());
                }
            } else {
                let duration = Duration::from_secs_f64(microseconds / 1e6);
                times.entry(stage.to_owned()).or_default().push(duration);
            }
        }
    }
    let spread = |stage: String| {
        let spread = Spread::of(times.remove(&stage).unwrap_or_default());
        (stage, spread)
    };
    Ok(order.into_iter().map(spread).collect())
}

/// Times in words, in microseconds.
fn words(spread: &Spread) -> String {
    let [least, median, ninth_tenth] =
        [spread.least, spread.median, spread.ninth_tenth].map(|time| time.as_micros());
    format!("median {median} us (least {least}, nine of ten below {ninth_tenth})")
}
