//! Flags about the files that images refer to: the same for every command.

use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};

use crate::references::Policy;

/// Flags about the files that images refer to.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Options of exuvia")]
pub struct ReferenceArgs {
    /// Open what an image refers to in this folder and below as well, and not only in the
    /// folder of the image. May be given several times; the variable EXUVIA_REFERENCES has
    /// such folders, with colons between them.
    #[arg(long, value_name = "FOLDER")]
    #[arg(value_parser = PathBufValueParser::new().try_map(folder))]
    pub allow_references: Vec<PathBuf>,

    /// Open nothing that an image refers to. EXUVIA_REFERENCES=deny does the same.
    #[arg(long, conflicts_with = "allow_references")]
    pub deny_references: bool,
}

/// The variable that counts if there is no flag.
const VARIABLE: &str = "EXUVIA_REFERENCES";

impl ReferenceArgs {
    /// What the user wants.
    #[must_use]
    pub fn policy(&self) -> Policy {
        if self.deny_references {
            Policy::Deny
        } else if !self.allow_references.is_empty() {
            Policy::Allow(self.allow_references.clone())
        } else {
            std::env::var_os(VARIABLE).map_or_else(Policy::default, |it| Policy::from_text(&it))
        }
    }
}

/// A folder on the command line.
fn folder(path: PathBuf) -> Result<PathBuf, String> {
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => Ok(path),
        Ok(_) => Err("it is no folder".to_owned()),
        Err(error) => Err(crate::reasons::reason(&error)),
    }
}
