//! What only one format has, as qemu's schema names it.

use std::fmt::Write as _;

use abi::info::{
    Bitmap, Content, Extent, ExtentFile, KeyCost, KeySlot, KeySlot2, Luks, Luks2, Qcow2,
    Qcow2Encryption, Specific, Vmdk,
};

use super::collect::Described;
use crate::file_name;
use crate::host_file::HostFile;
use crate::output::value::{Dict, Value};

/// What only the format of an image has: the kind, and the data.
#[must_use]
pub fn of(described: &Described, filename: &[u8]) -> Option<(&'static str, Dict)> {
    match described.image.specific.as_ref()? {
        Specific::Qcow2(it) => Some(("qcow2", qcow2(it, described))),
        Specific::Vmdk(it) => Some(("vmdk", vmdk(it, &described.extents, filename))),
        Specific::Luks(it) => Some(("luks", luks(it, &described.key_slots))),
        Specific::Luks2(it) => Some(("luks", luks2(it, &described.key_slots_2))),
    }
}

/// What only a file has.
#[must_use]
pub fn of_file(file: &HostFile) -> Dict {
    Dict::new().with_some("extent-size-hint", file.extent_size_hint())
}

fn list<T>(items: &[T], item: impl Fn(&T) -> Dict) -> Vec<Value> {
    items.iter().map(|it| item(it).into()).collect()
}

fn qcow2(it: &Qcow2, described: &Described) -> Dict {
    let Some(version_3) = &it.version_3 else {
        return qcow2_common(Dict::new().with("compat", "0.10"), it, described);
    };
    let dict = Dict::new()
        .with("compat", "1.1")
        .with_some("data-file", version_3.data_file.as_ref().map(|name| name.as_bytes()))
        .with_some("data-file-raw", version_3.data_file_raw)
        .with("extended-l2", version_3.extended_l2)
        .with("lazy-refcounts", version_3.lazy_refcounts)
        .with("corrupt", version_3.corrupt);
    let bitmaps = version_3.has_bitmaps.then(|| list(&described.bitmaps, bitmap));
    qcow2_common(dict, it, described).with_some("bitmaps", bitmaps)
}

/// What both versions have.
fn qcow2_common(dict: Dict, it: &Qcow2, described: &Described) -> Dict {
    let encryption = it.encryption.as_ref().map(|encryption| match encryption {
        Qcow2Encryption::Aes => Dict::new().with("format", "aes"),
        Qcow2Encryption::Luks(it) => luks(it, &described.key_slots).with("format", "luks"),
    });
    dict.with("refcount-bits", it.refcount_bits)
        .with_some("encrypt", encryption)
        .with("compression-type", it.compression.as_bytes())
}

fn bitmap(it: &Bitmap) -> Dict {
    let flags = [("in-use", it.in_use), ("auto", it.auto)];
    let flags = flags.into_iter().filter(|(_, set)| *set).map(|(name, _)| name.into());
    Dict::new()
        .with("name", it.name.as_bytes())
        .with("granularity", it.granularity)
        .with("flags", flags.collect::<Vec<Value>>())
}

fn vmdk(it: &Vmdk, extents: &[Extent], filename: &[u8]) -> Dict {
    Dict::new()
        .with("create-type", it.create_type.as_bytes())
        .with("cid", it.content_id)
        .with("parent-cid", it.parent_content_id)
        .with("extents", list(extents, |extent| self::extent(extent, filename)))
}

fn extent(it: &Extent, filename: &[u8]) -> Dict {
    let file = match &it.file {
        ExtentFile::Own => Some(filename.to_vec()),
        ExtentFile::Nowhere => None,
        ExtentFile::Named(name) => Some(file_name::combine(filename, name.as_bytes())),
    };
    Dict::new()
        .with_some("filename", file)
        .with("format", it.kind.as_bytes())
        .with("virtual-size", it.virtual_size)
        .with_some("cluster-size", it.cluster_size)
        .with_some("compressed", it.compressed.then_some(true))
}

