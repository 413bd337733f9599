//! Disks that are read and made on the host, by the same formats as in the guest:
//! differential tests that take no machine.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::rc::Rc;

use formats::creation::Options;
use formats::extent;
use formats::image::{Backing, Role, check_chain};
use formats::storage::{StorageError, check_range};
pub use formats::whole::Disk;
use formats::whole::Files;
use formats::writer::Output;
use formats::{Creation, Storage, Writer};

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
    if let Some(backing) = &backing {
        let checked = check_chain(image.as_ref(), backing.image.as_ref());
        checked.map_err(|error| error.to_string())?;
    }
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

/// Makes an image with these bytes, and its other files beside it. Returns the size of
/// its disk in bytes, which some formats round up.
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
) -> Result<u64, String> {
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

/// Makes an image with these bytes, and its other files beside it. Returns the size of
/// its disk in bytes, which may have been rounded up.
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
) -> Result<u64, String> {
    let format = formats::by_name(format).ok_or("no such format")?;
    let mut writer = format.create(creation).map_err(|error| error.to_string())?;
    let mut files = Files::default();
    let made = files.make(writer.as_mut(), disk, granularity);
    made.map_err(|error| error.to_string())?;
    write(place, name, writer.as_ref(), &files);
    Ok(writer.rounded_size().unwrap_or(creation.size))
}

/// Writes the files of an image that was made.
pub fn write(place: &Place, name: &str, writer: &dyn Writer, files: &Files) {
    place.write(name, files.file(extent::File::Own));
    for (index, other) in writer.other_files().into_iter().enumerate() {
        let other = String::from_utf8_lossy(&other.name(name.as_bytes())).into_owned();
        place.write(&other, files.file(extent::File::Other(index)));
    }
}

/// The files of an image that gets made, on the host: for images that are long and have
/// little in them.
#[derive(Debug)]
pub struct SparseFiles {
    own: File,
    others: Vec<File>,
}

impl SparseFiles {
    /// The files of this image, empty.
    ///
    /// # Panics
    ///
    /// If they cannot be made.
    #[must_use]
    pub fn new(place: &Place, name: &str, writer: &dyn Writer) -> Self {
        let make = |name: &str| File::create(place.file(name)).expect("a new file");
        let others = writer.other_files();
        let others = others.iter().map(|other| other.name(name.as_bytes()));
        let others = others.map(|other| make(&String::from_utf8_lossy(&other)));
        Self { own: make(name), others: others.collect() }
    }

    /// One of them.
    fn file(&self, file: extent::File) -> Result<&File, StorageError> {
        match file {
            extent::File::Own | extent::File::Replayed => Ok(&self.own),
            extent::File::Other(index) => self.others.get(index).ok_or(StorageError::InputOutput),
        }
    }

    /// Has room made for data, and puts it there.
    ///
    /// # Errors
    ///
    /// The reason, for people.
    pub fn write_data(
        &mut self,
        writer: &mut dyn Writer,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), String> {
        let (mut offset, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let run = writer.place(offset, rest.len() as u64, self);
            let run = run.map_err(|error| error.to_string())?;
            let length = usize::try_from(run.length).map_err(|error| error.to_string())?;
            let (part, behind) = rest.split_at(length);
            let written = self.write(run.place.file, run.place.offset, part);
            written.map_err(|error| error.to_string())?;
            offset += run.length;
            rest = behind;
        }
        Ok(())
    }
}

impl Output for SparseFiles {
    fn write(&mut self, file: extent::File, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        let written = self.file(file)?.write_all_at(bytes, offset);
        written.map_err(|_| StorageError::InputOutput)
    }

    fn barrier(&mut self) -> Result<(), StorageError> {
        Ok(())
    }

    fn set_length(&mut self, file: extent::File, length: u64) -> Result<(), StorageError> {
        self.file(file)?.set_len(length).map_err(|_| StorageError::InputOutput)
    }
}
