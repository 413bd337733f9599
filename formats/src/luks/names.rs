//! Names of ciphers, their modes, generators of initialisation vectors and
//! hashes (specification, "Cipher and Hash specification registry").
//!
//! Headers have the names of Linux. The names that are printed are qemu's: a
//! cipher has its key size in bits behind it. What qemu does not know and
//! cryptsetup makes is named in the same way.

use alloc::format;
use alloc::string::String;

use super::LuksError;
use super::error::quote;

/// A cipher.
#[derive(Debug, PartialEq, Eq)]
pub struct Cipher {
    /// Its name in headers.
    pub name: &'static str,
    /// The sizes of its keys in bytes.
    pub key_sizes: &'static [u32],
    /// What qemu-img calls it in the message that it has no key of some size.
    title: Option<&'static str>,
}

const fn cipher(name: &'static str, key_sizes: &'static [u32]) -> Cipher {
    Cipher { name, key_sizes, title: None }
}

const fn titled(name: &'static str, title: &'static str) -> Cipher {
    Cipher { name, key_sizes: &[16, 24, 32], title: Some(title) }
}

/// The ciphers: first qemu's, then what else there is in Linux.
static CIPHERS: [Cipher; 17] = [
    titled("aes", "AES"),
    cipher("cast5", &[16]),
    titled("serpent", "Serpent"),
    titled("twofish", "Twofish"),
    cipher("anubis", &[16, 20, 24, 28, 32, 36, 40]),
    cipher("aria", &[16, 24, 32]),
    cipher("blowfish", &[16, 24, 32, 56]),
    cipher("camellia", &[16, 24, 32]),
    cipher("cast6", &[16, 20, 24, 28, 32]),
    // No encryption, for tests. It takes a key, and does not use it.
    cipher("cipher_null", &[0, 16, 32, 64]),
    cipher("des3_ede", &[24]),
    cipher("khazad", &[16]),
    cipher("seed", &[16]),
    cipher("sm4", &[16]),
    cipher("tea", &[16]),
    // The ciphers of Adiantum, for processors without instructions for AES.
    cipher("xchacha12,aes", &[32]),
    cipher("xchacha20,aes", &[32]),
];

/// How a cipher is used on more than one block.
#[derive(Debug, PartialEq, Eq)]
pub struct Mode {
    /// Its name.
    pub name: &'static str,
    /// What of a key is the cipher's.
    key: Key,
}

/// What of a key is the cipher's.
#[derive(Debug, PartialEq, Eq)]
enum Key {
    /// All of it.
    Whole,
    /// One half; the other is for the tweak.
    Half,
    /// What is in front of a tweak of 16 bytes.
    WithTweak,
}

/// The modes: first qemu's, then what else there is in Linux.
static MODES: [Mode; 8] = [
    Mode { name: "ecb", key: Key::Whole },
    Mode { name: "cbc", key: Key::Whole },
    Mode { name: "xts", key: Key::Half },
    Mode { name: "ctr", key: Key::Whole },
    Mode { name: "adiantum", key: Key::Whole },
    Mode { name: "hctr2", key: Key::Whole },
    Mode { name: "lrw", key: Key::WithTweak },
    Mode { name: "pcbc", key: Key::Whole },
];

impl Mode {
    /// The size of the cipher's key in bytes, in a key of `size`.
    fn key_size(&self, size: u32) -> u32 {
        match self.key {
            Key::Whole => size,
            Key::Half => size / 2,
            Key::WithTweak => size.saturating_sub(16),
        }
    }
}

/// The generator that hashes the key.
const ESSIV: &str = "essiv";

/// The generators of initialisation vectors: first qemu's, then what else there
/// is in Linux for volumes of this kind.
const IV_GENERATORS: [&str; 7] = ["plain", "plain64", ESSIV, "benbi", "eboiv", "null", "plain64be"];

/// A hash.
#[derive(Debug, PartialEq, Eq)]
pub struct Hash {
    /// Its name.
    pub name: &'static str,
    /// The size of what it makes, in bytes.
    pub size: u32,
}

const fn hash(name: &'static str, size: u32) -> Hash {
    Hash { name, size }
}

/// The hashes: first qemu's, then what else cryptsetup can use.
static HASHES: [Hash; 26] = [
    hash("md5", 16),
    hash("sha1", 20),
    hash("sha224", 28),
    hash("sha256", 32),
    hash("sha384", 48),
    hash("sha512", 64),
    hash("ripemd160", 20),
    hash("sm3", 32),
    hash("blake2b-160", 20),
    hash("blake2b-256", 32),
    hash("blake2b-384", 48),
    hash("blake2b-512", 64),
    hash("blake2s-128", 16),
    hash("blake2s-160", 20),
    hash("blake2s-224", 28),
    hash("blake2s-256", 32),
    hash("sha3-224", 28),
    hash("sha3-256", 32),
    hash("sha3-384", 48),
    hash("sha3-512", 64),
    hash("stribog256", 32),
    hash("stribog512", 64),
    hash("whirlpool", 64),
    // Whirlpool again, by the names that it has in Linux, and cut off.
    hash("wp256", 32),
    hash("wp384", 48),
    hash("wp512", 64),
];

