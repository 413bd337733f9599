//! What an open image can say about itself, and about its disk.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use crate::creation::Options;
use crate::error::{Error, ErrorKind, FormatError};
use crate::extent;
use crate::guid::Guid;
use crate::recreation::Irreplaceable;
use crate::storage::{self, Storage};

/// The largest disk in bytes: what a signed 64-bit offset reaches in whole GiB,
/// as with qemu-img. Most formats have smaller limits.
pub const MAX_DISK: u64 = storage::MAX_LENGTH;

/// An open image.
pub trait Image {
    /// What every image has. Cheap: it was read when the image was opened.
    fn description(&self) -> Description;

    /// Hands out, one by one, what an image can have many of.
    ///
    /// # Errors
    ///
    /// If the list is damaged or cannot be read, or the visitor wants no more.
    fn visit_parts(&self, visit: &mut Visitor<'_>) -> Result<(), Error> {
        let _ = visit;
        Ok(())
    }

    /// The disk itself, of an image that is nothing else. What it holds can be
    /// looked at ([`contents`](crate::contents)).
    fn disk(&self) -> Option<&dyn Storage> {
        None
    }

    /// How the disk is stored from `offset` on, for `limit` bytes at the most. The
    /// offset is below the size of the disk, the limit is not zero and does not go
    /// beyond it. The extent may end sooner than what is stored in the same way.
    ///
    /// # Errors
    ///
    /// If the content cannot be read, or the image is damaged there.
    fn extent(&self, offset: u64, limit: u64) -> Result<extent::Extent, Error>;

    /// The image's own file as it is with the changes of a log that was not finished,
    /// if there is one. Extents in [`File::Replayed`](extent::File::Replayed) are read
    /// from it; they are few and small, as only what was changed is in it.
    fn replayed(&self) -> Option<Rc<dyn Storage>> {
        None
    }

    /// Whether images like this one can have persistent bitmaps, as far as qemu-img knows.
    fn can_have_bitmaps(&self) -> bool {
        false
    }

    /// The options with which an image like this one is made, to take its place with
    /// another disk of the same size.
    ///
    /// # Errors
    ///
    /// If something that is not on the disk would get lost, or no such image is made.
    fn recreation(&self) -> Result<Options, Error> {
        Err(Irreplaceable::Format.into())
    }

    /// The ids by which images on top of each other know each other, for formats that
    /// have them.
    fn identity(&self) -> Identity {
        Identity::default()
    }

    /// Whether the content can be read: that it is not encrypted, and that no file is
    /// missing.
    ///
    /// # Errors
    ///
    /// If it cannot, in the words with which qemu-img refuses to open the image.
    fn check_content(&self) -> Result<(), Error> {
        Ok(())
    }

    /// What holes of one of the image's files say about the disk. `room` is what the
    /// image's own file takes of its file system, in bytes.
    ///
    /// # Errors
    ///
    /// If that cannot be found out.
    fn holes(&self, file: extent::File, room: u64) -> Result<Holes, Error> {
        let _ = (file, room);
        Ok(Holes::Hidden)
    }

    /// Whether an image is the one that this image was made on top of, as far as that can
    /// be told.
    ///
    /// # Errors
    ///
    /// If it is another, or has changed since.
    fn check_backing(&self, backing: &Description) -> Result<(), Error> {
        let _ = backing;
        Ok(())
    }

    /// The disk as it was when a snapshot was taken: by its id or, if none has that
    /// id, by its name.
    ///
    /// # Errors
    ///
    /// If there is no such snapshot.
    fn snapshot(&self, wanted: &SnapshotChoice) -> Result<Box<dyn Image>, Error> {
        let _ = wanted;
        Err(ContentError::NoSnapshots.into())
    }

    /// The other files that are part of this image: extents, a data file.
    fn references(&self) -> Vec<Reference> {
        Vec::new()
    }

    /// Gives the image a file that it refers to, by its position in
    /// [`references`](Self::references).
    ///
    /// # Errors
    ///
    /// If the file is not what the image says it is.
    fn attach(&mut self, index: usize, storage: Rc<dyn Storage>) -> Result<(), Error> {
        let _ = (index, storage);
        Ok(())
    }
}

/// What holes of a file say about a disk. Whatever it is, they read as zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Holes {
    /// Nothing: what lies there is data like any other.
    #[default]
    Hidden,
    /// What lies there is data, and known to be zeros: the image gave it its place
    /// before there was anything to store.
    Zeros,
    /// Holes of the disk, which is the file.
    Same,
}

