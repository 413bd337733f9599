//! The tree that qemu-img prints: an image, and below it the files it lies in.

use std::os::unix::ffi::OsStrExt;

use abi::info::{Format, Snapshot};

use super::collect::Described;
use super::details;
use crate::file_name;
use crate::host_file::HostFile;
use crate::output::value::{Dict, Value};

/// The unit in which lengths are printed, in bytes.
const SECTOR: u64 = 512;

/// An image, or a file that one lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its file name.
    pub filename: Vec<u8>,
    /// Its format, or for a file how it is accessed.
    pub format: &'static str,
    /// The size of the disk, or the length of the file, in bytes.
    pub virtual_size: u64,
    /// The room on disk in bytes.
    pub actual_size: u64,
    /// The unit of allocation in bytes.
    pub cluster_size: Option<u64>,
    /// Whether the content is encrypted.
    pub encrypted: bool,
    /// Whether it was left open.
    pub dirty: Option<bool>,
    /// The image underneath.
    pub backing: Option<BackingNames>,
    /// Internal snapshots.
    pub snapshots: Vec<Snapshot>,
    /// What only this format has: the kind, and the data.
    pub specific: Option<(&'static str, Dict)>,
    /// What a raw image holds; only if that was asked for.
    pub contents: Option<Vec<Dict>>,
    /// The files it lies in, by name.
    pub children: Vec<(String, Node)>,
}

/// The names of the image underneath.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackingNames {
    /// As the image has it.
    pub said: Vec<u8>,
    /// As a path from here, if there is one.
    pub full: Option<Vec<u8>>,
    /// Its format, if the image says so.
    pub format: Option<Vec<u8>>,
}

impl Node {
    /// The node of an image that has been described. `filename` is what the image
    /// is called, `find` the file in a slot.
    ///
    /// Nothing if the guest speaks of a file that there is not.
    #[must_use]
    pub fn new<'files>(
        described: &Described,
        filename: Option<&[u8]>,
        find: impl Fn(u8) -> Option<&'files HostFile>,
        with_contents: bool,
    ) -> Option<Self> {
        let image = &described.image;
        let own = find(image.device)?;
        // Of other formats nobody has looked at the disk.
        let shows_contents = with_contents && image.format == Format::Raw;
        let filename = filename.unwrap_or(own.path().as_os_str().as_bytes());
        let mut children = vec![("file".to_owned(), Self::of_file(own))];
        for child in &described.children {
            let name = format!("extents.{}", child.extent);
            children.push((name, Self::of_file(find(child.device)?)));
        }
        // qemu lists what was opened last first.
        children.reverse();
        let backing = image.backing.as_ref().map(|backing| BackingNames {
            said: backing.path.as_bytes().to_vec(),
            full: file_name::full(filename, backing.path.as_bytes()),
            format: backing.format.as_ref().map(|format| format.as_bytes().to_vec()),
        });
        Some(Self {
            format: image.format.name(),
            virtual_size: image.virtual_size,
            actual_size: children.iter().map(|(_, child)| child.actual_size).sum(),
            cluster_size: image.cluster_size,
            encrypted: image.encrypted,
            dirty: image.dirty,
            backing,
            snapshots: described.snapshots.clone(),
            specific: details::of(described, filename),
            contents: shows_contents.then(|| details::contents(&described.contents)),
            children,
            filename: filename.to_vec(),
        })
    }

    /// The node of a file.
    fn of_file(file: &HostFile) -> Self {
        Self {
            filename: file.path().as_os_str().as_bytes().to_vec(),
            format: if file.is_device() { "host_device" } else { "file" },
            virtual_size: file.length().next_multiple_of(SECTOR),
            actual_size: file.allocated(),
            cluster_size: None,
            encrypted: false,
            dirty: Some(false),
            backing: None,
            snapshots: Vec::new(),
            specific: Some(("file", details::of_file(file))),
            contents: None,
            children: Vec::new(),
        }
    }

    /// The node as JSON. Entries are added in the order of qemu's schema, which
    /// shows where two fall into one bucket.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let names = self.backing.as_ref();
        let format = names.and_then(|names| names.format.as_deref());
        let snapshots: Vec<Value> = self.snapshots.iter().map(snapshot).collect();
        let children = self.children.iter().map(|(name, child)| {
            Dict::new().with("name", name.as_str()).with("info", child.to_value()).into()
        });
        let specific = self
            .specific
            .as_ref()
            .map(|(kind, data)| Dict::new().with("type", *kind).with("data", data.clone()));
        let contents = self
            .contents
            .as_ref()
            .map(|contents| contents.iter().cloned().map(Value::from).collect::<Vec<_>>());
        Dict::new()
            .with("filename", self.filename.as_slice())
            .with("format", self.format)
            .with_some("dirty-flag", self.dirty)
            .with("actual-size", self.actual_size)
            .with("virtual-size", self.virtual_size)
            .with_some("cluster-size", self.cluster_size)
            .with_some("encrypted", self.encrypted.then_some(true))
            .with_some("backing-filename", names.map(|names| names.said.as_slice()))
            .with_some("full-backing-filename", names.and_then(|names| names.full.as_deref()))
            .with_some("backing-filename-format", format)
            .with_some("snapshots", (!snapshots.is_empty()).then_some(snapshots))
            .with_some("format-specific", specific)
            .with_some("contents", contents)
            .with("children", children.collect::<Vec<Value>>())
            .into()
    }
}

/// A snapshot as JSON. In qemu's schema some of the numbers have a sign.
fn snapshot(snapshot: &Snapshot) -> Value {
    Dict::new()
        .with("id", snapshot.id.as_bytes())
        .with("name", snapshot.name.as_bytes())
        .with("vm-state-size", snapshot.vm_state_size.cast_signed())
        .with("date-sec", snapshot.date_seconds)
        .with("date-nsec", snapshot.date_nanoseconds)
        .with("vm-clock-sec", snapshot.vm_clock / NANOSECONDS)
        .with("vm-clock-nsec", snapshot.vm_clock % NANOSECONDS)
        .with_some("icount", snapshot.instruction_count.map(u64::cast_signed))
        .into()
}

/// Nanoseconds in a second.
const NANOSECONDS: u64 = 1_000_000_000;
