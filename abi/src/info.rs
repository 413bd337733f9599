//! The vocabulary of `info`: how an image is described.
//!
//! An image is described by one [`Image`], followed by as many [`Part`]s as it
//! has. Lists travel as messages of their own, so that no message grows with
//! the image: 65,535 snapshots are 65,535 small messages.

use alloc::boxed::Box;

use serde::{Deserialize, Serialize};

use crate::source::Source;
use crate::text::{Name, Path, Text};

/// What to describe, and how deeply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The image.
    pub image: Source,
    /// Follow what the image refers to: the backing chain, extents, data files.
    pub follow: bool,
    /// How many images a chain may have.
    pub max_depth: u32,
    /// Say what a raw image holds.
    pub contents: bool,
}

/// The extension of a file name as it is written, without the dot. qemu-img knows a
/// format by how the name ends if there is anything in front of that, be it only a
/// folder.
#[must_use]
pub fn extension(name: &[u8]) -> &[u8] {
    let dot = name.iter().rposition(|byte| *byte == b'.').filter(|dot| *dot > 0);
    let extension = dot.and_then(|dot| name.get(dot + 1..)).unwrap_or_default();
    if extension.contains(&b'/') { &[] } else { extension }
}

/// A part of a file, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Where it starts.
    pub offset: u64,
    /// How long it is; to the end of the file if missing.
    pub size: Option<u64>,
}

/// A piece of a description.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The next image of the chain.
    Image(Box<Image>),
    /// Something more about the image before.
    Part(Part),
}

/// The formats, by the names that qemu-img gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// Bytes as they are, ISO images included.
    Raw,
    /// QEMU's copy-on-write format, versions 2 and 3.
    Qcow2,
    /// Its first version.
    Qcow,
    /// QEMU enhanced disk.
    Qed,
    /// VMware.
    Vmdk,
    /// Virtual PC and Hyper-V (VHD).
    Vpc,
    /// Hyper-V, second generation.
    Vhdx,
    /// VirtualBox.
    Vdi,
    /// Parallels.
    Parallels,
    /// Linux unified key setup, versions 1 and 2.
    Luks,
    /// Apple disk image.
    Dmg,
    /// Bochs growing disk.
    Bochs,
    /// Compressed loop device.
    Cloop,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 13] = [
        Self::Raw,
        Self::Qcow2,
        Self::Qcow,
        Self::Qed,
        Self::Vmdk,
        Self::Vpc,
        Self::Vhdx,
        Self::Vdi,
        Self::Parallels,
        Self::Luks,
        Self::Dmg,
        Self::Bochs,
        Self::Cloop,
    ];

    /// qemu-img's name for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Qcow => "qcow",
            Self::Qed => "qed",
            Self::Vmdk => "vmdk",
            Self::Vpc => "vpc",
            Self::Vhdx => "vhdx",
            Self::Vdi => "vdi",
            Self::Parallels => "parallels",
            Self::Luks => "luks",
            Self::Dmg => "dmg",
            Self::Bochs => "bochs",
            Self::Cloop => "cloop",
        }
    }

    /// The format with a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// What every image has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The slot of its file.
    pub device: u8,
    /// Its format.
    pub format: Format,
    /// The size of the disk it holds, in bytes.
    pub virtual_size: u64,
    /// The unit of allocation in bytes, for formats that have one.
    pub cluster_size: Option<u64>,
    /// Whether the content is encrypted.
    pub encrypted: bool,
    /// Whether it was left open by its last user; missing where the format does
    /// not know.
    pub dirty: Option<bool>,
    /// The image underneath.
    pub backing: Option<Backing>,
    /// What only this format has.
    pub specific: Option<Specific>,
}

/// A reference to the image underneath.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backing {
    /// Its file name, as the image has it.
    pub path: Path,
    /// Its format, if the image says so.
    pub format: Option<Name>,
}

/// What only one format has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Qcow2 {
    /// Bits in a reference count.
    pub refcount_bits: u64,
    /// How compressed clusters are compressed.
    pub compression: Name,
    /// What version 3 adds.
    pub version_3: Option<Qcow2Version3>,
    /// How the content is encrypted.
    pub encryption: Option<Qcow2Encryption>,
}

/// What version 3 of qcow2 adds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Qcow2Version3 {
    /// Reference counts may lag behind.
    pub lazy_refcounts: bool,
    /// The image is marked as corrupt.
    pub corrupt: bool,
    /// Clusters have subclusters.
    pub extended_l2: bool,
    /// The external file with the data, if there is one and it is named.
    pub data_file: Option<Path>,
    /// Whether that file can be read as a raw image; only said of images with a
    /// data file.
    pub data_file_raw: Option<bool>,
    /// Whether a list of persistent bitmaps follows, be it empty.
    pub has_bitmaps: bool,
}

/// How a qcow2 image is encrypted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Qcow2Encryption {
    /// The old way: AES-CBC with the passphrase for a key.
    Aes,
    /// A LUKS header in the image.
    Luks(Luks),
}