/// Whether an image is the one that another was made on top of, as far as that can be told.
///
/// # Errors
///
/// If it is another, or has changed since.
pub fn check_chain(above: &dyn Image, below: &dyn Image) -> Result<(), Error> {
    above.check_backing(&below.description())?;
    match (above.identity().parent, below.identity().own) {
        (Some(expected), Some(found)) if expected != found => {
            Err(ContentError::OtherParent { found, expected }.into())
        }
        _ => Ok(()),
    }
}

/// Which snapshot is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotChoice {
    /// The one with this id or, if there is none, with this name.
    Either(Vec<u8>),
    /// The one with this id, this name, or both.
    Exactly {
        /// Its id, if that matters.
        id: Option<Vec<u8>>,
        /// Its name, if that matters.
        name: Option<Vec<u8>>,
    },
}

/// Content that cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// The image underneath is not the one that this image was made on top of.
    #[error("the image underneath has the id {found}, but {expected} is expected")]
    OtherParent {
        /// The id that it has.
        found: Guid,
        /// The id that it had.
        expected: Guid,
    },
    /// The format has no snapshots.
    #[error("Failed to load snapshot: Operation not supported")]
    NoSnapshots,
}

impl FormatError for ContentError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Unsupported
    }
}

/// Takes one part of an image after the other.
pub type Visitor<'a> = dyn FnMut(Part) -> Result<(), Error> + 'a;

/// What every image has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// The size of the disk it holds, in bytes.
    pub virtual_size: u64,
    /// The unit of allocation in bytes, for formats that have one.
    pub cluster_size: Option<u64>,
    /// Whether the content is encrypted.
    pub encrypted: bool,
    /// Whether it was left open by its last user. Missing where qemu-img's
    /// driver does not know, so that it prints nothing.
    pub dirty: Option<bool>,
    /// The image underneath.
    pub backing: Option<Backing>,
    /// What only this format has.
    pub specific: Option<Specific>,
}

/// A reference to the image underneath.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backing {
    /// Its file name, as the image has it.
    pub path: Vec<u8>,
    /// Its format, if the image says so.
    pub format: Option<Vec<u8>>,
}

/// How an image and the one underneath know each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// What an image on top knows this one by, if it has such an id. A VHD has it for
    /// life, that of a VHDX changes with its disk.
    pub own: Option<Guid>,
    /// What the image underneath has for its own, if this one says so. If it has
    /// another id, it is not what it was when this image was put on top.
    pub parent: Option<Guid>,
}

/// Another file that is part of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Its file name, as the image has it.
    pub path: Vec<u8>,
    /// What it is.
    pub role: Role,
}

/// What another file is to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The external data file of a qcow2 image.
    Data,
    /// The extent of a VMDK image with this number.
    Extent(u32),
}

/// What only one format has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Specific {
    /// qcow2.
    Qcow2(Qcow2),
    /// VMDK.
    Vmdk(Vmdk),
    /// LUKS version 1.
    Luks(Luks),
    /// LUKS version 2.
    Luks2(Luks2),
}

/// What only qcow2 has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qcow2 {
    /// Bits in a reference count.
    pub refcount_bits: u64,
    /// How compressed clusters are compressed: `zlib` or `zstd`.
    pub compression: &'static str,
    /// What version 3 adds; nothing for version 2.
    pub version_3: Option<Qcow2Version3>,
    /// How the content is encrypted.
    pub encryption: Option<Qcow2Encryption>,
}

/// What version 3 of qcow2 adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qcow2Version3 {
    /// Reference counts may lag behind.
    pub lazy_refcounts: bool,
    /// The image is marked as corrupt.
    pub corrupt: bool,
    /// Clusters have subclusters.
    pub extended_l2: bool,
    /// The name of the external file with the data.
    pub data_file: Option<Vec<u8>>,
    /// Whether that file can be read as a raw image. Only said of images with a
    /// data file.
    pub data_file_raw: Option<bool>,
    /// Whether the image has a list of persistent bitmaps, be it empty.
    pub has_bitmaps: bool,
}

/// How a qcow2 image is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Qcow2Encryption {
    /// The old way: AES-CBC with the passphrase for a key.
    Aes,
    /// A LUKS header in the image.
    Luks(Luks),
}

/// What only VMDK has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vmdk {
    /// The content id.
    pub content_id: u32,
    /// The content id of the parent.
    pub parent_content_id: u32,
    /// `monolithicSparse` and the like.
    pub create_type: Vec<u8>,
}

