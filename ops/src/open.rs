//! Opening images, and the files that they refer to.

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use abi::info::Window;
use abi::reply::{FailureKind, Reference, ReferenceRole};
use abi::source::Source;
use abi::text::Text;
use formats::image::{Backing, Role};
use formats::raw::RawImage;
use formats::{Error as FormatError, ErrorKind, Format, Image, Storage};

use crate::cache::Cached;
use crate::session::{Attach, Error, Session};

/// An image that is to be opened.
#[derive(Clone, Debug)]
pub struct Link {
    /// The slot of its file.
    pub slot: u8,
    /// Its format, if somebody said so.
    format: Option<String>,
    /// The extension of its file's name.
    extension: Vec<u8>,
    /// The part of the file that it is.
    window: Option<Window>,
}

/// An image that is open.
pub struct Opened {
    /// The slot of its file.
    pub slot: u8,
    /// Its format.
    pub format: &'static dyn Format,
    /// The image.
    pub image: Box<dyn Image>,
}

/// A file that is a part of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Its slot.
    pub slot: u8,
    /// What it is to the image.
    pub role: Role,
}

impl From<&Source> for Link {
    fn from(source: &Source) -> Self {
        Self {
            slot: source.slot,
            format: source.format.map(|format| format.name().to_string()),
            extension: source.extension.as_bytes().to_vec(),
            window: source.window,
        }
    }
}

impl Link {
    /// Has the file plugged in that is underneath the image in a slot, which says so.
    ///
    /// # Errors
    ///
    /// If it may not or cannot be opened.
    pub fn underneath(session: &dyn Session, slot: u8, backing: &Backing) -> Result<Self, Error> {
        let Backing { path, format } = backing;
        Ok(Self {
            slot: plug(session, slot, ReferenceRole::Backing, path)?,
            format: format.as_ref().map(|name| String::from_utf8_lossy(name).into_owned()),
            extension: abi::info::extension(path).to_vec(),
            window: None,
        })
    }

    /// Opens the image, and nothing that it refers to.
    ///
    /// # Errors
    ///
    /// If there is no such image.
    pub fn open(&self, session: &dyn Session) -> Result<Opened, Error> {
        let slot = self.slot;
        let file = file(session, slot)?;
        let format = self.format(file.as_ref())?;
        let image = match self.window {
            Some(window) => RawImage::new(file, window.offset, window.size)
                .map(|image| Box::new(image) as Box<dyn Image>),
            None => format.open(file),
        };
        Ok(Opened { slot, format, image: image.map_err(|error| failure(slot, &error))? })
    }

    /// The format that somebody said, or the one that the file seems to have.
    fn format(&self, file: &dyn Storage) -> Result<&'static dyn Format, Error> {
        match &self.format {
            Some(name) => formats::by_name(name).ok_or_else(|| {
                let message = format!("Unknown driver '{name}'");
                Error::about(self.slot, FailureKind::Unsupported, message)
            }),
            None => formats::probe::detect(file, &self.extension)
                .map_err(|error| failure(self.slot, &error.into())),
        }
    }
}

impl Opened {
    /// Has the files plugged in that are a part of the image and that are wanted, in the
    /// order in which the image names them.
    ///
    /// # Errors
    ///
    /// If one may not or cannot be opened, or is not what the image says it is.
    pub fn attach(
        &mut self,
        session: &dyn Session,
        wanted: impl Fn(Role) -> bool,
    ) -> Result<Vec<Attached>, Error> {
        let mut attached = Vec::new();
        for (index, reference) in self.image.references().into_iter().enumerate() {
            let role = match reference.role {
                role if !wanted(role) => continue,
                Role::Extent(_) => ReferenceRole::Extent,
                Role::Data => ReferenceRole::Data,
            };
            let slot = plug(session, self.slot, role, &reference.path)?;
            let file = file(session, slot)?;
            self.image.attach(index, file).map_err(|error| failure(slot, &error))?;
            attached.push(Attached { slot, role: reference.role });
        }
        Ok(attached)
    }

    /// Has the file plugged in that is underneath, if there is one.
    ///
    /// # Errors
    ///
    /// If it may not or cannot be opened.
    pub fn underneath(&self, session: &dyn Session) -> Result<Option<Link>, Error> {
        let backing = self.image.description().backing;
        backing.map(|backing| Link::underneath(session, self.slot, &backing)).transpose()
    }
}

impl core::fmt::Debug for Opened {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "Opened({} in slot {})", self.format.name(), self.slot)
    }
}

/// The error of a chain that goes on behind so many images.
#[must_use]
pub fn too_deep(slot: u8, limit: u32) -> Error {
    let message = format!("the backing chain has more than {limit} images");
    Error::about(slot, FailureKind::Refused, message)
}

/// A failure of a format.
#[must_use]
pub fn failure(slot: u8, error: &FormatError) -> Error {
    let kind = match error.kind() {
        ErrorKind::NotThisFormat => FailureKind::NotThisFormat,
        ErrorKind::Unsupported => FailureKind::Unsupported,
        ErrorKind::Corrupt => FailureKind::Corrupt,
        ErrorKind::InputOutput => FailureKind::InputOutput,
    };
    let is_bare = error.is_bare();
    Error::Failed { device: Some(slot), kind, is_bare, message: error.to_string() }
}

/// The file in a slot, with a cache for metadata.
fn file(session: &dyn Session, slot: u8) -> Result<Rc<dyn Storage>, Error> {
    let file = session.storage(slot).ok_or_else(|| Error::empty_slot(slot))?;
    Ok(Rc::new(Cached::new(file)))
}

/// Has a file plugged in that the image in a slot refers to.
fn plug(session: &dyn Session, from: u8, role: ReferenceRole, path: &[u8]) -> Result<u8, Error> {
    let Some(path) = Text::new(path) else {
        let message = "a reference is longer than a file name can be".to_string();
        return Err(Error::about(from, FailureKind::Refused, message));
    };
    session.attach(Reference { from, role, path }).map_err(|error| match error {
        Attach::Refused(message) => {
            // What is underneath is an image of its own; other files are parts of
            // the image that refers to them, which cannot be opened either.
            let device = (role != ReferenceRole::Backing).then_some(from);
            Error::Failed { device, kind: FailureKind::Refused, is_bare: false, message }
        }
        Attach::StartOver => Error::StartOver,
        Attach::Broken(error) => error,
    })
}
