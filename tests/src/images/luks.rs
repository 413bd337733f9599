//! LUKS volumes of version 1: qemu-img knows them, but not all ciphers.

use formats::luks::sample::Version1;

use super::{Image, Step, Verdict};

/// The sample that the bad ones are made from: its keys are in sectors 8 to 1031,
/// its payload has 1 MiB.
fn sample() -> Vec<u8> {
    Version1::default().bytes()
}

/// A volume of qemu-img's, with these options.
macro_rules! made_by_qemu {
    ($options:literal) => {
        Image::new(
            $options,
            "a.luks",
            &[Step::Run(concat!(
                "qemu-img create -f luks --object secret,id=s,data=abc -o key-secret=s,iter-time=10",
                $options,
                " a.luks 1M"
            ))],
        )
    };
}

/// A volume of cryptsetup's, with these options, and what is done to it.
macro_rules! made_by_cryptsetup {
    ($name:literal, $options:literal $(, $step:expr)*) => {
        Image::new(
            $name,
            "a.luks",
            &[
                Step::Write("key", || vec![7; 32]),
                Step::Run("truncate -s 4M a.luks"),
                Step::Run(concat!(
                    "cryptsetup luksFormat --type luks1 -q --key-file key --pbkdf-force-iterations 1000 ",
                    "--uuid 01234567-89ab-4cde-8f01-23456789abcd ",
                    $options,
                    " a.luks"
                ))
                $(, $step)*
            ],
        )
    };
}

/// The sample with bytes changed.
macro_rules! changed {
    ($name:literal, $($offset:expr => $bytes:expr),+) => {
        Image::new(
            $name,
            "a.luks",
            &[Step::Write("a.luks", sample), $(Step::Patch("a.luks", $offset, $bytes)),+],
        )
    };
}

/// The sample with another length.
macro_rules! cut {
    ($length:literal) => {
        Image::new(
            concat!("cut to ", $length),
            "a.luks",
            &[
                Step::Write("a.luks", sample),
                Step::Run(concat!("truncate -s ", $length, " a.luks")),
            ],
        )
    };
}

/// The sample with other names.
macro_rules! named {
    ($cipher:literal, $mode:literal, $hash:literal, $key_size:literal) => {
        Image::new(
            concat!($cipher, " ", $mode, " ", $hash, " ", $key_size),
            "a.luks",
            &[Step::Write("a.luks", || {
                let (cipher, mode, hash) = ($cipher, $mode, $hash);
                Version1 { cipher, mode, hash, key_size: $key_size, ..Version1::default() }.bytes()
            })],
        )
    };
}

const CIPHER: u64 = 8;
const MODE: u64 = 40;
const HASH: u64 = 72;
const PAYLOAD: u64 = 104;
const KEY_SIZE: u64 = 108;
const ITERATIONS: u64 = 164;
const UUID: u64 = 168;

/// Where a field of a key slot is: its state, iterations, place and stripes.
const fn slot(number: u64, field: u64) -> u64 {
    208 + number * 48 + field
}
const STATE: u64 = 0;
const SLOT_ITERATIONS: u64 = 4;
const KEY: u64 = 40;
const STRIPES: u64 = 44;

