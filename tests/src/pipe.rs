//! Programs whose input and output are pipes.

use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;

/// What came of a program whose output need not be text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poured {
    /// Its exit code, or nothing if a signal ended it.
    pub code: Option<i32>,
    /// What it wrote.
    pub stdout: Vec<u8>,
    /// What it complained of.
    pub stderr: String,
}

/// Runs a program, has `feed` write to its standard input, and takes what comes out.
///
/// # Panics
///
/// If it cannot be run.
pub fn pour(
    mut command: Command,
    feed: impl FnOnce(&Child, ChildStdin) -> io::Result<()> + Send,
) -> Poured {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it can be run");
    let input = child.stdin.take().expect("a pipe to write to");
    let stdout = collect(child.stdout.take().expect("a pipe to read from"));
    let stderr = collect(child.stderr.take().expect("a pipe to read from"));
    // If it stops reading, its exit code says more than an error here.
    let _ = feed(&child, input);
    let status = child.wait().expect("it can be waited for");
    let [stdout, stderr] = [stdout, stderr].map(|thread| thread.join().expect("it ends"));
    let stderr = String::from_utf8(stderr).expect("complaints are text");
    Poured { code: status.code(), stdout, stderr }
}

/// Runs a program that gets these bytes.
pub fn pour_bytes(command: Command, bytes: &[u8]) -> Poured {
    pour(command, |_, mut input| input.write_all(bytes))
}

fn collect(mut source: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        source.read_to_end(&mut bytes).expect("a pipe can be read");
        bytes
    })
}
