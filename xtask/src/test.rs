//! `cargo xtask test`.

use std::time::Instant;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::command::{TARGET, cargo, must, workspace};
use crate::{build, setup};

/// What to test.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The suite; everything if none is named.
    suite: Option<Suite>,
}

/// A suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// Formatting and lints, of the host's crates and of the guest image.
    Lint,
    /// What can be tested without a machine: crates by themselves, and their
    /// documentation.
    Unit,
    /// The guest: what is in its image, and every way in which it can break.
    Kernel,
    /// The command, on every machine, against qemu-img.
    EndToEnd,
}

const ALL: [Suite; 4] = [Suite::Lint, Suite::Unit, Suite::Kernel, Suite::EndToEnd];

/// The integration tests that are about the guest.
const KERNEL: [&str; 2] = ["guest_image", "kernel"];

/// Runs one suite, or all.
pub(crate) fn run(arguments: &Args) -> Result<()> {
    setup::for_tests()?;
    let suites = arguments.suite.map_or(ALL.to_vec(), |suite| vec![suite]);
    let started = Instant::now();
    for suite in suites {
        let started = Instant::now();
        match suite {
            Suite::Lint => lint()?,
            Suite::Unit => unit()?,
            Suite::Kernel => end_to_end(&KERNEL.map(str::to_owned))?,
            Suite::EndToEnd => end_to_end(&the_others()?)?,
        }
        println!("{suite:?} passed in {} s", started.elapsed().as_secs());
    }
    println!("all that was asked for passed in {} s", started.elapsed().as_secs());
    Ok(())
}

fn lint() -> Result<()> {
    must(cargo().args(["fmt", "--all", "--check"]))?;
    let deny = ["--", "--deny", "warnings"];
    must(cargo().args(["clippy", "--workspace", "--all-targets"]).args(deny))?;
    // The image is another program than the library, and so is the one with the
    // self-tests in it.
    must(
        cargo()
            .args(["clippy", "--package", "kernel", "--features", "image,self-test"])
            .args(["--profile", "guest", "--target-dir", "target/guest-lint"])
            .args(deny),
    )?;
    // The fuzz targets are a workspace of their own, so that nothing else builds
    // them.
    must(cargo().args(["clippy", "--manifest-path", "fuzz/Cargo.toml", "--locked"]).args(deny))?;
    let mut documentation = cargo();
    documentation.env("RUSTDOCFLAGS", "--deny warnings");
    must(documentation.args(["doc", "--workspace", "--no-deps", "--quiet"]))
}

fn unit() -> Result<()> {
    must(cargo().args(["test", "--workspace", "--exclude", "tests", "--quiet"]))
}

/// The integration tests that are not about the guest: one a file.
fn the_others() -> Result<Vec<String>> {
    let mut tests = Vec::new();
    for entry in std::fs::read_dir(workspace().join("tests")).context("there are no tests")? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.extension().is_some_and(|it| it == "rs") && !KERNEL.contains(&name.as_str()) {
            tests.push(name);
        }
    }
    tests.sort();
    Ok(tests)
}

/// Runs integration tests against the command as it would be installed.
fn end_to_end(tests: &[String]) -> Result<()> {
    let exuvia = build::exuvia()?;
    let mut command = cargo();
    command.args(["test", "--no-fail-fast", "--package", "tests", "--target", TARGET]);
    for test in tests {
        command.args(["--test", test]);
    }
    must(command.env("EXUVIA", exuvia))
}
