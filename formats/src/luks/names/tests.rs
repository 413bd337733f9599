use std::string::{String, ToString};

use super::*;

fn parse(cipher: &str, mode: &str, hash: &str, key_size: u32) -> Result<Encryption, LuksError> {
    Encryption::parse(cipher.as_bytes(), mode.as_bytes(), hash.as_bytes(), key_size)
}

fn said(cipher: &str, mode: &str, hash: &str, key_size: u32) -> String {
    parse(cipher, mode, hash, key_size).map_or_else(|error| error.to_string(), |_| String::new())
}

#[test]
fn names_become_those_of_qemu() {
    for (cipher, mode, hash, key_size, expected) in [
        ("aes", "xts-plain64", "sha256", 64, ("aes-256", "xts", "plain64", None, "sha256")),
        ("aes", "xts-plain64", "sha1", 32, ("aes-128", "xts", "plain64", None, "sha1")),
        ("aes", "xts-plain", "sha1", 48, ("aes-192", "xts", "plain", None, "sha1")),
        ("aes", "cbc-plain", "md5", 24, ("aes-192", "cbc", "plain", None, "md5")),
        ("aes", "ecb-plain64", "sm3", 16, ("aes-128", "ecb", "plain64", None, "sm3")),
        ("aes", "ctr-plain64", "sha384", 32, ("aes-256", "ctr", "plain64", None, "sha384")),
        (
            "aes",
            "cbc-essiv:sha256",
            "ripemd160",
            16,
            ("aes-128", "cbc", "essiv", Some("sha256"), "ripemd160"),
        ),
        (
            "cast5",
            "cbc-essiv:md5",
            "sha512",
            16,
            ("cast5-128", "cbc", "essiv", Some("md5"), "sha512"),
        ),
        ("serpent", "xts-plain64", "sha224", 64, ("serpent-256", "xts", "plain64", None, "sha224")),
        ("twofish", "cbc-plain64", "sha256", 24, ("twofish-192", "cbc", "plain64", None, "sha256")),
        // A hash that is not needed is not said.
        ("aes", "cbc-plain64:sha1", "sha256", 32, ("aes-256", "cbc", "plain64", None, "sha256")),
        // What only Linux knows.
        ("aes", "ecb", "sha256", 32, ("aes-256", "ecb", "", None, "sha256")),
        ("aes", "lrw-benbi", "whirlpool", 48, ("aes-256", "lrw", "benbi", None, "whirlpool")),
        (
            "camellia",
            "cbc-essiv:wp256",
            "sha3-256",
            32,
            ("camellia-256", "cbc", "essiv", Some("wp256"), "sha3-256"),
        ),
        (
            "xchacha20,aes",
            "adiantum-plain64",
            "blake2b-512",
            32,
            ("xchacha20,aes-256", "adiantum", "plain64", None, "blake2b-512"),
        ),
        ("cipher_null", "ecb", "sha256", 32, ("cipher_null-256", "ecb", "", None, "sha256")),
        ("cast6", "xts-plain64be", "sha256", 56, ("cast6-224", "xts", "plain64be", None, "sha256")),
        ("sm4", "cbc-eboiv", "stribog256", 16, ("sm4-128", "cbc", "eboiv", None, "stribog256")),
    ] {
        let it = parse(cipher, mode, hash, key_size).unwrap();
        let found = (
            &*it.cipher_name(),
            it.mode.name,
            it.iv_generator.unwrap_or_default(),
            it.iv_hash.map(|hash| hash.name),
            it.hash.name,
        );
        assert_eq!(found, expected);
    }
}

