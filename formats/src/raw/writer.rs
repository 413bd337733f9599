//! Making raw images: every byte goes where it is on the disk.

use alloc::string::String;

use super::RawError;
use crate::creation::Creation;
use crate::error::Error;
use crate::extent::{File, Place};
use crate::writer::{Output, Preallocation, Run, Writer};

/// Makes a raw image.
#[derive(Clone, Copy, Debug)]
pub struct RawWriter {
    size: u64,
    preallocation: Preallocation,
}

impl RawWriter {
    /// A disk of this size in bytes.
    #[must_use]
    pub fn new(size: u64) -> Self {
        Self { size, preallocation: Preallocation::Off }
    }

    /// A disk that is to be like this.
    ///
    /// # Errors
    ///
    /// If an option has a value that it does not know.
    pub fn begin(creation: &Creation<'_>) -> Result<Self, Error> {
        let preallocation = match creation.options.text("preallocation") {
            None | Some(b"off") => Preallocation::Off,
            Some(b"falloc") => Preallocation::Falloc,
            Some(b"full") => Preallocation::Full,
            Some(b"metadata") => return Err(RawError::NoMetadata.into()),
            Some(word) => {
                let word = String::from_utf8_lossy(word).into_owned();
                return Err(RawError::Preallocation { word }.into());
            }
        };
        Ok(Self { preallocation, ..Self::new(creation.size) })
    }
}

impl Writer for RawWriter {
    fn longest(&self, _file: File) -> u64 {
        self.size
    }

    fn unit(&self) -> u64 {
        super::SECTOR
    }

    fn preallocation(&self) -> Preallocation {
        self.preallocation
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
