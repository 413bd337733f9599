//! Making raw images: every byte goes where it is on the disk.

use crate::error::Error;
use crate::extent::{File, Place};
use crate::writer::{Output, Run, Writer};

/// Makes a raw image.
#[derive(Clone, Copy, Debug)]
pub struct RawWriter {
    size: u64,
}

impl RawWriter {
    /// A disk of this size in bytes.
    #[must_use]
    pub fn new(size: u64) -> Self {
        Self { size }
    }
}

impl Writer for RawWriter {
    fn longest(&self, _file: File) -> u64 {
        self.size
    }

    fn unit(&self) -> u64 {
        super::SECTOR
    }

    fn place(&mut self, offset: u64, length: u64, _output: &mut dyn Output) -> Result<Run, Error> {
        Ok(Run { place: Place::own(offset), length })
    }

    fn finish(&mut self, output: &mut dyn Output) -> Result<(), Error> {
        Ok(output.set_length(File::Own, self.size)?)
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::whole::Files;

    #[test]
    fn the_file_is_the_disk() {
        let data: Vec<u8> = (0..200).chain(0..=255).chain(0..56).collect();
        for disk in [vec![], vec![0; 1024], data.clone(), [data, vec![0; 1536]].concat()] {
            let mut files = Files::default();
            let mut writer = RawWriter::new(disk.len() as u64);
            files.make(&mut writer, &disk, 512).unwrap();
            assert_eq!(files.file(File::Own), disk);
        }
    }
}
