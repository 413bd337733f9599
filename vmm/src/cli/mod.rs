//! The command line: qemu-img's, and a few long flags of our own.
//!
//! `exuvia` answers to the name it is called by, so a link named `qemu-img`
//! makes it a drop-in. Error messages, their prefix and the exit codes are
//! qemu-img's.
//!
//! Reading order: this file (arguments in, exit code out), [`usage`] (arguments
//! that make no sense), [`machine`] (flags of our own), [`image`] (flags that
//! name an image), then a file for each command: [`info`].

pub mod backing;
pub mod compare;
pub mod convert;
pub mod copy;
pub mod create;
pub mod dd;
pub mod image;
pub mod in_place;
pub mod info;
pub mod machine;
pub mod map;
pub mod measure;
pub mod references;
pub mod source;
pub mod suggested;
pub mod target;
pub mod usage;
pub mod watch;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::interruption;

/// The version of qemu-img whose command line and output this is.
pub const QEMU_VERSION: &str = "10.0.2";

/// Look at disk images that somebody else made, without trusting them.
///
/// exuvia does what qemu-img does, on the same command line. Every image is
/// taken apart in a virtual machine that is made for it and thrown away after
/// it: no byte of an image is interpreted on the host.
#[derive(Debug, Parser)]
#[command(
    name = "exuvia",
    after_help = EXAMPLES,
    args_override_self = true,
    disable_help_subcommand = true,
    infer_long_args = true
)]
pub struct Cli {
    /// Print the version and exit.
    #[arg(short = 'V', long)]
    version: bool,

    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "Examples:
  exuvia info disk.qcow2                  what is in this file?
  exuvia info --output=json disk.vmdk     the same for a program
  exuvia info --backing-chain top.qcow2   and the images underneath
  exuvia convert -O raw disk.vmdk disk.img
  exuvia compare disk.vmdk disk.img       do they hold the same?
  exuvia map disk.qcow2                   where does it hold it?
  exuvia create -f qcow2 new.qcow2 20G
  ln -s exuvia qemu-img                   a drop-in for qemu-img

`exuvia COMMAND --help` says more about a command.";

#[derive(Debug, Subcommand)]
enum Command {
    Compare(compare::Args),
    Convert(convert::Args),
    Copy(copy::Args),
    Create(create::Args),
    Dd(dd::Args),
    Info(info::Args),
    Map(map::Args),
    Measure(measure::Args),
}

impl Command {
    fn run(&self, program: &Program) -> ExitCode {
        // Of those that make nothing, nothing is left.
        if matches!(self, Self::Convert(_) | Self::Copy(_) | Self::Create(_) | Self::Dd(_)) {
            program.watch_for_interruption();
        }
        match self {
            Self::Compare(arguments) => compare::run(program, arguments),
            Self::Convert(arguments) => convert::run(program, arguments),
            Self::Copy(arguments) => copy::run(program, arguments),
            Self::Create(arguments) => create::run(program, arguments),
            Self::Dd(arguments) => dd::run(program, arguments),
            Self::Info(arguments) => info::run(program, arguments),
            Self::Map(arguments) => map::run(program, arguments),
            Self::Measure(arguments) => measure::run(program, arguments),
        }
    }
}

/// Where messages go, and under which name.
#[derive(Debug)]
pub struct Program {
    name: String,
}

impl Program {
    /// Says something on standard error.
    pub fn say(&self, message: &str) {
        // If nobody listens, there is nobody to tell.
        let _ = writeln!(io::stderr().lock(), "{}: {message}", self.name);
    }

    /// Has the program say so and end if it is interrupted from now on.
    pub fn watch_for_interruption(&self) {
        let program = Self { name: self.name.clone() };
        interruption::watch(move || program.say("interrupted"));
    }

    /// Says something on standard error, without saying who speaks.
    pub fn say_plainly(&self, message: &str) {
        let _ = writeln!(io::stderr().lock(), "{message}");
    }

    /// Says what went wrong. The exit code of a failure.
    pub fn fail(&self, message: &str) -> ExitCode {
        interruption::let_it_happen();
        self.say(message);
        ExitCode::FAILURE
    }

    /// Prints a result. A reader that has gone away is no failure.
    pub fn print(&self, text: &str) -> ExitCode {
        let mut output = io::stdout().lock();
        match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                self.fail(&format!("cannot write the result: {error}"))
            }
            _ => ExitCode::SUCCESS,
        }
    }
}

/// Runs the command line. Returns the exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let name = arguments.first().and_then(|path| Path::new(path).file_name());
    let name = name.map_or_else(|| "exuvia".into(), |name| name.to_string_lossy().into_owned());
    let program = Program { name };
    match Cli::try_parse_from(&arguments) {
        Ok(Cli { version: true, .. }) => program.print(&version(&program.name)),
        Ok(Cli { command: Some(command), .. }) => command.run(&program),
        Ok(Cli { command: None, .. }) => usage::fail(&program, None, "Not enough arguments"),
        Err(error) => usage::explain(&program, &arguments, &error),
    }
}

/// What `--version` prints: callers look for the version of qemu-img.
fn version(name: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    if name == "qemu-img" {
        format!("qemu-img version {QEMU_VERSION} (exuvia {version})\n")
    } else {
        format!("exuvia version {version} (command line of qemu-img {QEMU_VERSION})\n")
    }
}

/// The whole command line, for manual pages and completions.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn callers_find_the_version_of_qemu_img() {
        assert!(version("qemu-img").starts_with("qemu-img version 10.0.2 (exuvia "));
        assert!(version("exuvia").starts_with("exuvia version "));
    }
}
