//! Running programs.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

/// How long a program may take. Nothing in these tests takes a tenth of it.
const PATIENCE: Duration = Duration::from_secs(120);

/// What came of running a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its exit code, or nothing if a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Outcome {
    /// Whether it said that all went well.
    #[must_use]
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }
}

/// Runs a program to its end.
///
/// # Panics
///
/// If it cannot be started, prints what is not text, or does not end in time.
#[must_use]
pub fn run(
    program: &Path,
    arguments: &[&str],
    folder: &Path,
    environment: &[(&str, &str)],
) -> Outcome {
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("PATH", search_path())
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "Asia/Kolkata")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{} cannot be run: {error}", program.display()));
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait().expect("a child can be waited for") {
            Some(status) => break status,
            None if Instant::now() > deadline => {
                let _ = child.kill();
                panic!("{} {arguments:?} hangs", program.display());
            }
            None => thread::sleep(Duration::from_millis(1)),
        }
    };
    let text = |thread: thread::JoinHandle<Vec<u8>>| {
        String::from_utf8(thread.join().expect("a reader ends")).expect("the output is text")
    };
    Outcome { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

/// Reads to the end, in a thread, so that no pipe fills up.
fn collect(source: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut source) = source {
            let _ = source.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// Whether a program is installed.
#[must_use]
pub fn is_installed(program: &str) -> bool {
    std::env::split_paths(&search_path()).any(|folder| folder.join(program).is_file())
}

/// Where programs are looked for: in `PATH`, and where the system keeps those of
/// root, such as cryptsetup.
fn search_path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    path
}

/// The root of the workspace.
#[must_use]
pub fn workspace() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the workspace")
    });
    &ROOT
}

/// The `exuvia` command: the one in `EXUVIA`, or one that is built now.
///
/// # Panics
///
/// If it cannot be built.
#[must_use]
pub fn exuvia() -> &'static Path {
    static EXUVIA: LazyLock<PathBuf> = LazyLock::new(|| match std::env::var_os("EXUVIA") {
        Some(path) => path.into(),
        None => {
            let arguments = ["build", "--release", "--package", "vmm", "--target", TARGET];
            cargo(&arguments);
            workspace().join("target").join(TARGET).join("release/exuvia")
        }
    });
    &EXUVIA
}

/// The target that everything is built for.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Runs cargo in the workspace.
///
/// # Panics
///
/// If it fails.
pub fn cargo(arguments: &[&str]) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo).args(arguments).current_dir(workspace()).status();
    let status = status.expect("cargo can be run");
    assert!(status.success(), "cargo {arguments:?} failed");
}
