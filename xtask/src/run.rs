//! `cargo xtask run`.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::build;

/// What to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The command of exuvia and its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    #[arg(value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

/// The image that a newcomer is told to look at.
const SAMPLE: &str = "img.qcow2";

/// Builds exuvia and runs it. Returns its exit code.
pub(crate) fn run(arguments: &Args) -> Result<ExitCode> {
    let exuvia = build::exuvia()?;
    let asks_for_sample = arguments.arguments.iter().any(|argument| argument == SAMPLE);
    if asks_for_sample && !Path::new(SAMPLE).exists() {
        std::fs::write(SAMPLE, sample()).with_context(|| format!("cannot write {SAMPLE}"))?;
        eprintln!("there was no {SAMPLE}: made a small one");
    }
    let status = Command::new(&exuvia)
        .args(&arguments.arguments)
        .status()
        .with_context(|| format!("cannot run {}", exuvia.display()))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// An empty qcow2 image of 1 GiB, version 3, with clusters of 64 KiB: header,
/// reference count table, reference count block, L1 table, one cluster each
/// (QEMU, docs/interop/qcow2.txt).
fn sample() -> Vec<u8> {
    const CLUSTER: usize = 64 << 10;
    const SIZE: u64 = 1 << 30;
    // An entry of the L1 table maps an L2 table's worth of clusters: 512 MiB.
    const L1_ENTRIES: u32 = 2;

    let mut image = vec![0; 4 * CLUSTER];
    let mut put = |offset: usize, bytes: &[u8]| {
        if let Some(place) = image.get_mut(offset..offset + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    put(0, b"QFI\xfb");
    put(4, &3_u32.to_be_bytes()); // version
    put(20, &16_u32.to_be_bytes()); // cluster bits
    put(24, &SIZE.to_be_bytes());
    put(36, &L1_ENTRIES.to_be_bytes());
    put(40, &(3 * CLUSTER as u64).to_be_bytes()); // L1 table
    put(48, &(CLUSTER as u64).to_be_bytes()); // reference count table
    put(56, &1_u32.to_be_bytes()); // and its clusters
    put(96, &4_u32.to_be_bytes()); // reference counts have 16 bits
    put(100, &104_u32.to_be_bytes()); // header length
    put(CLUSTER, &(2 * CLUSTER as u64).to_be_bytes()); // reference count block
    for cluster in 0..4 {
        put(2 * CLUSTER + 2 * cluster, &1_u16.to_be_bytes());
    }
    image
}