/// What only VMDK has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vmdk {
    /// The content id.
    pub content_id: u32,
    /// The content id of the parent.
    pub parent_content_id: u32,
    /// `monolithicSparse` and the like.
    pub create_type: Name,
}

/// What only LUKS version 1 has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Luks {
    /// The cipher and its key size: `aes-256`.
    pub cipher: Name,
    /// Its mode: `xts`.
    pub mode: Name,
    /// The generator of initialisation vectors: `plain64`.
    pub iv_generator: Name,
    /// The hash that generator uses, if it does.
    pub iv_hash: Option<Name>,
    /// The hash of the key derivation.
    pub hash: Name,
    /// Whether the header is a file of its own.
    pub detached_header: bool,
    /// The volume's id.
    pub uuid: Name,
    /// Where the content starts, in bytes.
    pub payload_offset: u64,
    /// Iterations in the digest of the master key.
    pub master_key_iterations: u64,
}

/// What only LUKS version 2 has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Luks2 {
    /// The volume's id.
    pub uuid: Name,
    /// Its label.
    pub label: Name,
    /// Another label.
    pub subsystem: Name,
    /// How the content is encrypted: `aes-xts-plain64`.
    pub encryption: Name,
    /// How changes are noticed, if they are: `hmac(sha256)`.
    pub integrity: Option<Name>,
    /// Bytes that are encrypted at a time.
    pub sector_size: u64,
    /// Where the content starts, in bytes.
    pub payload_offset: u64,
    /// Whether the content is being encrypted anew, so that only a part of it is
    /// encrypted in this way.
    pub reencryption: bool,
}

/// Something that an image can have many of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Another file that is part of the image and has been opened.
    Child(Child),
    /// What a raw image holds.
    Content(Content),
}

/// An internal snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its id. qemu keeps 127 bytes of it.
    pub id: Text<127>,
    /// Its name. qemu keeps 255 bytes of it.
    pub name: Text<255>,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bitmap {
    /// Its name.
    pub name: Text<1023>,
    /// Bytes of the disk that a bit stands for.
    pub granularity: u64,
    /// It was not saved properly.
    pub in_use: bool,
    /// It is to be enabled when the image is opened.
    pub auto: bool,
}

/// An extent of a VMDK image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// `SPARSE`, `FLAT` and the like.
    pub kind: Name,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExtentFile {
    /// In the image's own file.
    Own,
    /// Nowhere: it holds zeros.
    Nowhere,
    /// In another file, named in the descriptor.
    Named(Path),
}

/// A key slot of LUKS version 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySlot {
    /// Where its key material is, in bytes.
    pub key_offset: u64,
    /// What is known of a slot in use.
    pub active: Option<ActiveKeySlot>,
}

/// A key slot that is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveKeySlot {
    /// Iterations of the key derivation.
    pub iterations: u64,
    /// Into how many stripes the key is split.
    pub stripes: u64,
}

/// A key slot of LUKS version 2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySlot2 {
    /// Its number.
    pub number: u32,
    /// The key derivation: `argon2id`, `pbkdf2`.
    pub derivation: Name,
    /// What the derivation takes, if it is a known one.
    pub cost: Option<KeyCost>,
    /// How the key is encrypted.
    pub encryption: Name,
    /// The size of the volume key in bytes.
    pub key_size: u64,
    /// Where its key material is, in bytes.
    pub key_offset: u64,
}

/// What the derivation of a key takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyCost {
    /// PBKDF2.
    Pbkdf2 {
        /// Its hash.
        hash: Name,
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

/// Another file that is part of the image: an extent of a VMDK image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// The slot it is plugged into.
    pub device: u8,
    /// The number of the extent.
    pub extent: u32,
}

/// What a raw image holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// A DOS partition table.
    Mbr {
        /// The disk's id.
        disk: u32,
        /// How many partitions there are, logical ones included.
        partitions: u32,
    },
    /// A GUID partition table.
    Gpt {
        /// The disk's id.
        disk: Name,
        /// How many of its entries are used.
        partitions: u32,
        /// The size of a sector in bytes.
        sector_size: u32,
        /// Whether the table at the start is right, with its checksums.
        valid: bool,
        /// Whether there is a copy of it that is right.
        backup: bool,
    },
    /// An ISO 9660 file system.
    Iso9660 {
        /// The volume's name.
        volume: Name,
        /// Whether it can be booted from as a CD (El Torito).
        bootable: bool,
    },
    /// A UDF file system.
    Udf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_is_what_the_last_dot_has_behind_it() {
        for (name, expected) in [
            (&b"a.dmg"[..], &b"dmg"[..]),
            (b"d.x/A.b.DMG", b"DMG"),
            (b"d.x/plain", b""),
            (b"d.x/.dmg", b"dmg"),
            (b".dmg", b""),
            (b"dmg", b""),
            (b"a.", b""),
            (b"", b""),
        ] {
            assert_eq!(extension(name), expected, "{}", name.escape_ascii());
        }
    }
}
