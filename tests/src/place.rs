//! A folder for one test.

use std::fs;
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::tool::{Outcome, exuvia, run};

/// A folder that is gone with the test. Commands run in it, so file names are
/// short and the same for every tool.
#[derive(Debug)]
pub struct Place {
    folder: TempDir,
    commands: TempDir,
}

impl Place {
    /// An empty folder.
    ///
    /// # Panics
    ///
    /// If there is no room for one.
    #[must_use]
    pub fn new() -> Self {
        let new = || TempDir::with_prefix("exuvia-test-").expect("a temporary folder");
        let place = Self { folder: new(), commands: new() };
        // Called by this name, exuvia speaks of itself as qemu-img does.
        symlink(exuvia(), place.qemu_img_that_is_exuvia()).expect("a link");
        place
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The path of a file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Makes a file.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.file(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).expect("a folder");
        }
        fs::write(path, bytes).expect("a file is written");
    }

    /// Changes a file that is there, or makes one.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn patch(&self, name: &str, offset: u64, bytes: &[u8]) {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let file = options.open(self.file(name)).expect("a file can be opened");
        file.write_all_at(bytes, offset).expect("a file is changed");
    }

    /// Runs a tool that must succeed.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn must(&self, program: &str, arguments: &[&str]) -> String {
        let outcome = run(Path::new(program), arguments, self.path(), &[]);
        assert!(outcome.success(), "{program} {arguments:?}: {outcome:?}");
        outcome.stdout
    }

    /// Runs qemu-img.
    #[must_use]
    pub fn qemu_img(&self, arguments: &[&str]) -> Outcome {
        run(Path::new("qemu-img"), arguments, self.path(), &[])
    }

    /// Runs exuvia under the name of qemu-img, on a machine.
    #[must_use]
    pub fn exuvia(&self, machine: crate::Machine, arguments: &[&str]) -> Outcome {
        self.exuvia_with(machine, arguments, &[])
    }

    /// The same, with something more in its environment.
    #[must_use]
    pub fn exuvia_with(
        &self,
        machine: crate::Machine,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Outcome {
        let backend = ("EXUVIA_BACKEND", machine.name());
        let environment = [environment, &[backend]].concat();
        run(&self.qemu_img_that_is_exuvia(), arguments, self.path(), &environment)
    }

    /// A folder with one command: exuvia, under the name of qemu-img.
    #[must_use]
    pub fn commands(&self) -> &Path {
        self.commands.path()
    }

    /// The same, as a command that is yet to be run.
    #[must_use]
    pub fn exuvia_command(&self, machine: crate::Machine, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.qemu_img_that_is_exuvia());
        command.args(arguments).current_dir(self.path()).env("EXUVIA_BACKEND", machine.name());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    fn qemu_img_that_is_exuvia(&self) -> PathBuf {
        self.commands.path().join("qemu-img")
    }
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}