/// How a volume is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// The cipher.
    pub cipher: &'static Cipher,
    /// The size of its key in bytes, without what the mode has of the key.
    pub key_size: u32,
    /// Its mode.
    pub mode: &'static Mode,
    /// The generator of initialisation vectors, if the mode has them.
    pub iv_generator: Option<&'static str>,
    /// The hash that the generator uses, if it does.
    pub iv_hash: Option<&'static Hash>,
    /// The hash of the key derivation.
    pub hash: &'static Hash,
}

impl Encryption {
    /// Takes apart what a header of version 1 says. Checks are in the order of
    /// qemu-img, whose messages they have.
    ///
    /// # Errors
    ///
    /// If a name is unknown, or they do not go together.
    pub fn parse(
        cipher: &[u8],
        mode: &[u8],
        hash: &[u8],
        key_size: u32,
    ) -> Result<Self, LuksError> {
        let Words { mode, iv_generator, iv_hash } = Words::split(mode)?;
        let iv_hash = iv_hash.map(find_hash).transpose()?;
        let mode = find_mode(mode)?;
        let key_size = mode.key_size(key_size);
        let cipher = find_cipher(cipher, key_size)?;
        let hash = find_hash(hash)?;
        let iv_generator = iv_generator.map(find_iv_generator).transpose()?;
        let mut encryption = Self { cipher, key_size, mode, iv_generator, iv_hash: None, hash };
        // Other generators use no hash, and Linux does not mind if one is named.
        if iv_generator == Some(ESSIV) {
            let hash = iv_hash.ok_or(LuksError::NoIvHash)?;
            encryption.check_essiv(hash)?;
            encryption.iv_hash = Some(hash);
        }
        Ok(encryption)
    }

    /// qemu's name for the cipher, which has its key size in bits.
    #[must_use]
    pub fn cipher_name(&self) -> String {
        format!("{}-{}", self.cipher.name, self.key_size.saturating_mul(8))
    }

    /// The generator encrypts with the cipher and a hash for its key. So the hash
    /// must have the size of one.
    fn check_essiv(&self, hash: &Hash) -> Result<(), LuksError> {
        if self.cipher.key_sizes.contains(&hash.size) {
            return Ok(());
        }
        Err(match self.cipher.title {
            Some(cipher) => LuksError::EssivKeySize { cipher, size: hash.size },
            None => LuksError::EssivCipher { cipher: self.cipher_name() },
        })
    }
}

/// The parts of `cbc-essiv:sha256`.
struct Words<'a> {
    mode: &'a [u8],
    iv_generator: Option<&'a [u8]>,
    iv_hash: Option<&'a [u8]>,
}

impl<'a> Words<'a> {
    fn split(text: &'a [u8]) -> Result<Self, LuksError> {
        let Some((mode, generator)) = split(text, b'-') else {
            // This mode has no initialisation vectors, and in the specification no
            // generator. qemu-img wants one all the same.
            return match text {
                b"ecb" => Ok(Self { mode: text, iv_generator: None, iv_hash: None }),
                _ => Err(LuksError::InvalidMode { mode: quote(text) }),
            };
        };
        let (generator, hash) = match split(generator, b':') {
            Some((generator, hash)) => (generator, Some(hash)),
            None => (generator, None),
        };
        Ok(Self { mode, iv_generator: Some(generator), iv_hash: hash })
    }
}

/// What is in front of a byte and what is behind it.
fn split(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let mut parts = text.splitn(2, |byte| *byte == separator);
    parts.next().zip(parts.next())
}

fn find_cipher(name: &[u8], key_size: u32) -> Result<&'static Cipher, LuksError> {
    let fits = |it: &&Cipher| it.name.as_bytes() == name && it.key_sizes.contains(&key_size);
    let unknown = || LuksError::UnknownCipher { name: quote(name), key_size };
    CIPHERS.iter().find(fits).ok_or_else(unknown)
}

fn find_mode(name: &[u8]) -> Result<&'static Mode, LuksError> {
    let unknown = || LuksError::UnknownMode { name: quote(name) };
    MODES.iter().find(|it| it.name.as_bytes() == name).ok_or_else(unknown)
}

fn find_hash(name: &[u8]) -> Result<&'static Hash, LuksError> {
    let unknown = || LuksError::UnknownHash { name: quote(name) };
    HASHES.iter().find(|it| it.name.as_bytes() == name).ok_or_else(unknown)
}

fn find_iv_generator(name: &[u8]) -> Result<&'static str, LuksError> {
    let unknown = || LuksError::UnknownIvGenerator { name: quote(name) };
    IV_GENERATORS.into_iter().find(|it| it.as_bytes() == name).ok_or_else(unknown)
}

#[cfg(test)]
mod tests;
