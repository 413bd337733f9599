//! `info`: describe an image, and on demand the images underneath.
//!
//! Reading order: this file walks the chain; [`words`] puts what a format says
//! into the words of the reply.

pub mod words;

use alloc::boxed::Box;
use alloc::vec::Vec;

use abi::info::{Child, Part, Reply as InfoReply, Request};
use abi::reply::Reply;
use formats::image::Role;
use formats::storage::StorageError;
use formats::{Image, contents};

use crate::open::{self, Attached, Link, Opened};
use crate::session::{Error, Session};

/// Describes an image.
///
/// # Errors
///
/// If it, or one that it refers to, cannot be opened or is damaged.
pub fn run(request: &Request, session: &dyn Session) -> Result<(), Error> {
    let mut next = Some(Link::from(&request.image));
    let mut depth = 0;
    while let Some(link) = next {
        depth += 1;
        if depth > request.max_depth {
            return Err(open::too_deep(link.slot, request.max_depth));
        }
        let mut opened = link.open(session)?;
        let children = match request.follow {
            true => children(opened.attach(session, is_extent)?),
            false => Vec::new(),
        };
        Describer { request, session, opened: &opened }.describe(children)?;
        next = if request.follow { opened.underneath(session)? } else { None };
    }
    Ok(())
}

/// Whether a file says something about the image that it is a part of. One with the
/// data adds nothing to a description, so qemu-img does not open it either.
fn is_extent(role: Role) -> bool {
    matches!(role, Role::Extent(_))
}

/// Files in the words of the reply.
fn children(attached: Vec<Attached>) -> Vec<Child> {
    let child = |it: Attached| match it.role {
        Role::Extent(extent) => Some(Child { device: it.slot, extent }),
        Role::Data => None,
    };
    attached.into_iter().filter_map(child).collect()
}

/// Describes one image of the chain.
struct Describer<'a> {
    request: &'a Request,
    session: &'a dyn Session,
    opened: &'a Opened,
}

impl Describer<'_> {
    fn describe(&self, children: Vec<Child>) -> Result<(), Error> {
        let Opened { slot, format, image } = self.opened;
        let head = words::image(*slot, format.name(), &image.description())?;
        self.say(InfoReply::Image(Box::new(head)))?;
        self.say_parts(image.as_ref())?;
        self.say_contents(image.as_ref())?;
        children.into_iter().try_for_each(|child| self.say(InfoReply::Part(Part::Child(child))))
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
        open::failure(self.opened.slot, error)
    }
}

#[cfg(test)]
mod tests;
