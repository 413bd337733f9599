//! Writes manual pages and shell completions into a folder. `cargo xtask assets`
//! runs it.

use std::error::Error;
use std::path::PathBuf;

use clap_complete::Shell;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).ok_or("no folder is named")?;
    std::fs::create_dir_all(&folder)?;
    clap_mangen::generate_to(vmm::cli::command(), &folder)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut vmm::cli::command(), "exuvia", &folder)?;
    }
    Ok(())
}