#[test]
fn unknown_names_are_refused() {
    let size = |size| std::format!("Algorithm 'aes' with key size {size} bytes not supported");
    for (cipher, mode, hash, key_size, expected) in [
        ("aes", "xts", "sha256", 64, "Unexpected cipher mode string format 'xts'"),
        ("aes", "", "sha256", 64, "Unexpected cipher mode string format ''"),
        ("aes", "ecb:sha1", "sha256", 32, "Unexpected cipher mode string format 'ecb:sha1'"),
        ("aes", "cfb-plain64", "sha256", 64, "Cipher mode 'cfb' not supported"),
        ("aes", "-plain64", "sha256", 64, "Cipher mode '' not supported"),
        ("aes", "XTS-plain64", "sha256", 64, "Cipher mode 'XTS' not supported"),
        ("aes", "cbc-", "sha256", 32, "IV generator '' not supported"),
        ("aes", "cbc-none", "sha256", 32, "IV generator 'none' not supported"),
        ("aes", "cbc-plain32", "sha256", 32, "IV generator 'plain32' not supported"),
        ("aes", "cbc-plain64-x", "sha256", 32, "IV generator 'plain64-x' not supported"),
        ("aes", "cbc-plain64:", "sha256", 32, "Hash algorithm '' not supported"),
        ("aes", "cbc-plain64:a:b", "sha256", 32, "Hash algorithm 'a:b' not supported"),
        ("aes", "cbc-essiv", "sha256", 32, "Missing IV generator hash specification"),
        ("aes", "cbc-plain64", "SHA256", 32, "Hash algorithm 'SHA256' not supported"),
        ("aes", "cbc-plain64", "", 32, "Hash algorithm '' not supported"),
        (
            "rot13",
            "cbc-plain64",
            "sha256",
            32,
            "Algorithm 'rot13' with key size 32 bytes not supported",
        ),
        ("", "cbc-plain64", "sha256", 32, "Algorithm '' with key size 32 bytes not supported"),
        ("des", "cbc-plain64", "sha256", 8, "Algorithm 'des' with key size 8 bytes not supported"),
        ("aes", "lrw-benbi", "sha256", 8, &size(0)),
        ("aes", "xts-plain64", "sha256", 0, &size(0)),
        ("aes", "xts-plain64", "sha256", 16, &size(8)),
        ("aes", "xts-plain64", "sha256", u32::MAX, &size(0x7fff_ffff)),
        ("aes", "cbc-plain64", "sha256", 0x8000_0000, &size(-0x8000_0000_i64)),
        ("aes", "cbc-plain64", "sha256", u32::MAX, &size(-1)),
    ] {
        assert_eq!(said(cipher, mode, hash, key_size), expected);
    }
    for key_size in 0..=80 {
        let known = [16, 24, 32].contains(&key_size);
        assert_eq!(parse("aes", "cbc-plain64", "sha256", key_size).is_ok(), known, "{key_size}");
        let known = [32, 33, 48, 49, 64, 65].contains(&key_size);
        assert_eq!(parse("aes", "xts-plain64", "sha256", key_size).is_ok(), known, "{key_size}");
    }
}

#[test]
fn names_are_looked_up_in_the_order_of_qemu() {
    for (cipher, mode, hash, expected) in [
        ("?", "?-?:?", "?", "Hash algorithm '?' not supported"),
        ("?", "?-?:sha1", "?", "Cipher mode '?' not supported"),
        ("?", "cbc-?:sha1", "?", "Algorithm '?' with key size 16 bytes not supported"),
        ("aes", "cbc-?:sha1", "!", "Hash algorithm '!' not supported"),
        ("aes", "cbc-?:sha1", "md5", "IV generator '?' not supported"),
        ("aes", "cbc-essiv:sha1", "md5", "No AES cipher with key size 20 available"),
    ] {
        assert_eq!(said(cipher, mode, hash, 16), expected);
    }
}

#[test]
fn essiv_needs_a_hash_as_long_as_a_key() {
    for (cipher, hash, expected) in [
        ("aes", "md5", ""),
        ("aes", "sha1", "No AES cipher with key size 20 available"),
        ("aes", "sha224", "No AES cipher with key size 28 available"),
        ("aes", "sha256", ""),
        ("aes", "sha384", "No AES cipher with key size 48 available"),
        ("aes", "sha512", "No AES cipher with key size 64 available"),
        ("aes", "ripemd160", "No AES cipher with key size 20 available"),
        ("aes", "sm3", ""),
        ("serpent", "sha1", "No Serpent cipher with key size 20 available"),
        ("twofish", "sha1", "No Twofish cipher with key size 20 available"),
        ("cast5", "md5", ""),
        ("cast5", "sha256", "Cipher cast5-128 not supported with essiv"),
        ("camellia", "sha256", ""),
        ("camellia", "sha1", "Cipher camellia-128 not supported with essiv"),
    ] {
        assert_eq!(said(cipher, &std::format!("cbc-essiv:{hash}"), "sha256", 16), expected);
    }
}

#[test]
fn names_that_are_no_text_can_be_quoted() {
    let error = Encryption::parse(b"a\xffs", b"cbc-plain", b"sha1", 16).unwrap_err();
    assert_eq!(error.to_string(), "Algorithm 'a\u{fffd}s' with key size 16 bytes not supported");
}
