//! `cargo xtask test`.

use std::time::Instant;

use anyhow::Result;
use clap::ValueEnum;

use crate::command::{TARGET, cargo, must};
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
            Suite::Kernel => end_to_end(&["guest_image", "kernel"])?,
            Suite::EndToEnd => end_to_end(&[
                "workspace",
                "command_line",
                "machines",
                "info",
                "luks",
                "references",
            ])?,
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

/// Runs integration tests against the command as it would be installed.
fn end_to_end(tests: &[&str]) -> Result<()> {
    let exuvia = build::exuvia()?;
    let mut command = cargo();
    command.args(["test", "--package", "tests", "--target", TARGET]);
    for test in tests {
        command.args(["--test", test]);
    }
    must(command.env("EXUVIA", exuvia))
}
