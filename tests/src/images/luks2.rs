//! LUKS volumes of version 2. qemu-img takes them for raw images.

use formats::luks::sample::{KDF, Version2, key_slot, segment, superblock};

use super::{Image, Step, Verdict};

/// A volume of cryptsetup's, with these options, and what is done to it. The
/// second header is at 16 KiB, the payload at 1 MiB.
macro_rules! made_by_cryptsetup {
    ($name:literal, $options:literal $(, $step:expr)*) => {
        Image::new(
            $name,
            "a.luks",
            &[
                Step::Write("key", || vec![7; 32]),
                Step::Run("truncate -s 4M a.luks"),
                Step::Run(concat!(
                    "cryptsetup luksFormat --type luks2 -q --key-file key ",
                    "--pbkdf-force-iterations 4 --pbkdf-memory 32 --pbkdf-parallel 1 ",
                    "--uuid 01234567-89ab-4cde-8f01-23456789abcd --offset 2048 ",
                    "--luks2-metadata-size 16k --luks2-keyslots-size 992k --sector-size 512 ",
                    $options,
                    " a.luks"
                ))
                $(, $step)*
            ],
        )
    };
}

/// A volume of the sample maker's.
macro_rules! sample {
    ($name:literal, $bytes:expr) => {
        Image::new($name, "a.luks", &[Step::Write("a.luks", $bytes)])
    };
}

/// A file whose headers have these sequence numbers, and labels that tell them
/// apart.
fn copies(primary: u64, secondary: u64) -> Vec<u8> {
    let sample = Version2::default();
    let text = sample.metadata();
    let header = |label, sequence, offset| {
        Version2 { label, sequence, ..sample.clone() }.header(offset, text.as_bytes())
    };
    let second = header("the second header", secondary, sample.header_size);
    sample.with_headers(header("the first header", primary, 0), second)
}

/// A file with other metadata.
fn with_metadata(change: impl Fn(&str) -> String) -> Vec<u8> {
    let sample = Version2::default();
    let text = change(&sample.metadata());
    let header = |offset| sample.header(offset, text.as_bytes());
    sample.with_headers(header(0), header(sample.header_size))
}

/// A file with these segments.
fn with_segments(segments: Vec<String>) -> Vec<u8> {
    Version2 { segments, ..Version2::default() }.bytes()
}

/// Where the payload of the sample starts, in bytes.
const PAYLOAD: u64 = 288 << 10;

/// A file with a segment that notices changes.
fn with_integrity(superblock: &[u8]) -> Vec<u8> {
    let integrity = r#"{"integrity":{"type":"hmac(sha256)","journal_encryption":"none","journal_integrity":"none"},"#;
    let member = segment(0, PAYLOAD, "dynamic").replacen('{', integrity, 1);
    let mut bytes = with_segments(vec![member]);
    let place = usize::try_from(PAYLOAD).unwrap_or(0);
    bytes[place..place + superblock.len()].copy_from_slice(superblock);
    bytes
}

