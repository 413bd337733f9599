//! `cargo xtask build`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{TARGET, cargo, must, workspace};
use crate::setup;

/// Builds the command. Returns where it is: at target/release/exuvia.
pub(crate) fn exuvia() -> Result<PathBuf> {
    setup::for_building()?;
    must(cargo().args(["build", "--release", "--package", "vmm", "--target", TARGET]))?;
    // cargo puts it into a folder named after the target.
    let built = workspace().join("target").join(TARGET).join("release/exuvia");
    let wanted = workspace().join("target/release/exuvia");
    let folder = workspace().join("target/release");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    // A running program cannot be written to, but it can be replaced.
    let new = folder.join("exuvia.new");
    std::fs::copy(&built, &new)
        .and_then(|_| std::fs::rename(&new, &wanted))
        .with_context(|| format!("cannot copy {} to {}", built.display(), wanted.display()))?;
    Ok(wanted)
}

/// Builds the guest kernel by itself, with its symbols if that is wanted.
pub(crate) fn kernel(with_symbols: bool) -> Result<PathBuf> {
    setup::for_building()?;
    let folder = if with_symbols { "target/guest-symbols" } else { "target/guest" };
    let mut command: Command = cargo();
    command.args(["build", "--quiet", "--package", "kernel", "--features", "image"]).args([
        "--profile",
        "guest",
        "--target",
        TARGET,
        "--target-dir",
        folder,
    ]);
    if with_symbols {
        command.args(["--config", "profile.guest.strip=false"]);
        command.args(["--config", "profile.guest.debug=true"]);
    }
    must(&mut command)?;
    Ok(workspace().join(folder).join(TARGET).join("guest/kernel"))
}
