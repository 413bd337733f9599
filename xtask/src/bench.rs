//! `cargo xtask bench`: figures, not verdicts.
//!
//! Absolute times depend on the machine and on its mood, so both programs run
//! in turn in one run, and what counts is the ratio of the medians.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use crate::command::{Scratch, output};
use crate::{build, setup};

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    what: What,

    /// How often each command runs.
    #[arg(long, default_value_t = 200)]
    runs: usize,

    /// The machine that exuvia uses.
    #[arg(long, default_value = "kvm")]
    backend: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// The whole process: exuvia info over qemu-img info, on a small qcow2.
    Info,
    /// From the VM's creation to the first reply, and the image's size.
    Boot,
}

/// Measures.
pub(crate) fn run(arguments: &Args) -> Result<()> {
    setup::for_tests()?;
    let exuvia = build::exuvia()?;
    let scratch = Scratch::new()?;
    let image = scratch.path().join("small.qcow2");
    output(Command::new("qemu-img").args(["create", "-q", "-f", "qcow2"]).arg(&image).arg("1G"))?;
    match arguments.what {
        What::Info => info(arguments, &exuvia, &image),
        What::Boot => boot(arguments, &exuvia, &image),
    }
}

/// How many runs there are before those that count.
const WARM_UP: usize = 10;

fn info(arguments: &Args, exuvia: &Path, image: &Path) -> Result<()> {
    let mut ours = Command::new(exuvia);
    ours.args(["info", "--backend", &arguments.backend]).arg(image);
    let mut theirs = Command::new("qemu-img");
    theirs.arg("info").arg(image);
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    for run in 0..WARM_UP + arguments.runs {
        let (ours, theirs) = (time(&mut ours)?, time(&mut theirs)?);
        if run >= WARM_UP {
            our_times.push(ours);
            their_times.push(theirs);
        }
    }
    let (ours, theirs) = (Spread::of(our_times), Spread::of(their_times));
    println!("info of a small qcow2, whole process, {} runs in turn", arguments.runs);
    println!("  exuvia    {ours}");
    println!("  qemu-img  {theirs}");
    println!("  ratio of the medians: {:.2}", ours.median / theirs.median);
    println!();
    println!("where the time of exuvia goes, medians:");
    let stages = stages(arguments, exuvia, image)?;
    let inside: f64 = stages.iter().map(|(_, spread)| spread.median).sum();
    for (stage, spread) in &stages {
        println!("{:>10.0} us  {stage}", spread.median);
    }
    println!("{:>10.0} us  process: start, output, end", (ours.median - inside).max(0.0));
    Ok(())
}

fn boot(arguments: &Args, exuvia: &Path, image: &Path) -> Result<()> {
    let stages = stages(arguments, exuvia, image)?;
    println!("from the creation of the VM to the first reply, medians of {}:", arguments.runs);
    let until = stages.iter().take_while(|(stage, _)| stage != "take the reply");
    let mut total = 0.0;
    for (stage, spread) in until {
        println!("{:>10.0} us  {stage}", spread.median);
        total += spread.median;
    }
    println!("{total:>10.0} us  together");
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

/// How long a command takes, from outside.
fn time(command: &mut Command) -> Result<Duration> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let status = command.status().context("cannot run a command")?;
    let elapsed = started.elapsed();
    ensure!(status.success(), "{command:?} failed");
    Ok(elapsed)
}

/// The middle of many times and how far they lie apart, in microseconds.
#[derive(Debug)]
struct Spread {
    least: f64,
    median: f64,
    ninth_tenth: f64,
}

impl Spread {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let at =
            |index: usize| times.get(index).map_or(0.0, |duration| duration.as_secs_f64() * 1e6);
        Self { least: at(0), median: at(times.len() / 2), ninth_tenth: at(times.len() * 9 / 10) }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        write!(text, "median {:.0} us", self.median)?;
        write!(text, " (least {:.0}, nine of ten below {:.0})", self.least, self.ninth_tenth)?;
        formatter.write_str(&text)
    }
}
