//! `cargo xtask`: everything that one does with a checkout.
//!
//! Reading order: this file (the commands), `command.rs` (running programs),
//! `setup.rs` (what must be installed), then a file for each command.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "talks to the developer")]

mod assets;
mod bench;
mod build;
mod command;
mod gdb;
mod run;
mod setup;
mod smoke;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds, runs and tests exuvia.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
#[command(after_help = "Start with:
  cargo xtask run info img.qcow2    build what is needed, then look at an image
  cargo xtask test                  everything that a change must pass")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build the command, with the guest image in it, at target/release/exuvia.
    Build,
    /// Build what is needed, then run exuvia with these arguments.
    ///
    /// `cargo xtask run info img.qcow2` makes a small img.qcow2 if there is none.
    Run(run::Args),
    /// Run everything that a change must pass, or one suite of it.
    ///
    /// What the tests need and the machine lacks is installed, or named with the
    /// command that installs it. Tests for KVM are skipped, by name, where it
    /// cannot be used.
    Test(test::Args),
    /// Look at a few images under QEMU without KVM: is the portable path alive?
    Smoke,
    /// Measure, against qemu-img and in one run.
    Bench(bench::Args),
    /// Run exuvia under QEMU with the guest stopped at its first instruction, and
    /// gdb attached to it with symbols loaded.
    Gdb(gdb::Args),
    /// Write manual pages and shell completions to target/assets.
    Assets,
    /// Install what the tests need, or name the command that does.
    Setup,
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Build => build::exuvia().map(|path| {
            println!("built {}", path.display());
            ExitCode::SUCCESS
        }),
        Task::Run(arguments) => run::run(&arguments),
        Task::Test(arguments) => test::run(&arguments).map(|()| ExitCode::SUCCESS),
        Task::Smoke => smoke::run().map(|()| ExitCode::SUCCESS),
        Task::Bench(arguments) => bench::run(&arguments).map(|()| ExitCode::SUCCESS),
        Task::Gdb(arguments) => gdb::run(&arguments),
        Task::Assets => assets::write().map(|()| ExitCode::SUCCESS),
        Task::Setup => setup::for_tests().map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        eprintln!("cargo xtask: {error:#}");
        ExitCode::FAILURE
    })
}