/// Every cipher, mode, generator and hash of qemu-img's; what only Linux knows;
/// and every field out of range.
pub const IMAGES: &[Image] = &[
    made_by_qemu!(""),
    made_by_qemu!(",cipher-alg=aes-128,cipher-mode=cbc,ivgen-alg=plain,hash-alg=md5"),
    made_by_qemu!(",cipher-alg=aes-192,hash-alg=sha1"),
    made_by_qemu!(",cipher-alg=aes-256,cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sm3"),
    made_by_qemu!(
        ",cipher-alg=cast5-128,cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=md5,hash-alg=sha224"
    ),
    made_by_qemu!(",cipher-alg=serpent-128,ivgen-alg=plain,hash-alg=sha384"),
    made_by_qemu!(",cipher-alg=serpent-192,ivgen-alg=essiv,hash-alg=sha512"),
    made_by_qemu!(",cipher-alg=serpent-256,cipher-mode=ctr,hash-alg=ripemd160"),
    made_by_qemu!(",cipher-alg=twofish-128,cipher-mode=ecb,ivgen-alg=plain,hash-alg=sm3"),
    made_by_qemu!(",cipher-alg=twofish-192,ivgen-hash-alg=sha1"),
    made_by_qemu!(",cipher-alg=twofish-256,cipher-mode=cbc,ivgen-alg=essiv"),
    made_by_cryptsetup!("a volume of cryptsetup", ""),
    made_by_cryptsetup!("with a generator that hashes", "-c aes-cbc-essiv:sha256 -s 128 -h sha1"),
    made_by_cryptsetup!("with room in front of the payload", "--offset 6000"),
    made_by_cryptsetup!(
        "with several keys",
        "",
        Step::Write("key2", || vec![8; 32]),
        Step::Run(
            "cryptsetup luksAddKey -q --key-file key --pbkdf-force-iterations 1001 a.luks key2"
        ),
        Step::Run(
            "cryptsetup luksAddKey -q --key-file key --pbkdf-force-iterations 1002 -S 7 a.luks key2"
        ),
        Step::Run("cryptsetup luksKillSlot -q --key-file key2 a.luks 0")
    ),
    Image::new(
        "a header by itself",
        "a.luks",
        &[
            Step::Write("key", || vec![7; 32]),
            Step::Run("truncate -s 1M payload"),
            Step::Run(
                "cryptsetup luksFormat --type luks1 -q --key-file key --pbkdf-force-iterations 1000 \
                 --header a.luks payload",
            ),
        ],
    ),
    made_by_cryptsetup!(
        "a copy of header and keys",
        "",
        Step::Run("cryptsetup luksHeaderBackup a.luks --header-backup-file b.luks"),
        Step::Run("mv b.luks a.luks")
    ),
    // What cryptsetup makes and qemu-img does not know.
    made_by_cryptsetup!("without initialisation vectors", "-c aes-ecb -s 256")
        .verdict(Verdict::Expected("luks1-aes-ecb")),
    made_by_cryptsetup!("with another generator", "-c aes-xts-plain64be -s 512")
        .verdict(Verdict::Expected("luks1-aes-xts-plain64be")),
    made_by_cryptsetup!("with another hash", "-h whirlpool")
        .verdict(Verdict::Expected("luks1-whirlpool")),
    named!("camellia", "cbc-essiv:sha256", "blake2b-512", 32)
        .verdict(Verdict::Expected("luks1-camellia")),
    named!("aes", "lrw-benbi", "sha256", 48).verdict(Verdict::Expected("luks1-aes-lrw-benbi")),
    // Names that go together, and names that do not.
    named!("aes", "cbc-plain:sha256", "sha256", 16),
    named!("aes", "cbc-plain64:sha256", "sm3", 32),
    named!("aes", "xts-essiv:md5", "sha1", 32),
    named!("cast5", "ctr-plain64", "sha512", 16),
    named!("serpent", "cbc-essiv:sha256", "ripemd160", 24),
    named!("twofish", "xts-plain64", "sha224", 64),
    named!("aes", "xts-plain64", "sha256", 33),
    named!("aes", "xts-plain64", "sha256", 16),
    named!("aes", "cbc-plain64", "sha256", 17),
    named!("aes", "cbc-plain64", "sha256", 64),
    named!("cast5", "cbc-plain64", "sha256", 32),
    named!("rot13", "cbc-plain64", "sha256", 16),
    named!("AES", "cbc-plain64", "sha256", 16),
    named!("des", "cbc-plain64", "sha256", 8),
    named!("", "cbc-plain64", "sha256", 16),
    named!("aes", "", "sha256", 16),
    named!("aes", "cbc", "sha256", 16),
    named!("aes", "cbc:plain64", "sha256", 16),
    named!("aes", "-plain64", "sha256", 16),
    named!("aes", "cfb-plain64", "sha256", 16),
    named!("aes", "cbc-", "sha256", 16),
    named!("aes", "cbc-plain32", "sha256", 16),
    named!("aes", "cbc-plain64-essiv:sha256", "sha256", 16),
    named!("aes", "cbc-plain64:", "sha256", 16),
    named!("aes", "cbc-plain64:crc32", "sha256", 16),
    named!("aes", "cbc-essiv", "sha256", 16),
    named!("aes", "cbc-essiv:sha1", "sha256", 16),
    named!("aes", "cbc-essiv:sha512", "sha256", 32),
    named!("serpent", "cbc-essiv:sha224", "sha256", 16),
    named!("twofish", "cbc-essiv:sha384", "sha256", 16),
    named!("cast5", "cbc-essiv:sha256", "sha256", 16),
    named!("aes", "cbc-plain64", "crc32", 16),
    named!("aes", "cbc-plain64", "", 16),
    changed!("a cipher without an end", CIPHER => &[b'a'; 32]),
    changed!("a mode without an end", MODE => &[b'a'; 32]),
    changed!("a hash without an end", HASH => &[b'a'; 32]),
    changed!("no name has an end", CIPHER => &[b'a'; 96]),
    changed!("a cipher that is no text", CIPHER => b"\xc3\xa9"),
    // Headers.
    changed!("version 0", 6 => &[0, 0]),
    changed!("version 3", 6 => &[0, 3]),
    changed!("version 257", 6 => &[1, 1]),
    changed!("another magic", 5 => &[0xbf]),
    changed!("an id without an end", UUID => &[b'x'; 40]),
    changed!("no id", UUID => &[0; 40]),
    changed!("an id that is no text", UUID => b"\xff\x1b[31m\n")
        .verdict(Verdict::Expected("luks1-escapes")),
    changed!("no payload", PAYLOAD => &[0; 4]),
    changed!("a payload in the header", PAYLOAD => &[0, 0, 0, 7]),
    changed!("a payload in the first key", PAYLOAD => &[0, 0, 0, 8]),
    changed!("a payload in the last key", PAYLOAD => &[0, 0, 4, 7]),
    changed!("a later payload", PAYLOAD => &[0, 0, 5, 0]),
    changed!("a payload behind the end", PAYLOAD => &[0xff; 4]),
    changed!("no iterations", ITERATIONS => &[0; 4]),
    changed!("many iterations", ITERATIONS => &[0xff; 4]),
    changed!("a key without a size", KEY_SIZE => &[0; 4]),
    changed!("a long key", KEY_SIZE => &[0, 0, 1, 0]),
    changed!("a key longer than the file", KEY_SIZE => &[0xff; 4]),
    changed!("a key whose stripes wrap", KEY_SIZE => &[8, 0, 0, 0]),
    // Key slots.
    changed!("all slots in use",
        slot(1, 0) => &[0, 0xac, 0x71, 0xf3, 0, 0, 0, 1],
        slot(2, 0) => &[0, 0xac, 0x71, 0xf3, 0, 0, 0, 2],
        slot(3, 0) => &[0, 0xac, 0x71, 0xf3, 0, 0, 0, 3],
        slot(4, 0) => &[0, 0xac, 0x71, 0xf3, 0, 0, 0, 4],
        slot(5, 0) => &[0, 0xac, 0x71, 0xf3, 0, 0, 0, 5],
        slot(6, 0) => &[0, 0xac, 0x71, 0xf3, 0, 0, 0, 6],
        slot(7, 0) => &[0, 0xac, 0x71, 0xf3, 0xff, 0xff, 0xff, 0xff]
    ),
    changed!("no slot in use", slot(0, 0) => &[0, 0, 0xde, 0xad]),
    changed!("a slot in no state", slot(0, STATE) => &[0; 4]),
    changed!("the last slot in no state", slot(7, STATE) => &[0xff; 4]),
    changed!("a slot without iterations", slot(0, SLOT_ITERATIONS) => &[0; 4]),
    changed!("no stripes", slot(0, STRIPES) => &[0; 4]),
    changed!("one stripe less", slot(7, STRIPES) => &[0, 0, 0x0f, 0x9f]),
    changed!("many stripes", slot(0, STRIPES) => &[0xff; 4]),
    changed!("many stripes in the last slot", slot(7, STRIPES) => &[0xff; 4]),
    changed!("a key in the header", slot(0, KEY) => &[0, 0, 0, 7]),
    changed!("a key at the start", slot(3, KEY) => &[0; 4]),
    changed!("a key in the payload", slot(7, KEY) => &[0, 0, 4, 0]),
    changed!("a key behind the end", slot(7, KEY) => &[0x7f, 0xff, 0xff, 0xff]),
    changed!("a key on another", slot(1, KEY) => &[0, 0, 0, 9]),
    changed!("a key on the last", slot(0, KEY) => &[0, 0, 3, 0x87]),
    changed!("two keys at one place", slot(5, KEY) => &[0, 0, 3, 8]),
    changed!("keys in another order",
        slot(0, KEY) => &[0, 0, 3, 0x88],
        slot(7, KEY) => &[0, 0, 0, 8]
    ),
    // The end of such a key is beyond 32 bits, where qemu-img starts again at 0.
    changed!("a key at the end of all", slot(7, KEY) => &[0xff; 4])
        .verdict(Verdict::Refused("Keyslot 7 is overlapping with the encrypted payload")),
    // Files that end early.
    cut!("0"),
    cut!("7"),
    cut!("8"),
    cut!("100"),
    cut!("107"),
    cut!("166"),
    cut!("200"),
    cut!("253"),
    cut!("256"),
    cut!("300"),
    cut!("500"),
    cut!("591"),
    cut!("592"),
    cut!("4096"),
    cut!("527872"),
    cut!("527873"),
    cut!("528384"),
    cut!("528385"),
    cut!("528897"),
];
