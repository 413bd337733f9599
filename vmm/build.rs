//! Builds the guest image and hands it to the crate, so that the command is one
//! self-contained file.
//!
//! The kernel is built by a cargo of its own: it is another kind of program,
//! with another profile, and nothing of the host's build may leak into it. With
//! `EXUVIA_GUEST_IMAGE` set, that file is embedded instead.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The target of the guest: the one that every x86-64 Linux toolchain has.
const TARGET: &str = "x86_64-unknown-linux-gnu";

fn main() -> ExitCode {
    println!("cargo:rerun-if-env-changed=EXUVIA_GUEST_IMAGE");
    let image = match env::var_os("EXUVIA_GUEST_IMAGE") {
        Some(path) => {
            let path = PathBuf::from(path);
            println!("cargo:rerun-if-changed={}", path.display());
            Ok(path)
        }
        None => build(),
    };
    match image {
        Ok(path) => {
            println!("cargo:rustc-env=EXUVIA_GUEST_IMAGE={}", path.display());
            ExitCode::SUCCESS
        }
        Err(reason) => {
            println!("cargo:warning=the guest image cannot be built: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<PathBuf, String> {
    let variable = |name| env::var_os(name).ok_or(format!("{name} is not set"));
    let root = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("..");
    for source in ["abi", "drivers", "formats", "kernel", "linker", "ops", "Cargo.lock"] {
        println!("cargo:rerun-if-changed={}", root.join(source).display());
    }

    // A target directory of its own: the outer cargo holds the lock of the other.
    let target_directory = Path::new(&variable("OUT_DIR")?).join("guest");
    let mut cargo = Command::new(variable("CARGO")?);
    cargo
        .args(["build", "--package", "kernel", "--features", "image", "--locked"])
        .args(["--profile", "guest", "--target", TARGET, "--target-dir"])
        .arg(&target_directory)
        .current_dir(&root);
    // What the outer cargo was told, and tells us, is not for the inner one.
    for (name, _) in env::vars_os() {
        let name_text = name.to_string_lossy();
        let about_cargo = name_text.starts_with("CARGO_") && name_text != "CARGO_HOME";
        let about_rust = name_text.starts_with("RUSTC") || name_text.starts_with("RUSTFLAGS");
        if about_cargo || about_rust {
            cargo.env_remove(&name);
        }
    }
    // Set, so that no configuration file adds flags either: the image must not
    // depend on where it is built.
    cargo.env("CARGO_ENCODED_RUSTFLAGS", "-Crelocation-model=static");
    let status = cargo.status().map_err(|error| error.to_string())?;
    if !status.success() {
        return Err(status.to_string());
    }
    Ok(target_directory.join(TARGET).join("guest").join("kernel"))
}
