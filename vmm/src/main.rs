//! The `exuvia` command. Everything is in the library, under `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    vmm::cli::run(std::env::args_os())
}
