//! Builds of the guest kernel besides the one in the command.

use std::path::PathBuf;
use std::sync::LazyLock;

use crate::tool::{TARGET, cargo, workspace};

/// The image, as the command embeds it but with its symbols.
#[must_use]
pub fn with_symbols() -> PathBuf {
    static IMAGE: LazyLock<PathBuf> = LazyLock::new(|| {
        build("target/guest-symbols", "image", &["--config", "profile.guest.strip=false"])
    });
    IMAGE.clone()
}

/// An image with the self-tests in it.
#[must_use]
pub fn with_self_tests() -> PathBuf {
    static IMAGE: LazyLock<PathBuf> =
        LazyLock::new(|| build("target/guest-self-test", "image,self-test", &[]));
    IMAGE.clone()
}

fn build(target_directory: &str, features: &str, more: &[&str]) -> PathBuf {
    let mut arguments = vec!["build", "--quiet", "--package", "kernel", "--profile", "guest"];
    arguments.extend(["--features", features, "--target", TARGET]);
    arguments.extend(["--target-dir", target_directory]);
    arguments.extend(more);
    cargo(&arguments);
    workspace().join(target_directory).join(TARGET).join("guest/kernel")
}
