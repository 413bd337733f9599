//! Copies into an image that is there, which is made anew in its own file.
//!
//! There are two runs. The first, [`examine`], reads the image that is there and writes
//! nothing: it refuses what would be lost, and says how the new image is made. Only then
//! does the host let go of what the file holds, and the second run is a copy like any other
//! ([`convert`]), but for what it has to leave underneath.
//!
//! So a disk that is there does not show through: all of it is written anew, or it had
//! nothing that could be missed.

use abi::convert::{ExamineRequest, Recreation, Setting, Target, Value};
use abi::reply::{FailureKind, Reply};
use abi::text::Text;
use alloc::string::ToString;
use alloc::vec::Vec;
use formats::creation;
use formats::image::Backing;
use formats::{Image, Options};

use crate::convert::{self, SECTOR};
use crate::disk::Disk;
use crate::engine::pipeline::FilledContent;
use crate::engine::{Before, Consumer, Filled, Pipeline, Planner, Rules, Sink, zeros};
use crate::open::{self, Link};
use crate::session::{Error, Session};
use crate::transfer::Transfers;

/// Says how an image is made anew that is there, if a copy into it can be done so.
///
/// # Errors
///
/// If it cannot, or an image cannot be opened.
pub fn examine<T: Transfers>(request: &ExamineRequest, session: &T) -> Result<(), Error> {
    let ExamineRequest { sources, target, only_top, compress, max_depth } = request;
    let mut copied = 0_u64;
    for source in sources {
        copied = copied.saturating_add(Disk::open(session, source, *max_depth)?.size());
    }
    let opened = Link::from(target).open(session)?;
    let failed = |error: &formats::Error| open::failure(target.slot, error);
    let options = opened.image.recreation().map_err(|error| failed(&error))?;
    opened.image.check_content().map_err(|error| failed(&error))?;
    let size = opened.image.description().virtual_size;
    if size < copied {
        return Err(refused("output file is smaller than input file"));
    }
    // With -B all of it stays that is not written to, and otherwise what is behind the end.
    let stays = if *only_top { 0 } else { copied }..size;
    if !stays.is_empty() {
        let depth = if has_backing(opened.image.as_ref()) { *max_depth } else { 1 };
        let disk = [Disk::open(session, target, depth)?];
        if has_own(session, &disk, stays.start)? {
            return Err(refused(if *only_top {
                "the image that is there has data, which -B would keep and a new image would not"
            } else {
                "the image that is there has data behind the end of the input, which would be lost"
            }));
        }
    }
    check_creation(target.slot, &options, size, *compress, opened.format)?;
    session.reply(Reply::Recreation(Recreation { size, options: settings(&options)? }))
}

fn refused(message: &str) -> Error {
    Error::about(0, FailureKind::Unsupported, message.to_string()).without_device()
}

fn has_backing(image: &dyn Image) -> bool {
    image.description().backing.is_some()
}

/// Whether an image can be made with these options that has a disk of this size.
fn check_creation(
    slot: u8,
    options: &Options,
    size: u64,
    compress: bool,
    format: &dyn formats::Format,
) -> Result<(), Error> {
    let creation =
        formats::Creation { size, options: options.clone(), compress, ..Default::default() };
    let writer = format.create(&creation).map_err(|error| open::failure(slot, &error))?;
    match writer.rounded_size() {
        None => Ok(()),
        Some(_) => Err(refused("a new image would not have a disk of the same size")),
    }
}

/// Options in the words of requests.
fn settings(options: &Options) -> Result<Vec<Setting>, Error> {
    let setting = |(name, value): (&str, &creation::Value)| {
        let value = match value {
            creation::Value::Flag(flag) => Value::Flag(*flag),
            creation::Value::Number(number) => Value::Number(*number),
            creation::Value::Text(text) => {
                let text = Text::new(text);
                Value::Text(text.ok_or_else(|| refused("a name in the image is too long"))?)
            }
        };
        Ok(Setting { name: Text::truncated(name.as_bytes()), value })
    };
    options.iter().map(setting).collect()
}

/// Whether the image on top has something from an offset on that is not what shows there
/// without it: data, or zeros over what is underneath.
fn has_own<T: Transfers>(session: &T, disk: &[Disk<'_>; 1], start: u64) -> Result<bool, Error> {
    let [top] = disk;
    let rules = Rules { alignment: SECTOR, only_top: true, keep_zeros: false };
    // What is underneath begins behind the image on top, and may be shorter.
    let hidden = top.size_underneath();
    let mut search = Search { hidden, found: false };
    let planner = Planner::new(disk, start, top.size(), rules);
    let mut sink = Sink::new(session, Vec::new(), Before::Kept);
    Pipeline::new(session, planner, false).run(&mut search, &mut sink)?;
    Ok(search.found)
}

/// Looks for something that an image has of its own.
struct Search {
    /// How much of the disk what is underneath reaches, in bytes.
    hidden: u64,
    found: bool,
}

impl<T: Transfers> Consumer<T> for Search {
    fn take(&mut self, piece: Filled<T::Buffer>, sink: &mut Sink<'_, T>) -> Result<(), Error> {
        let hides = piece.offset < self.hidden;
        match piece.content {
            FilledContent::Underneath => {}
            FilledContent::Zero => self.found |= hides,
            FilledContent::Data(buffer) | FilledContent::Units(buffer, _) => {
                let length = usize::try_from(piece.length).unwrap_or(usize::MAX);
                let bytes = buffer.get(..length).unwrap_or_default();
                self.found |= hides || !zeros::are_zero(bytes);
                sink.pool().put(buffer);
            }
        }
        Ok(())
    }
}

/// The image underneath that the options of a new one name.
pub(crate) fn named_backing(target: &Target) -> Option<Backing> {
    let options = convert::options(&target.options);
    let text = |name| options.text(name).map(<[u8]>::to_vec);
    Some(Backing { path: text("backing_file")?, format: text("backing_fmt") })
}

/// Has disks go on to an offset with what is underneath the new image: a unit that they end
/// in hides all of it.
pub(crate) fn go_on<'a>(
    disks: &mut Vec<Disk<'a>>,
    end: u64,
    until: u64,
    underneath: Disk<'a>,
    session: &'a dyn Session,
) {
    let part = underneath.part(end, until - end);
    let rest = until - end - part.size();
    disks.push(part);
    disks.push(Disk::zeros(session, rest));
}