fn luks(it: &Luks, slots: &[KeySlot]) -> Dict {
    Dict::new()
        .with("cipher-alg", it.cipher.as_bytes())
        .with("cipher-mode", it.mode.as_bytes())
        .with("ivgen-alg", it.iv_generator.as_bytes())
        .with_some("ivgen-hash-alg", it.iv_hash.as_ref().map(|name| name.as_bytes()))
        .with("hash-alg", it.hash.as_bytes())
        .with("detached-header", it.detached_header)
        .with("payload-offset", it.payload_offset)
        .with("master-key-iters", it.master_key_iterations)
        .with("uuid", it.uuid.as_bytes())
        .with("slots", list(slots, key_slot))
}

fn key_slot(it: &KeySlot) -> Dict {
    Dict::new()
        .with("active", it.active.is_some())
        .with_some("iters", it.active.map(|active| active.iterations))
        .with_some("stripes", it.active.map(|active| active.stripes))
        .with("key-offset", it.key_offset)
}

/// qemu has no names for these: it does not know the version.
fn luks2(it: &Luks2, slots: &[KeySlot2]) -> Dict {
    let label = (!it.label.is_empty()).then_some(it.label.as_bytes());
    let subsystem = (!it.subsystem.is_empty()).then_some(it.subsystem.as_bytes());
    Dict::new()
        .with("version", 2_u32)
        .with("uuid", it.uuid.as_bytes())
        .with_some("label", label)
        .with_some("subsystem", subsystem)
        .with("encryption", it.encryption.as_bytes())
        .with_some("integrity", it.integrity.as_ref().map(|name| name.as_bytes()))
        .with("sector-size", it.sector_size)
        .with_some("reencryption", it.reencryption.then_some(true))
        .with("payload-offset", it.payload_offset)
        .with("slots", list(slots, key_slot_2))
}

fn key_slot_2(it: &KeySlot2) -> Dict {
    let dict = Dict::new().with("slot", it.number).with("kdf", it.derivation.as_bytes());
    let dict = match &it.cost {
        None => dict,
        Some(KeyCost::Pbkdf2 { hash, iterations }) => {
            dict.with("hash-alg", hash.as_bytes()).with("iters", *iterations)
        }
        Some(KeyCost::Argon2 { time, memory, cpus }) => {
            dict.with("time", *time).with("memory-kib", *memory).with("cpus", *cpus)
        }
    };
    dict.with("encryption", it.encryption.as_bytes())
        .with("key-size", it.key_size)
        .with("key-offset", it.key_offset)
}

/// What a raw image holds.
#[must_use]
pub fn contents(contents: &[Content]) -> Vec<Dict> {
    contents.iter().map(content).collect()
}

fn content(it: &Content) -> Dict {
    match it {
        Content::Mbr { partitions } => {
            Dict::new().with("type", "mbr").with("partitions", u32::from(*partitions))
        }
        Content::Gpt { disk, partitions, valid } => Dict::new()
            .with("type", "gpt")
            .with("disk", disk.as_bytes())
            .with("partitions", *partitions)
            .with("valid", *valid),
        Content::Iso9660 { volume, bootable } => Dict::new()
            .with("type", "iso9660")
            .with("volume", volume.as_bytes())
            .with("bootable", *bootable),
        Content::Udf => Dict::new().with("type", "udf"),
    }
}

/// What a raw image holds, on one line for people.
#[must_use]
pub fn content_in_words(content: &Dict) -> String {
    let mut words = String::new();
    for (index, (key, value)) in content.in_declared_order().enumerate() {
        let value = match value {
            Value::Text(text) => crate::output::escape::for_terminal(text),
            other => crate::output::json::compact(other),
        };
        // Writing to a string does not fail.
        let _ = match index {
            0 => write!(words, "{value}"),
            1 => write!(words, " ({key}: {value}"),
            _ => write!(words, ", {key}: {value}"),
        };
    }
    if words.contains('(') {
        words.push(')');
    }
    words
}
