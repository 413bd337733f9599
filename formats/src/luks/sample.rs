//! Small valid volumes, for tests. Their keys are nobody's: there is nothing to
//! decrypt.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use sha2::{Digest, Sha256};
use zerocopy::{FromZeros, IntoBytes};

use super::version1::header;
use super::version2::header as version2;
use super::version2::integrity;
use super::{MAGIC, SECTOR};

/// The id of a volume.
pub const UUID: &str = "01234567-89ab-4cde-8f01-23456789abcd";

/// A volume of version 1.
#[derive(Clone, Debug)]
pub struct Version1 {
    /// The name of the cipher.
    pub cipher: &'static str,
    /// Its mode.
    pub mode: &'static str,
    /// The hash.
    pub hash: &'static str,
    /// The size of the master key in bytes.
    pub key_size: u32,
    /// The volume's id.
    pub uuid: &'static str,
    /// Iterations in the digest of the master key.
    pub iterations: u32,
    /// Iterations of each slot, of which those with none are free.
    pub slots: [u32; header::KEY_SLOTS],
    /// The size of the payload in sectors.
    pub payload: u32,
}

impl Default for Version1 {
    /// A disk of 1 MiB with one slot in use.
    fn default() -> Self {
        Self {
            cipher: "aes",
            mode: "cbc-plain64",
            hash: "sha256",
            key_size: 16,
            uuid: UUID,
            iterations: 7000,
            slots: [20_000, 0, 0, 0, 0, 0, 0, 0],
            payload: 2048,
        }
    }
}

impl Version1 {
    /// The header.
    #[must_use]
    pub fn header(&self) -> header::Header {
        let mut header = header::Header::new_zeroed();
        header.magic = MAGIC;
        header.version = header::VERSION.into();
        put(&mut header.cipher, self.cipher);
        put(&mut header.mode, self.mode);
        put(&mut header.hash, self.hash);
        put(&mut header.uuid, self.uuid);
        header.key_size = self.key_size.into();
        header.digest = [0xdd; 20];
        header.digest_salt = [0x5a; 32];
        header.digest_iterations = self.iterations.into();
        let mut sector = header::HEADER_SECTORS;
        for (slot, iterations) in header.key_slots.iter_mut().zip(self.slots) {
            let in_use = iterations != 0;
            let state = if in_use { header::SLOT_ENABLED } else { header::SLOT_DISABLED };
            slot.state = state.into();
            slot.iterations = iterations.into();
            slot.key_offset = sector.into();
            slot.stripes = header::STRIPES.into();
            let key = self.key_size.saturating_mul(header::STRIPES).div_ceil(512);
            sector = sector.saturating_add(key.next_multiple_of(header::HEADER_SECTORS));
        }
        header.payload_offset = sector.into();
        header
    }

    /// The file.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let header = self.header();
        let mut bytes = header.as_bytes().to_vec();
        let sectors = u64::from(header.payload_offset.get()).saturating_add(self.payload.into());
        bytes.resize(usize::try_from(sectors.saturating_mul(SECTOR)).unwrap_or(0), 0);
        bytes
    }
}

/// A volume of version 2.
#[derive(Clone, Debug)]
pub struct Version2 {
    /// The size of header and metadata in bytes.
    pub header_size: u64,
    /// The room for keys in bytes.
    pub keys_size: u64,
    /// The number of changes so far.
    pub sequence: u64,
    /// The volume's id.
    pub uuid: &'static str,
    /// Its label.
    pub label: &'static str,
    /// Its other label.
    pub subsystem: &'static str,
    /// The members of the object with the key slots.
    pub key_slots: Vec<String>,
    /// The members of the object with the segments.
    pub segments: Vec<String>,
    /// What one must know of to use the volume.
    pub requirements: Vec<&'static str>,
    /// The size of the payload in bytes.
    pub payload: usize,
}

impl Default for Version2 {
    /// A disk of 64 KiB with one slot in use.
    fn default() -> Self {
        Self {
            header_size: 16 << 10,
            keys_size: 256 << 10,
            sequence: 3,
            uuid: UUID,
            label: "",
            subsystem: "",
            key_slots: vec![key_slot(0, 32 << 10, KDF)],
            segments: vec![segment(0, 288 << 10, "dynamic")],
            requirements: Vec::new(),
            payload: 64 << 10,
        }
    }
}

/// The derivation of a key, of the kind that cryptsetup prefers.
pub const KDF: &str = r#"{"type":"argon2id","time":4,"memory":1048576,"cpus":2,"salt":"c2FsdA=="}"#;

/// The size of the area of a key slot in bytes.
const AREA: u64 = 4096;

