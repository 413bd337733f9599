//! What a format says, in the words of the reply.
//!
//! The two vocabularies are kept apart on purpose: `formats` knows nothing of
//! the wall between guest and host, and `abi` bounds what crosses it.

use alloc::string::ToString;
use core::fmt::Write as _;

use abi::info;
use abi::reply::FailureKind;
use abi::text::{Name, Text};
use formats::contents::Content;
use formats::image::{
    Backing, Bitmap, Description, Extent, ExtentFile, KeyCost, KeySlot, KeySlot2, Luks, Luks2,
    Part, Qcow2, Qcow2Encryption, Qcow2Version3, Snapshot, Specific, Vmdk,
};

use crate::session::Error;

/// The head of a description.
///
/// # Errors
///
/// If a name is too long to cross, or the format is unknown on the other side.
pub fn image(slot: u8, format: &str, description: &Description) -> Result<info::Image, Error> {
    let format = info::Format::from_name(format);
    Ok(info::Image {
        device: slot,
        format: format.ok_or_else(|| Error::request("the format has no name for the host"))?,
        virtual_size: description.virtual_size,
        cluster_size: description.cluster_size,
        encrypted: description.encrypted,
        dirty: description.dirty,
        backing: description
            .backing
            .as_ref()
            .map(|backing| self::backing(slot, backing))
            .transpose()?,
        specific: description.specific.as_ref().map(|it| specific(slot, it)).transpose()?,
    })
}

/// A part of an image.
#[must_use]
pub fn part(part: &Part) -> info::Part {
    match part {
        Part::Snapshot(it) => info::Part::Snapshot(snapshot(it)),
        Part::Bitmap(it) => info::Part::Bitmap(bitmap(it)),
        Part::Extent(it) => info::Part::Extent(extent(it)),
        Part::KeySlot(it) => info::Part::KeySlot(key_slot(it)),
        Part::KeySlot2(it) => info::Part::KeySlot2(key_slot_2(it)),
    }
}

/// What a raw image holds.
#[must_use]
pub fn content(content: &Content) -> info::Content {
    match content {
        Content::Mbr(it) => info::Content::Mbr { disk: it.disk, partitions: it.partitions },
        Content::Gpt(it) => {
            let mut disk = Name::default();
            // Text takes what there is room for, and never fails.
            let _ = write!(disk, "{}", it.disk);
            info::Content::Gpt {
                disk,
                partitions: it.partitions,
                sector_size: it.sector_size,
                valid: it.valid,
                backup: it.backup,
            }
        }
        Content::Iso9660(it) => {
            let volume = Text::truncated(&it.volume);
            info::Content::Iso9660 { volume, bootable: it.bootable }
        }
        Content::Udf => info::Content::Udf,
    }
}

/// A file name, which must cross whole.
fn path(slot: u8, path: &[u8]) -> Result<abi::text::Path, Error> {
    Text::new(path).ok_or_else(|| {
        let message = "a reference is longer than a file name can be".to_string();
        Error::about(slot, FailureKind::Corrupt, message)
    })
}

fn backing(slot: u8, backing: &Backing) -> Result<info::Backing, Error> {
    Ok(info::Backing {
        path: path(slot, &backing.path)?,
        format: backing.format.as_deref().map(Text::truncated),
    })
}

fn specific(slot: u8, specific: &Specific) -> Result<info::Specific, Error> {
    Ok(match specific {
        Specific::Qcow2(it) => info::Specific::Qcow2(qcow2(slot, it)?),
        Specific::Vmdk(it) => info::Specific::Vmdk(vmdk(it)),
        Specific::Luks(it) => info::Specific::Luks(luks(it)),
        Specific::Luks2(it) => info::Specific::Luks2(luks2(it)),
    })
}

fn qcow2(slot: u8, it: &Qcow2) -> Result<info::Qcow2, Error> {
    Ok(info::Qcow2 {
        refcount_bits: it.refcount_bits,
        compression: it.compression.into(),
        version_3: it.version_3.as_ref().map(|it| qcow2_version_3(slot, it)).transpose()?,
        encryption: it.encryption.as_ref().map(|encryption| match encryption {
            Qcow2Encryption::Aes => info::Qcow2Encryption::Aes,
            Qcow2Encryption::Luks(it) => info::Qcow2Encryption::Luks(luks(it)),
        }),
    })
}

