//! The property list (Apple, "Property List Programming Guide"): XML, with the
//! resources of a resource fork as lists under the keys of their types. Tables of
//! chunks are `blkx`:
//!
//! ```xml
//! <key>blkx</key>
//! <array>
//!     <dict>
//!         <key>Data</key>
//!         <data>bWlzaA…</data>
//! ```
//!
//! This is as much of XML as that needs: elements, and comments that are left out.
//! It is read byte by byte; what is kept of a tag or a key is bounded.

use alloc::boxed::Box;

use super::DmgError;
use super::base64::Decoder;
use super::table::{Chunks, Table};
use super::trailer::Range;

/// The longest property list in bytes, as with qemu-img. It has room for chunks of
/// 80 GiB; a list of 1 MiB is long.
pub const MAX_LENGTH: u64 = 16 << 20;

/// Under which key the tables of chunks are.
const KEY: &[u8] = b"blkx";

/// A property list that is being read, for the tables in it.
#[derive(Clone, Debug, Default)]
pub struct PropertyList {
    /// What has been read of a tag, without the brackets; nothing outside of one.
    tag: Option<Start>,
    /// The two bytes before this one, which may end a comment.
    before: [u8; 2],
    /// Whose text this is.
    element: Element,
    /// Whether the value that comes next is the list of tables.
    is_key: bool,
    /// How deep in lists this is, the list of tables being 1; 0 outside of it.
    depth: u32,
}

/// The start of a text.
#[derive(Clone, Debug, Default)]
struct Start {
    bytes: [u8; 8],
    /// The length of the text, of which all may be kept or not.
    length: usize,
}

/// An element whose text counts.
#[derive(Clone, Debug, Default)]
enum Element {
    /// Any other.
    #[default]
    Other,
    /// The name of what comes next.
    Key(Start),
    /// A table.
    Data(Box<Data>),
}

/// A table and its encoding.
#[derive(Clone, Debug, Default)]
struct Data {
    decoder: Decoder,
    table: Table,
}

impl Start {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
        }
        self.length = self.length.saturating_add(1);
    }

    /// The bytes that were kept.
    fn kept(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }
}

impl PropertyList {
    /// Begins with a property list.
    ///
    /// # Errors
    ///
    /// If it is too long.
    pub fn new(list: Range) -> Result<Self, DmgError> {
        if list.length > MAX_LENGTH {
            let (what, length, limit) = ("property list", list.length, MAX_LENGTH);
            return Err(DmgError::TooLong { what, length, limit });
        }
        Ok(Self::default())
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    ///
    /// If a chunk is impossible.
    pub fn push(&mut self, bytes: &[u8], chunks: &mut Chunks) -> Result<(), DmgError> {
        bytes.iter().try_for_each(|byte| self.push_byte(*byte, chunks))
    }

    /// Whether the list may end here.
    ///
    /// # Errors
    ///
    /// If it ends inside a table.
    pub fn finish(&self) -> Result<(), DmgError> {
        match self.element {
            Element::Data(_) => Err(DmgError::DataWithoutEnd),
            _ => Ok(()),
        }
    }

    fn push_byte(&mut self, byte: u8, chunks: &mut Chunks) -> Result<(), DmgError> {
        match self.tag.take() {
            None if byte == b'<' => self.tag = Some(Start::default()),
            None => self.text(byte, chunks)?,
            Some(tag) if byte == b'>' && !self.is_comment_without_end(&tag) => self.element(&tag),
            Some(mut tag) => {
                tag.push(byte);
                self.tag = Some(tag);
            }
        }
        let [_, last] = self.before;
        self.before = [last, byte];
        Ok(())
    }

    /// Takes a byte of a text.
    fn text(&mut self, byte: u8, chunks: &mut Chunks) -> Result<(), DmgError> {
        match &mut self.element {
            Element::Other => Ok(()),
            Element::Key(name) => {
                name.push(byte);
                Ok(())
            }
            Element::Data(data) => data.table.push(data.decoder.push(byte), chunks),
        }
    }

    /// Whether a bracket is one in a comment: the shortest is `<!---->`.
    fn is_comment_without_end(&self, tag: &Start) -> bool {
        let is_comment = tag.kept().starts_with(b"!--");
        is_comment && (tag.length < b"!----".len() || self.before != *b"--")
    }

    /// Takes a tag.
    fn element(&mut self, tag: &Start) {
        let tag = tag.kept();
        if tag.starts_with(b"!") || tag.starts_with(b"?") {
            return;
        }
        let (name, ends) = match tag.strip_prefix(b"/") {
            Some(name) => (name, true),
            None => (tag, false),
        };
        let mut words = name.split(|byte| byte.is_ascii_whitespace() || *byte == b'/');
        let name = words.next().unwrap_or_default();
        // `<array/>` starts and ends.
        let is_empty = self.before.ends_with(b"/");
        match (name, ends) {
            (b"key", false) => self.element = Element::Key(Start::default()),
            (b"key", true) => {
                let key = core::mem::take(&mut self.element);
                self.is_key = matches!(key, Element::Key(name) if name.kept() == KEY);
            }
            (b"array", true) => self.depth = self.depth.saturating_sub(1),
            (b"data", true) => self.element = Element::Other,
            (_, true) => {}
            (name, false) => {
                let is_table_list = core::mem::take(&mut self.is_key) || self.depth > 0;
                if name == b"array" && is_table_list && !is_empty {
                    self.depth = self.depth.saturating_add(1);
                }
                let is_outside = matches!(self.element, Element::Other);
                if name == b"data" && self.depth > 0 && !is_empty && is_outside {
                    self.element = Element::Data(Box::default());
                }
            }
        }
    }
}
