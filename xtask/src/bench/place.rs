//! Images to work on, in memory, made as they are needed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::content::{self, Proportions};
use crate::command::{Scratch, output};

/// Where files are in memory, so that no disk is measured.
const MEMORY: &str = "/dev/shm";

/// How the names of our folders there begin. The number of the process follows.
const PREFIX: &str = "exuvia-bench-";

/// The raw image that the others are made of.
pub(super) const RAW: &str = "raw.img";

/// How other images are made, by qemu-img.
const RECIPES: [(&str, &str); 13] = [
    ("plain.qcow2", "convert -f raw -O qcow2 raw.img plain.qcow2"),
    ("zlib.qcow2", "convert -f raw -O qcow2 -c raw.img zlib.qcow2"),
    ("zstd.qcow2", "convert -f raw -O qcow2 -c -o compression_type=zstd raw.img zstd.qcow2"),
    ("sparse.vmdk", "convert -f raw -O vmdk raw.img sparse.vmdk"),
    ("stream.vmdk", "convert -f raw -O vmdk -o subformat=streamOptimized raw.img stream.vmdk"),
    ("dynamic.vpc", "convert -f raw -O vpc raw.img dynamic.vpc"),
    ("dynamic.vhdx", "convert -f raw -O vhdx raw.img dynamic.vhdx"),
    ("dynamic.vdi", "convert -f raw -O vdi raw.img dynamic.vdi"),
    ("copy.img", "convert -f raw -O raw raw.img copy.img"),
    ("copy.qcow2", "convert -f raw -O qcow2 raw.img copy.qcow2"),
    ("small.qcow2", "create -q -f qcow2 small.qcow2 1G"),
    ("large.qcow2", "create -q -f qcow2 -o preallocation=metadata large.qcow2 1T"),
    ("fine.qcow2", "create -q -f qcow2 -o cluster_size=4k,preallocation=metadata fine.qcow2 64G"),
];

/// A folder of images with one disk, which is gone with this.
pub(super) struct Place {
    folder: Scratch,
    /// The size of the disk in bytes.
    size: u64,
    proportions: Proportions,
}

impl Place {
    /// A place for images of a disk, in a folder of this name.
    pub(super) fn new(name: &str, size: u64, proportions: Proportions) -> Result<Self> {
        let path = PathBuf::from(MEMORY);
        let path = path.join(format!("{PREFIX}{}-{name}", std::process::id()));
        Ok(Self { folder: Scratch::at(path)?, size, proportions })
    }

    /// The size of the disk in bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// A command that runs there, its words separated by blanks.
    pub(super) fn command(&self, program: &Path, words: &str) -> Command {
        let mut command = Command::new(program);
        command.args(words.split(' ')).current_dir(self.folder.path());
        command
    }

    /// Makes the images that a command names.
    pub(super) fn make_what_is_named(&self, words: &str) -> Result<()> {
        words.split(' ').try_for_each(|word| self.make(word))
    }

    /// Makes an image, if it is one and is not there.
    fn make(&self, file: &str) -> Result<()> {
        let path = self.folder.path().join(file);
        if path.exists() {
            return Ok(());
        }
        if file == RAW {
            return content::write(&path, self.size, self.proportions);
        }
        match RECIPES.iter().find(|(name, _)| *name == file) {
            Some((_, recipe)) => {
                let mut others = recipe.split(' ').filter(|word| *word != file);
                others.try_for_each(|word| self.make(word))?;
                self.qemu_img(recipe)
            }
            None => Ok(()),
        }
    }

    /// Runs qemu-img.
    pub(super) fn qemu_img(&self, words: &str) -> Result<()> {
        output(&mut self.command(Path::new("qemu-img"), words)).map(|_| ())
    }

    /// Where a file is, or would be.
    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Removes a file that may be there.
    pub(super) fn remove(&self, file: &str) -> Result<()> {
        let path = self.path(file);
        if path.exists() {
            std::fs::remove_file(&path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }
}

/// Removes what benchmarks have left that were interrupted, and makes sure that there is room
/// for so many bytes.
pub(super) fn prepare(room: u64) -> Result<()> {
    for entry in std::fs::read_dir(MEMORY).with_context(|| format!("there is no {MEMORY}"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        let is_gone =
            |process: &str| !process.is_empty() && !Path::new("/proc").join(process).exists();
        if process.is_some_and(is_gone) {
            std::fs::remove_dir_all(entry.path())
                .with_context(|| format!("cannot remove {}", entry.path().display()))?;
        }
    }
    let available = available_memory()?;
    ensure!(
        available >= room,
        "images of {} MiB have to be in memory, where {} MiB are free; --quick has smaller ones",
        room >> 20,
        available >> 20
    );
    Ok(())
}

/// How much memory can be used, in bytes.
fn available_memory() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").context("cannot see what is free")?;
    let kibibytes = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kibibytes = kibibytes.and_then(|rest| rest.trim().strip_suffix(" kB"));
    let kibibytes: u64 = kibibytes.context("nobody knows what is free")?.trim().parse()?;
    Ok(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_make_what_they_are_for() {
        for (name, recipe) in RECIPES {
            assert!(recipe.split(' ').any(|word| word == name), "{name}: {recipe}");
        }
    }

    #[test]
    fn memory_is_known() {
        assert!(available_memory().unwrap() > 1 << 20);
    }
}
