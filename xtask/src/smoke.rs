//! `cargo xtask smoke`: the portable path, QEMU without KVM.

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::command::{Scratch, output};
use crate::{build, setup};

/// The formats to look at, with what the output must have in it.
const IMAGES: [(&str, &str); 5] = [
    ("raw", "virtual size: 8 MiB (8388608 bytes)"),
    ("qcow2", "compat: 1.1"),
    ("vmdk", "create type: monolithicSparse"),
    ("vdi", "file format: vdi"),
    ("vhdx", "file format: vhdx"),
];

/// Looks at a few images.
pub(crate) fn run() -> Result<()> {
    setup::for_tests()?;
    let exuvia = build::exuvia()?;
    let scratch = Scratch::new()?;
    for (format, expected) in IMAGES {
        let image = scratch.path().join(format!("image.{format}"));
        let mut qemu_img = Command::new("qemu-img");
        output(qemu_img.args(["create", "-q", "-f", format]).arg(&image).arg("8M"))?;
        let mut info = Command::new(&exuvia);
        let text = output(info.args(["info", "--backend", "tcg"]).arg(&image))?;
        ensure!(text.contains(expected), "{format}: no '{expected}' in:\n{text}");
        println!("{format}: fine");
    }
    let garbage = scratch.path().join("garbage");
    std::fs::write(&garbage, [0x5a; 4096]).context("cannot write an image")?;
    let mut info = Command::new(&exuvia);
    info.args(["info", "--backend", "tcg", "-f", "qcow2"]).arg(&garbage);
    match output(&mut info) {
        Err(error) if error.to_string().contains("Image is not in qcow2 format") => {
            println!("garbage: refused, as it should be");
            Ok(())
        }
        Err(error) => Err(error.context("garbage is refused in the wrong words")),
        Ok(text) => bail!("garbage is taken for an image:\n{text}"),
    }
}