fn qcow2_version_3(slot: u8, it: &Qcow2Version3) -> Result<info::Qcow2Version3, Error> {
    Ok(info::Qcow2Version3 {
        lazy_refcounts: it.lazy_refcounts,
        corrupt: it.corrupt,
        extended_l2: it.extended_l2,
        data_file: it.data_file.as_deref().map(|name| path(slot, name)).transpose()?,
        data_file_raw: it.data_file_raw,
        has_bitmaps: it.has_bitmaps,
    })
}

fn vmdk(it: &Vmdk) -> info::Vmdk {
    info::Vmdk {
        content_id: it.content_id,
        parent_content_id: it.parent_content_id,
        create_type: Text::truncated(&it.create_type),
    }
}

fn luks(it: &Luks) -> info::Luks {
    let name = |text: &str| Text::truncated(text.as_bytes());
    info::Luks {
        cipher: name(&it.cipher),
        mode: name(&it.mode),
        iv_generator: name(&it.iv_generator),
        iv_hash: it.iv_hash.as_deref().map(name),
        hash: name(&it.hash),
        detached_header: it.detached_header,
        uuid: Text::truncated(&it.uuid),
        payload_offset: it.payload_offset,
        master_key_iterations: it.master_key_iterations,
    }
}

fn luks2(it: &Luks2) -> info::Luks2 {
    info::Luks2 {
        uuid: Text::truncated(&it.uuid),
        label: Text::truncated(&it.label),
        subsystem: Text::truncated(&it.subsystem),
        encryption: Text::truncated(&it.encryption),
        integrity: it.integrity.as_deref().map(Text::truncated),
        sector_size: it.sector_size,
        payload_offset: it.payload_offset,
        reencryption: it.reencryption,
    }
}

fn snapshot(it: &Snapshot) -> info::Snapshot {
    info::Snapshot {
        id: Text::truncated(&it.id),
        name: Text::truncated(&it.name),
        vm_state_size: it.vm_state_size,
        date_seconds: it.date_seconds,
        date_nanoseconds: it.date_nanoseconds,
        vm_clock: it.vm_clock,
        instruction_count: it.instruction_count,
    }
}

fn bitmap(it: &Bitmap) -> info::Bitmap {
    info::Bitmap {
        name: Text::truncated(&it.name),
        granularity: it.granularity,
        in_use: it.in_use,
        auto: it.auto,
    }
}

fn extent(it: &Extent) -> info::Extent {
    info::Extent {
        kind: Text::truncated(&it.kind),
        file: match &it.file {
            ExtentFile::Own => info::ExtentFile::Own,
            ExtentFile::Nowhere => info::ExtentFile::Nowhere,
            ExtentFile::Named(path) => info::ExtentFile::Named(Text::truncated(path)),
        },
        virtual_size: it.virtual_size,
        cluster_size: it.cluster_size,
        compressed: it.compressed,
    }
}

fn key_slot(it: &KeySlot) -> info::KeySlot {
    let active = |(iterations, stripes)| info::ActiveKeySlot { iterations, stripes };
    info::KeySlot { key_offset: it.key_offset, active: it.active.map(active) }
}

fn key_slot_2(it: &KeySlot2) -> info::KeySlot2 {
    info::KeySlot2 {
        number: it.number,
        derivation: Text::truncated(&it.derivation),
        cost: it.cost.as_ref().map(key_cost),
        encryption: Text::truncated(&it.encryption),
        key_size: it.key_size,
        key_offset: it.key_offset,
    }
}

fn key_cost(it: &KeyCost) -> info::KeyCost {
    match it {
        KeyCost::Pbkdf2 { hash, iterations } => {
            info::KeyCost::Pbkdf2 { hash: Text::truncated(hash), iterations: *iterations }
        }
        KeyCost::Argon2 { time, memory, cpus } => {
            info::KeyCost::Argon2 { time: *time, memory: *memory, cpus: *cpus }
        }
    }
}