/// The member for a key slot.
#[must_use]
pub fn key_slot(number: u32, offset: u64, kdf: &str) -> String {
    format!(
        r#""{number}":{{"type":"luks2","key_size":64,"af":{{"type":"luks1","stripes":4000,"hash":"sha256"}},"area":{{"type":"raw","offset":"{offset}","size":"{AREA}","encryption":"aes-xts-plain64","key_size":64}},"kdf":{kdf}}}"#
    )
}

/// The member for a segment, of so many bytes or `dynamic`.
#[must_use]
pub fn segment(number: u32, offset: u64, size: &str) -> String {
    format!(
        r#""{number}":{{"type":"crypt","offset":"{offset}","size":"{size}","iv_tweak":"0","encryption":"aes-xts-plain64","sector_size":512}}"#
    )
}

impl Version2 {
    /// The metadata.
    #[must_use]
    pub fn metadata(&self) -> String {
        let requirements: Vec<_> =
            self.requirements.iter().map(|name| format!("\"{name}\"")).collect();
        let (key_slots, segments) = (numbers(&self.key_slots), numbers(&self.segments));
        format!(
            r#"{{"keyslots":{{{}}},"tokens":{{}},"segments":{{{}}},"digests":{{"0":{{"type":"pbkdf2","keyslots":[{key_slots}],"segments":[{segments}],"hash":"sha256","iterations":1000,"salt":"c2FsdA==","digest":"ZGlnZXN0"}}}},"config":{{"json_size":"{}","keyslots_size":"{}","requirements":{{"mandatory":[{}]}}}}}}"#,
            self.key_slots.join(","),
            self.segments.join(","),
            self.header_size.saturating_sub(version2::BINARY_SIZE),
            self.keys_size,
            requirements.join(","),
        )
    }

    /// The header that is at `offset`, with these metadata.
    #[must_use]
    pub fn header(&self, offset: u64, metadata: &[u8]) -> Vec<u8> {
        let mut header = version2::Header::new_zeroed();
        header.magic = if offset == 0 { MAGIC } else { version2::SECONDARY_MAGIC };
        header.version = version2::VERSION.into();
        header.size = self.header_size.into();
        header.sequence = self.sequence.into();
        put(&mut header.label, self.label);
        put(&mut header.subsystem, self.subsystem);
        put(&mut header.uuid, self.uuid);
        put(&mut header.checksum_algorithm, version2::CHECKSUM);
        header.salt = if offset == 0 { [1; 64] } else { [2; 64] };
        header.offset = offset.into();
        let mut bytes = header.as_bytes().to_vec();
        bytes.resize(usize::try_from(version2::BINARY_SIZE).unwrap_or(0), 0);
        bytes.extend_from_slice(metadata);
        bytes.resize(usize::try_from(self.header_size).unwrap_or(0), 0);
        with_checksum(bytes)
    }

    /// The file.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let metadata = self.metadata();
        let metadata = metadata.as_bytes();
        self.with_headers(self.header(0, metadata), self.header(self.header_size, metadata))
    }

    /// The file, with these headers.
    #[must_use]
    pub fn with_headers(&self, primary: Vec<u8>, secondary: Vec<u8>) -> Vec<u8> {
        let mut bytes = [primary, secondary].concat();
        let keys = usize::try_from(self.keys_size).unwrap_or(0);
        let length = bytes.len().saturating_add(keys).saturating_add(self.payload);
        bytes.resize(length, 0);
        bytes
    }
}

/// The numbers of members, in quotation marks.
fn numbers(members: &[String]) -> String {
    let numbers = members.iter().filter_map(|member| member.split('"').nth(1));
    let numbers: Vec<_> = numbers.map(|number| format!("\"{number}\"")).collect();
    numbers.join(",")
}

/// A header of version 2 with the right checksum.
#[must_use]
pub fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    let place = core::mem::offset_of!(version2::Header, checksum);
    let zeros = [0; 64];
    overwrite(&mut bytes, place, &zeros);
    let checksum = Sha256::digest(&bytes);
    overwrite(&mut bytes, place, &checksum);
    bytes
}

/// The superblock of dm-integrity for a disk of so many sectors.
#[must_use]
pub fn superblock(sectors: u64) -> Vec<u8> {
    let mut superblock = integrity::Superblock::new_zeroed();
    superblock.magic = integrity::MAGIC;
    superblock.version = 1;
    superblock.tag_size = 32.into();
    superblock.sectors = sectors.into();
    superblock.as_bytes().to_vec()
}

/// Puts a text into a field, as far as it goes.
fn put(field: &mut [u8], text: &str) {
    overwrite(field, 0, text.as_bytes());
}

/// Overwrites bytes, as far as they go.
fn overwrite(bytes: &mut [u8], place: usize, new: &[u8]) {
    for (target, source) in bytes.iter_mut().skip(place).zip(new) {
        *target = *source;
    }
}
