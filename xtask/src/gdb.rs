//! `cargo xtask gdb`.

use std::ffi::OsString;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command::Scratch;
use crate::{build, setup};

/// What to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Stop here first.
    #[arg(long, value_name = "FUNCTION", default_value = "user_entry")]
    break_at: String,

    /// What gdb is to do, instead of asking: one command each.
    #[arg(long, value_name = "COMMAND")]
    execute: Vec<String>,

    /// The command of exuvia and its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    #[arg(value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

/// How long QEMU may take to open its door.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts exuvia under QEMU, stopped, and gdb.
pub(crate) fn run(arguments: &Args) -> Result<ExitCode> {
    if !setup::is_installed("gdb") || !setup::is_installed("qemu-system-x86_64") {
        bail!("this needs gdb and QEMU: apt-get install gdb qemu-system-x86");
    }
    let exuvia = build::exuvia()?;
    let kernel = build::kernel(true)?;
    let scratch = Scratch::new()?;
    let door = scratch.path().join("gdb");

    let (command, rest) = arguments.arguments.split_first().context("nothing to run")?;
    let mut child = Command::new(exuvia)
        .arg(command)
        .args(["--backend", "tcg"])
        .arg("--guest-image")
        .arg(&kernel)
        .arg("--gdb")
        .arg(&door)
        .args(rest)
        .stdin(Stdio::null())
        .spawn()
        .context("cannot run exuvia")?;
    let deadline = Instant::now() + PATIENCE;
    while !door.exists() {
        if child.try_wait()?.is_some() || Instant::now() > deadline {
            bail!("QEMU does not listen for gdb");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut gdb = Command::new("gdb");
    gdb.arg("--quiet").arg(&kernel);
    gdb.args(["-ex", "set confirm off", "-ex", "set architecture i386:x86-64"]);
    gdb.arg("-ex").arg(format!("target remote {}", door.display()));
    // A hardware breakpoint: the code is not in memory yet.
    gdb.arg("-ex").arg(format!("hbreak {}", arguments.break_at));
    gdb.args(["-ex", "continue"]);
    for command in &arguments.execute {
        gdb.args(["-ex", command]);
    }
    if !arguments.execute.is_empty() {
        gdb.arg("--batch");
    }
    let status = gdb.status().context("cannot run gdb");
    // Whatever gdb left behind need not go on.
    let _ = child.kill();
    let _ = child.wait();
    Ok(if status?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
