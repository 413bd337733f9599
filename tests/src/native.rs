//! Disks that are read and made on the host, by the same formats as in the guest:
//! differential tests that take no machine.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::rc::Rc;

use formats::creation::Options;
use formats::extent;
use formats::image::{Backing, Role};
use formats::storage::{StorageError, check_range};
use formats::whole::{Disk, Files};
use formats::writer::OtherFile;
use formats::{Creation, Storage};

use crate::Place;

/// A file of the host.
#[derive(Debug)]
struct HostFile {
    file: File,
    length: u64,
}

impl Storage for HostFile {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StorageError> {
        check_range(self, offset, buffer.len() as u64)?;
        self.file.read_exact_at(buffer, offset).map_err(|_| StorageError::InputOutput)
    }
}

fn file(path: &Path) -> Result<Rc<dyn Storage>, String> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let length = file.metadata().map_err(|error| error.to_string())?.len();
    Ok(Rc::new(HostFile { file, length }))
}

/// Opens an image with everything that it refers to.
///
/// # Errors
///
/// The reason, for people.
pub fn open(place: &Place, name: &str, format: Option<&str>) -> Result<Disk, String> {
    let own = file(&place.file(name))?;
    let format = match format {
        Some(format) => formats::by_name(format).ok_or("no such format")?,
        None => {
            let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
            let detected = formats::probe::detect(own.as_ref(), extension.as_bytes());
            detected.map_err(|error| error.to_string())?
        }
    };
    let mut image = format.open(Rc::clone(&own)).map_err(|error| error.to_string())?;
    let mut files = vec![own];
    for (index, reference) in image.references().into_iter().enumerate() {
        let storage = file(&place.file(&String::from_utf8_lossy(&reference.path)))?;
        files.push(Rc::clone(&storage));
        if matches!(reference.role, Role::Extent(_) | Role::Data) {
            image.attach(index, storage).map_err(|error| error.to_string())?;
        }
    }
    image.check_content().map_err(|error| error.to_string())?;
    let underneath = |Backing { path, format }| {
        let format = format.map(|format| String::from_utf8_lossy(&format).into_owned());
        open(place, &String::from_utf8_lossy(&path), format.as_deref())
    };
    let backing = image.description().backing.map(underneath).transpose()?;
    Ok(Disk { image, files, backing: backing.map(Box::new) })
}

/// The bytes of a disk.
///
/// # Errors
///
/// The reason, for people.
pub fn content(disk: &Disk) -> Result<Vec<u8>, String> {
    let size = disk.image.description().virtual_size;
    let mut bytes = vec![0; usize::try_from(size).map_err(|error| error.to_string())?];
    disk.read(0, &mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// Makes an image with these bytes, and its other files beside it.
///
/// # Errors
///
/// The reason, for people.
pub fn make(
    place: &Place,
    name: &str,
    format: &str,
    options: &Options,
    disk: &[u8],
    granularity: usize,
) -> Result<(), String> {
    make_of(place, name, format, &creation(name, options, disk), disk, granularity)
}

/// What makes an image with these options and a disk like this one.
#[must_use]
pub fn creation(name: &str, options: &Options, disk: &[u8]) -> Creation<'static> {
    Creation {
        size: disk.len() as u64,
        options: options.clone(),
        file_name: name.as_bytes().to_vec(),
        seed: *b"sixteen of bytes",
        ..Creation::default()
    }
}

/// Makes an image with these bytes, and its other files beside it.
///
/// # Errors
///
/// The reason, for people.
pub fn make_of(
    place: &Place,
    name: &str,
    format: &str,
    creation: &Creation<'_>,
    disk: &[u8],
    granularity: usize,
) -> Result<(), String> {
    let format = formats::by_name(format).ok_or("no such format")?;
    let mut writer = format.create(creation).map_err(|error| error.to_string())?;
    let mut files = Files::default();
    let made = files.make(writer.as_mut(), disk, granularity);
    made.map_err(|error| error.to_string())?;
    place.write(name, files.file(extent::File::Own));
    for (index, other) in writer.other_files().into_iter().enumerate() {
        let name = match other {
            OtherFile::Named(name) => String::from_utf8_lossy(&name).into_owned(),
            OtherFile::Suffix(suffix) => {
                let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
                format!("{stem}{}.{extension}", String::from_utf8_lossy(&suffix))
            }
        };
        place.write(&name, files.file(extent::File::Other(index)));
    }
    Ok(())
}
