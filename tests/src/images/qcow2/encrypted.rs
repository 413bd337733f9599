//! qcow2 images that are encrypted, or should be.

use formats::luks::sample::Version1 as Luks;
use formats::qcow2::extension::ENCRYPTION;
use formats::qcow2::sample::{Bitmap, Sample, Snapshot};

use super::super::{Image, Step, Verdict};
use super::{FILE, extended, made};

/// Makes an encrypted image with qemu-img.
macro_rules! encrypted {
    ($name:literal, $options:literal) => {
        made!($name, "--object secret,id=s,data=x -o encrypt.key-secret=s,", $options)
    };
}

/// Both methods, and what can be wrong with the second.
pub const IMAGES: &[Image] = &[
    encrypted!("AES", "encrypt.format=aes a.qcow2 10M"),
    encrypted!("AES of version 2", "compat=0.10,encrypt.format=aes a.qcow2 10M"),
    encrypted!("LUKS", "encrypt.format=luks,encrypt.iter-time=10 a.qcow2 10M"),
    encrypted!(
        "LUKS of version 2",
        "compat=0.10,encrypt.format=luks,encrypt.iter-time=10 a.qcow2 10M"
    ),
    encrypted!(
        "LUKS in small clusters",
        "cluster_size=512,encrypt.format=luks,encrypt.iter-time=10 a.qcow2 10M"
    ),
    encrypted!(
        "LUKS in large clusters",
        "cluster_size=2M,encrypt.format=luks,encrypt.iter-time=10 a.qcow2 10M"
    ),
    encrypted!(
        "LUKS with another hash",
        "encrypt.format=luks,encrypt.iter-time=10,encrypt.hash-alg=sha512 a.qcow2 10M"
    ),
    encrypted!(
        "LUKS with another cipher",
        "encrypt.format=luks,encrypt.iter-time=10,encrypt.cipher-alg=serpent-128,encrypt.cipher-mode=cbc,encrypt.ivgen-alg=essiv,encrypt.ivgen-hash-alg=sha256 a.qcow2 10M"
    ),
    made(
        "LUKS with two keys and a snapshot",
        &[
            create!(
                "--object secret,id=s,data=x -o encrypt.key-secret=s,encrypt.format=luks,encrypt.iter-time=10 a.qcow2 10M"
            ),
            Step::Run(
                "qemu-img amend --object secret,id=s,data=x --object secret,id=t,data=y --image-opts driver=qcow2,file.filename=a.qcow2,encrypt.key-secret=s -o encrypt.state=active,encrypt.new-secret=t,encrypt.iter-time=10",
            ),
        ],
    ),
    written!("a small LUKS header", luks(Luks { payload: 0, ..Luks::default() })),
    written!(
        "LUKS, snapshots and bitmaps",
        Sample {
            snapshots: vec![Snapshot::new(b"1", b"one")],
            bitmaps: vec![Bitmap::new(b"one", 16)],
            ..luks(Luks { payload: 0, ..Luks::default() })
        }
    ),
    written!("no LUKS header", Sample { encryption: 2, ..Sample::default() }),
    written!(
        "garbage for a LUKS header",
        Sample { encryption: 2, luks_header: Some(vec![7; 592]), ..Sample::default() }
    ),
    written!(
        "a LUKS header that is too short",
        Sample { encryption: 2, luks_header: Some(vec![7; 591]), ..Sample::default() }
    ),
    written!("a LUKS header without encryption", Sample { encryption: 0, ..luks(Luks::default()) }),
    written!("a LUKS header and AES", Sample { encryption: 1, ..luks(Luks::default()) }),
    written!(
        "a LUKS header at an odd place",
        Sample {
            encryption: 2,
            ..extended(&[(ENCRYPTION, &[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 9, 0])])
        }
    ),
    written!(
        "a LUKS header of no length",
        Sample { encryption: 2, ..extended(&[(ENCRYPTION, &[0; 15])]) }
    ),
    written!(
        "a LUKS header outside the file",
        Sample {
            encryption: 2,
            ..extended(&[(ENCRYPTION, &[0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0])])
        }
    )
    .verdict(Verdict::Refused(
        "the encryption header at 1099511627776 (2304 bytes) does not lie in the file",
    )),
    written!("unknown encryption", Sample { encryption: 3, ..Sample::default() }),
    written!(
        "unknown encryption with a sign",
        Sample { encryption: u32::MAX, ..Sample::default() }
    ),
];

/// An image with a LUKS header.
fn luks(header: Luks) -> Sample {
    Sample { encryption: 2, luks_header: Some(header.bytes()), ..Sample::default() }
}
