//! `cargo xtask assets`: manual pages and completions.

use anyhow::Result;

use crate::command::{TARGET, cargo, must, workspace};

/// Writes them to target/assets. The command line is known to the command's own
/// crate, which has a program for this.
pub(crate) fn write() -> Result<()> {
    let folder = workspace().join("target/assets");
    must(
        cargo()
            .args(["run", "--quiet", "--release", "--package", "vmm", "--example", "assets"])
            .args(["--target", TARGET, "--"])
            .arg(&folder),
    )?;
    println!("wrote {}", folder.display());
    Ok(())
}