/// What only LUKS version 1 has. Names are qemu's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Luks {
    /// The cipher and its key size: `aes-256`.
    pub cipher: String,
    /// Its mode: `xts`.
    pub mode: String,
    /// The generator of initialisation vectors: `plain64`.
    pub iv_generator: String,
    /// The hash that the generator uses, if it does.
    pub iv_hash: Option<String>,
    /// The hash of the key derivation.
    pub hash: String,
    /// Whether the header is a file of its own.
    pub detached_header: bool,
    /// The volume's id.
    pub uuid: Vec<u8>,
    /// Where the content starts, in bytes.
    pub payload_offset: u64,
    /// Iterations in the digest of the master key.
    pub master_key_iterations: u64,
}

/// What only LUKS version 2 has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Luks2 {
    /// The volume's id.
    pub uuid: Vec<u8>,
    /// Its label, possibly empty.
    pub label: Vec<u8>,
    /// Another label, possibly empty.
    pub subsystem: Vec<u8>,
    /// How the content is encrypted: `aes-xts-plain64`.
    pub encryption: Vec<u8>,
    /// How changes are noticed, if they are: `hmac(sha256)`.
    pub integrity: Option<Vec<u8>>,
    /// Bytes that are encrypted at a time.
    pub sector_size: u64,
    /// Where the content starts, in bytes.
    pub payload_offset: u64,
    /// Whether the content is being encrypted anew, so that only a part of it is
    /// encrypted in this way.
    pub reencryption: bool,
}

/// Something that an image can have many of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// An internal snapshot.
    Snapshot(Snapshot),
    /// A persistent bitmap (qcow2).
    Bitmap(Bitmap),
    /// An extent (VMDK).
    Extent(Extent),
    /// A key slot (LUKS version 1).
    KeySlot(KeySlot),
    /// A key slot (LUKS version 2).
    KeySlot2(KeySlot2),
}

/// An internal snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its id.
    pub id: Vec<u8>,
    /// Its name.
    pub name: Vec<u8>,
    /// The size of the machine's saved state, in bytes.
    pub vm_state_size: u64,
    /// When it was taken, in seconds since 1970.
    pub date_seconds: u32,
    /// And nanoseconds.
    pub date_nanoseconds: u32,
    /// How long the machine had run, in nanoseconds.
    pub vm_clock: u64,
    /// How many instructions it had executed, if that was counted.
    pub instruction_count: Option<u64>,
}

/// A persistent bitmap of a qcow2 image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bitmap {
    /// Its name.
    pub name: Vec<u8>,
    /// Bytes of the disk that a bit stands for.
    pub granularity: u64,
    /// It was not saved properly.
    pub in_use: bool,
    /// It is to be enabled when the image is opened.
    pub auto: bool,
}

/// An extent of a VMDK image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// `SPARSE`, `FLAT` and the like; empty if it is in the image's own file.
    pub kind: Vec<u8>,
    /// Where it is.
    pub file: ExtentFile,
    /// How much of the disk it holds, in bytes.
    pub virtual_size: u64,
    /// The size of a grain in bytes, if it has grains and they could be looked at.
    pub cluster_size: Option<u64>,
    /// Whether grains are compressed.
    pub compressed: bool,
}

/// Where an extent of a VMDK image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtentFile {
    /// In the image's own file.
    Own,
    /// Nowhere: it holds zeros.
    Nowhere,
    /// In another file, with this name.
    Named(Vec<u8>),
}

/// A key slot of LUKS version 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySlot {
    /// Where its key material is, in bytes.
    pub key_offset: u64,
    /// Iterations of the key derivation and the number of stripes, of a slot
    /// that is in use.
    pub active: Option<(u64, u64)>,
}

/// A key slot of LUKS version 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySlot2 {
    /// Its number.
    pub number: u32,
    /// The key derivation: `argon2id`, `pbkdf2`.
    pub derivation: Vec<u8>,
    /// What the derivation takes, if it is a known one.
    pub cost: Option<KeyCost>,
    /// How the key is encrypted.
    pub encryption: Vec<u8>,
    /// The size of the volume key in bytes.
    pub key_size: u64,
    /// Where its key material is, in bytes.
    pub key_offset: u64,
}

/// What the derivation of a key takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyCost {
    /// PBKDF2.
    Pbkdf2 {
        /// Its hash.
        hash: Vec<u8>,
        /// How often it is used.
        iterations: u64,
    },
    /// Argon2, either kind.
    Argon2 {
        /// Passes over the memory.
        time: u64,
        /// The memory in KiB.
        memory: u64,
        /// Parts of the memory that can be filled at the same time.
        cpus: u64,
    },
}