/// What cryptsetup makes, and what can go wrong with it.
pub const IMAGES: &[Image] = &[
    made_by_cryptsetup!("Argon2", "--label 'a label' --subsystem 'a subsystem'")
        .verdict(Verdict::Expected("luks2-argon2")),
    made_by_cryptsetup!("PBKDF2", "--pbkdf pbkdf2 --pbkdf-force-iterations 1000 --hash sha512")
        .verdict(Verdict::Expected("luks2-pbkdf2")),
    made_by_cryptsetup!(
        "another cipher and large sectors",
        "-c aes-cbc-essiv:sha256 -s 128 --sector-size 4096"
    )
    .verdict(Verdict::Expected("luks2-aes-cbc")),
    made_by_cryptsetup!(
        "several keys",
        "",
        Step::Write("key2", || vec![8; 32]),
        Step::Run(
            "cryptsetup luksAddKey -q --key-file key --pbkdf pbkdf2 --pbkdf-force-iterations 1001 \
             -S 3 a.luks key2"
        ),
        Step::Run(
            "cryptsetup luksAddKey -q --key-file key --pbkdf argon2i --pbkdf-force-iterations 5 \
             --pbkdf-memory 64 --pbkdf-parallel 1 -S 1 a.luks key2"
        ),
        Step::Run("cryptsetup luksKillSlot -q --key-file key2 a.luks 0")
    )
    .verdict(Verdict::Expected("luks2-several-keys")),
    made_by_cryptsetup!("no key", "", Step::Run("cryptsetup luksErase -q a.luks"))
        .verdict(Verdict::Expected("luks2-no-key")),
    made_by_cryptsetup!(
        "a copy of headers and keys",
        "",
        Step::Run("cryptsetup luksHeaderBackup a.luks --header-backup-file b.luks"),
        Step::Run("mv b.luks a.luks")
    )
    .verdict(Verdict::Expected("luks2-backup")),
    made_by_cryptsetup!(
        "being encrypted anew",
        "",
        Step::Run(
            "cryptsetup reencrypt --init-only -q --key-file key --pbkdf-force-iterations 4 \
             --pbkdf-memory 32 --pbkdf-parallel 1 -c aes-cbc-essiv:sha256 -s 256 a.luks"
        )
    )
    .verdict(Verdict::Expected("luks2-reencryption")),
    made_by_cryptsetup!("the first header damaged", "", Step::Patch("a.luks", 4200, b"damage"))
        .verdict(Verdict::Expected("luks2-second-header")),
    made_by_cryptsetup!(
        "the size in the first header damaged",
        "",
        Step::Patch("a.luks", 8, &[0xff; 8])
    )
    .verdict(Verdict::Expected("luks2-second-header")),
    made_by_cryptsetup!(
        "the second header damaged",
        "",
        Step::Patch("a.luks", 16 << 10, &[0; 4096])
    )
    .verdict(Verdict::Expected("luks2-second-header")),
    made_by_cryptsetup!(
        "both headers damaged",
        "",
        Step::Patch("a.luks", 4200, b"damage"),
        Step::Patch("a.luks", (16 << 10) + 4200, b"damage")
    )
    .verdict(Verdict::Refused(
        "the checksum of the header is wrong, and the other header is not valid either",
    )),
    made_by_cryptsetup!("cut off", "", Step::Run("truncate -s 1048064 a.luks"))
        .verdict(Verdict::Refused("the segment at 1048576 does not lie in the file")),
    made_by_cryptsetup!("cut off behind the headers", "", Step::Run("truncate -s 32K a.luks"))
        .verdict(Verdict::Refused("Keyslot 0 does not lie in the file")),
    made_by_cryptsetup!("cut off in the header", "", Step::Run("truncate -s 10000 a.luks"))
        .verdict(Verdict::Refused(
            "the header at 0 (16384 bytes) does not lie in the file, and the other header is not \
             valid either",
        )),
    Image::new(
        "a header by itself",
        "a.luks",
        &[
            Step::Write("key", || vec![7; 32]),
            Step::Run("truncate -s 1M payload"),
            Step::Run(
                "cryptsetup luksFormat --type luks2 -q --key-file key --pbkdf-force-iterations 4 \
                 --pbkdf-memory 32 --header a.luks payload",
            ),
        ],
    )
    .verdict(Verdict::Refused(
        "LUKS payload is overlapping with the header, and the other header is not valid either",
    )),
    // What cryptsetup does not make here.
    sample!("the first header is newer", || copies(4, 3))
        .verdict(Verdict::Expected("luks2-first-header-newer")),
    sample!("the second header is newer", || copies(3, 4))
        .verdict(Verdict::Expected("luks2-second-header-newer")),
    sample!("the largest header", || {
        Version2 {
            header_size: 4 << 20,
            key_slots: (0..32)
                .map(|slot| key_slot(slot, (8 << 20) + u64::from(slot) * 8192, KDF))
                .collect(),
            segments: vec![segment(0, (8 << 20) + (256 << 10), "dynamic")],
            ..Version2::default()
        }
        .bytes()
    })
    .verdict(Verdict::Expected("luks2-largest")),
    sample!("a disk of fixed size", || with_segments(vec![segment(0, PAYLOAD, "4096")]))
        .verdict(Verdict::Expected("luks2-fixed-size")),
    sample!("partly encrypted", || {
        // How it was, and how it will be, is kept beside what is.
        let plain = |number: u32, size: &str| {
            format!(r#""{number}":{{"type":"linear","offset":"{PAYLOAD}","size":"{size}"}}"#)
        };
        let kept = |member: String, flag: &str| {
            member.replacen('{', &format!("{{\"flags\":[\"backup-{flag}\"],"), 1)
        };
        let progress = r#""1":{"type":"reencrypt","key_size":1,"mode":"encrypt","direction":"backward","area":{"type":"none","offset":"36864","size":"4096"}}"#;
        Version2 {
            key_slots: vec![key_slot(0, 32 << 10, KDF), progress.to_owned()],
            segments: vec![
                plain(0, "4096"),
                segment(1, PAYLOAD + 4096, "dynamic"),
                kept(plain(2, "dynamic"), "previous"),
                kept(segment(3, PAYLOAD, "dynamic"), "final"),
            ],
            requirements: vec!["online-reencrypt-v2"],
            ..Version2::default()
        }
        .bytes()
    })
    .verdict(Verdict::Expected("luks2-partly-encrypted")),
    sample!("changes are noticed", || with_integrity(&superblock(100)))
        .verdict(Verdict::Expected("luks2-integrity")),
    sample!("changes are noticed, but how much", || with_integrity(&[0; 64]))
        .verdict(Verdict::Refused("there is no superblock of dm-integrity at 294912")),
    sample!("labels that are no text", || {
        Version2 { label: "\x1b[31mred\r\n", subsystem: "\u{202e}", ..Version2::default() }.bytes()
    })
    .verdict(Verdict::Expected("luks2-escapes")),
    sample!("an unknown derivation", || {
        let key_slots = vec![key_slot(31, 32 << 10, r#"{"type":"scrypt","n":7}"#)];
        Version2 { key_slots, ..Version2::default() }.bytes()
    })
    .verdict(Verdict::Expected("luks2-unknown-derivation")),
    sample!("metadata that are no JSON", || with_metadata(|text| text.replacen(':', ";", 1)))
        .verdict(Verdict::Refused(
            "the metadata are damaged: a colon is missing at byte 11, and the other header is not \
             valid either",
        )),
    sample!("metadata that nest too deeply", || with_metadata(|_| "{\"a\":".repeat(2000))).verdict(
        Verdict::Refused(
            "the metadata are damaged: values nest too deeply at byte 161, and the other header is \
             not valid either",
        ),
    ),
    sample!("metadata of another size", || {
        with_metadata(|text| text.replace("12288", "4190208"))
    })
    .verdict(Verdict::Refused(
        "the metadata have 4190208 bytes, and the header says otherwise, and the other header is \
         not valid either",
    )),
    sample!("a header of another size", || {
        let mut bytes = Version2::default().bytes();
        bytes[8..16].copy_from_slice(&(8_u64 << 20).to_be_bytes());
        bytes[16 << 10] = 0;
        bytes
    })
    .verdict(Verdict::Refused(
        "a header cannot have 8388608 bytes, and the other header is not valid either",
    )),
    sample!("another checksum", || {
        let mut bytes = Version2::default().bytes();
        bytes[72..78].copy_from_slice(b"md5\0\0\0");
        bytes[16 << 10] = 0;
        bytes
    })
    .verdict(Verdict::Refused(
        "Checksum algorithm 'md5' not supported, and the other header is not valid either",
    )),
    sample!("a key far away", || {
        let key_slots = vec![key_slot(0, u64::MAX, KDF)];
        Version2 { key_slots, ..Version2::default() }.bytes()
    })
    .verdict(Verdict::Refused(
        "Keyslot 0 is overlapping with the encrypted payload, and the other header is not valid \
         either",
    )),
    sample!("two keys at one place", || {
        let key_slots = vec![key_slot(4, 32 << 10, KDF), key_slot(7, (32 << 10) + 512, KDF)];
        Version2 { key_slots, ..Version2::default() }.bytes()
    })
    .verdict(Verdict::Refused(
        "Keyslots 4 and 7 are overlapping in the header, and the other header is not valid either",
    )),
    sample!("a payload far away", || with_segments(vec![segment(0, 1 << 63, "dynamic")]))
        .verdict(Verdict::Refused("the segment at 9223372036854775808 does not lie in the file")),
    sample!("a disk larger than its file", || {
        with_segments(vec![segment(0, PAYLOAD, "18446744073709551104")])
    })
    .verdict(Verdict::Refused("the segment at 294912 does not lie in the file")),
    sample!("nothing that is encrypted", || with_segments(Vec::new()))
        .verdict(Verdict::Refused("the volume has no encrypted segment")),
    sample!("a drive that encrypts by itself", || {
        let opal = r#""1":{"type":"hw-opal","offset":"327680","size":"dynamic"}"#;
        with_segments(vec![segment(0, PAYLOAD, "32768"), opal.to_owned()])
    })
    .verdict(Verdict::Refused("Segment type 'hw-opal' not supported")),
];
