//! `info`: describe an image, and on demand the images underneath.
//!
//! Reading order: this file walks the chain; [`words`] puts what a format says
//! into the words of the reply.

pub mod words;

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use abi::info::{Child, Part, Reply as InfoReply, Request};
use abi::reply::{FailureKind, Reference, ReferenceRole, Reply};
use abi::text::Text;
use formats::image::{Backing, Role};
use formats::raw::RawImage;
use formats::storage::StorageError;
use formats::{Format, Image, Storage, contents};

use crate::cache::Cached;
use crate::session::{Attach, Error, Session};

/// Describes an image.
///
/// # Errors
///
/// If it, or one that it refers to, cannot be opened or is damaged.
pub fn run(request: &Request, session: &dyn Session) -> Result<(), Error> {
    let mut next = Some(Link {
        slot: request.image,
        format: request.format.map(|format| format.name().to_string()),
        extension: request.extension.as_bytes().to_vec(),
    });
    let mut depth = 0;
    while let Some(link) = next {
        depth += 1;
        if depth > request.max_depth {
            let message = format!("the backing chain has more than {} images", request.max_depth);
            return Err(Error::about(link.slot, FailureKind::Refused, message));
        }
        next = Describer { request, session, link }.describe()?;
    }
    Ok(())
}

/// An image of the chain.
struct Link {
    slot: u8,
    /// Its format, if somebody said so.
    format: Option<String>,
    /// The extension of its file's name.
    extension: Vec<u8>,
}

/// Describes one image of the chain.
struct Describer<'a> {
    request: &'a Request,
    session: &'a dyn Session,
    link: Link,
}

impl Describer<'_> {
    /// Describes the image. Returns the one underneath, if it is wanted.
    fn describe(&self) -> Result<Option<Link>, Error> {
        let slot = self.link.slot;
        let file = self.session.storage(slot).ok_or_else(|| Error::empty_slot(slot))?;
        let file: Rc<dyn Storage> = Rc::new(Cached::new(file));
        let format = self.format(file.as_ref())?;
        let mut image = self.open(&file, format)?;
        let children = self.attach_children(image.as_mut())?;

        let description = image.description();
        let backing = description.backing.clone().filter(|_| self.request.follow);
        let head = words::image(slot, format.name(), &description)?;
        self.say(InfoReply::Image(Box::new(head)))?;
        self.say_parts(image.as_ref())?;
        self.say_contents(image.as_ref())?;
        for child in children {
            self.say(InfoReply::Part(Part::Child(child)))?;
        }
        backing.map(|backing| self.underneath(backing)).transpose()
    }

    /// The format that somebody said, or the one that the file seems to have.
    fn format(&self, file: &dyn Storage) -> Result<&'static dyn Format, Error> {
        match &self.link.format {
            Some(name) => formats::by_name(name).ok_or_else(|| {
                let message = format!("Unknown driver '{name}'");
                Error::about(self.link.slot, FailureKind::Unsupported, message)
            }),
            None => formats::probe::detect(file, &self.link.extension)
                .map_err(|error| self.failed(&error.into())),
        }
    }

    fn open(
        &self,
        file: &Rc<dyn Storage>,
        format: &'static dyn Format,
    ) -> Result<Box<dyn Image>, Error> {
        // Only the image that the user named can be a part of its file.
        let window = self.request.window.filter(|_| self.link.slot == self.request.image);
        let image = match window {
            Some(window) => RawImage::new(Rc::clone(file), window.offset, window.size)
                .map(|image| Box::new(image) as Box<dyn Image>),
            None => format.open(Rc::clone(file)),
        };
        image.map_err(|error| self.failed(&error))
    }

    /// Plugs in the other files that describe the image, if that is wanted.
    fn attach_children(&self, image: &mut dyn Image) -> Result<Vec<Child>, Error> {
        let mut children = Vec::new();
        if !self.request.follow {
            return Ok(children);
        }
        for (index, reference) in image.references().into_iter().enumerate() {
            let extent = match reference.role {
                Role::Extent(number) => number,
                // The file with the data adds nothing to a description, so
                // qemu-img does not open it either.
                Role::Data => continue,
            };
            let slot = self.plug(ReferenceRole::Extent, &reference.path)?;
            let file = self.session.storage(slot).ok_or_else(|| Error::empty_slot(slot))?;
            image
                .attach(index, Rc::new(Cached::new(file)))
                .map_err(|error| words::failure(slot, &error))?;
            children.push(Child { device: slot, extent });
        }
        Ok(children)
    }

    /// The image underneath.
    fn underneath(&self, backing: Backing) -> Result<Link, Error> {
        Ok(Link {
            slot: self.plug(ReferenceRole::Backing, &backing.path)?,
            format: backing.format.map(|name| String::from_utf8_lossy(&name).into_owned()),
            extension: abi::info::extension(&backing.path).to_vec(),
        })
    }

    /// Has a file plugged in that the image refers to.
    fn plug(&self, role: ReferenceRole, path: &[u8]) -> Result<u8, Error> {
        let from = self.link.slot;
        let Some(path) = Text::new(path) else {
            let message = "a reference is longer than a file name can be".to_string();
            return Err(Error::about(from, FailureKind::Refused, message));
        };
        self.session.attach(Reference { from, role, path }).map_err(|error| match error {
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

    /// Says what the image has many of, as it is read.
    fn say_parts(&self, image: &dyn Image) -> Result<(), Error> {
        let mut unsaid = None;
        let visited = image.visit_parts(&mut |part| {
            self.say(InfoReply::Part(words::part(&part))).map_err(|error| {
                unsaid = Some(error);
                StorageError::InputOutput.into()
            })
        });
        match unsaid {
            Some(error) => Err(error),
            None => visited.map_err(|error| self.failed(&error)),
        }
    }

    /// Says what the disk holds, if that is wanted and the disk can be looked at.
    fn say_contents(&self, image: &dyn Image) -> Result<(), Error> {
        let Some(disk) = image.disk().filter(|_| self.request.contents) else { return Ok(()) };
        let contents = contents::of(disk).map_err(|error| self.failed(&error.into()))?;
        contents.iter().try_for_each(|content| {
            self.say(InfoReply::Part(Part::Content(words::content(content))))
        })
    }

    fn say(&self, reply: InfoReply) -> Result<(), Error> {
        self.session.reply(Reply::Info(reply))
    }

    fn failed(&self, error: &formats::Error) -> Error {
        words::failure(self.link.slot, error)
    }
}

#[cfg(test)]
mod tests;
