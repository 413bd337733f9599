//! Checksums that formats have in common with the rest of the world.

use crc::{CRC_32_BZIP2, CRC_32_ISCSI, CRC_32_ISO_HDLC, Crc, Table};

/// CRC-32C, the one with Castagnoli's polynomial. With sixteen tables it takes
/// sixteen bytes at a time: 64 KiB in some 30 microseconds.
pub static CRC_32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// CRC-32, the one of Ethernet, zlib and UEFI, for tables of some kilobytes: one table
/// does.
pub static CRC_32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// CRC-32 with the bits of each byte in the other order, the one of bzip2.
pub static CRC_32_REVERSED: Crc<u32> = Crc::<u32>::new(&CRC_32_BZIP2);

/// Adler-32, the checksum at the end of a zlib stream (RFC 1950, section 2.2).
#[must_use]
pub fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    // So many bytes can be added up before a sum needs more than 32 bits.
    const PART: usize = 5552;
    let (mut low, mut high) = (1_u32, 0_u32);
    for part in bytes.chunks(PART) {
        for byte in part {
            low = low.wrapping_add(u32::from(*byte));
            high = high.wrapping_add(low);
        }
        low %= MODULUS;
        high %= MODULUS;
    }
    (high << 16) | low
}

/// XXH64 without a seed, the one of Zstandard (its specification is in the `doc` folder of
/// xxHash).
#[must_use]
pub fn xxh64(bytes: &[u8]) -> u64 {
    const PRIMES: [u64; 5] = [
        0x9e37_79b1_85eb_ca87,
        0xc2b2_ae3d_27d4_eb4f,
        0x1656_67b1_9e37_79f9,
        0x85eb_ca77_c2b2_ae63,
        0x27d4_eb2f_1656_67c5,
    ];
    let [first, second, third, fourth, fifth] = PRIMES;
    let round = |sum: u64, lane: u64| {
        sum.wrapping_add(lane.wrapping_mul(second)).rotate_left(31).wrapping_mul(first)
    };
    let (stripes, rest) = bytes.as_chunks::<32>();
    let mut hash = if stripes.is_empty() {
        fifth
    } else {
        let mut sums = [first.wrapping_add(second), second, 0, 0_u64.wrapping_sub(first)];
        for stripe in stripes {
            let (lanes, _) = stripe.as_chunks::<8>();
            for (sum, lane) in sums.iter_mut().zip(lanes) {
                *sum = round(*sum, u64::from_le_bytes(*lane));
            }
        }
        let rotated = sums.iter().zip([1, 7, 12, 18]);
        let start = rotated.fold(0_u64, |all, (sum, by)| all.wrapping_add(sum.rotate_left(by)));
        sums.iter().fold(start, |hash, sum| {
            (hash ^ round(0, *sum)).wrapping_mul(first).wrapping_add(fourth)
        })
    };
    hash = hash.wrapping_add(bytes.len() as u64);
    let (lanes, rest) = rest.as_chunks::<8>();
    for lane in lanes {
        hash ^= round(0, u64::from_le_bytes(*lane));
        hash = hash.rotate_left(27).wrapping_mul(first).wrapping_add(fourth);
    }
    let (halves, rest) = rest.as_chunks::<4>();
    for half in halves {
        hash ^= u64::from(u32::from_le_bytes(*half)).wrapping_mul(first);
        hash = hash.rotate_left(23).wrapping_mul(second).wrapping_add(third);
    }
    for byte in rest {
        hash ^= u64::from(*byte).wrapping_mul(fifth);
        hash = hash.rotate_left(11).wrapping_mul(first);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(second);
    hash = (hash ^ (hash >> 29)).wrapping_mul(third);
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_32c_is_the_one_of_rfc_3720() {
        // Section B.4.
        for (bytes, expected) in [
            (&[0; 32][..], 0x8a91_36aa),
            (&[0xff; 32], 0x62a8_ab43),
            (b"123456789", 0xe306_9283),
            (b"", 0),
        ] {
            assert_eq!(CRC_32C.checksum(bytes), expected);
        }
    }

    #[test]
    fn adler_32_is_the_one_of_zlib() {
        assert_eq!(adler32(b""), 1);
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
        // The largest sums that there can be: python3 says so.
        assert_eq!(adler32(&[0xff; 100_000]), 0x149a_302c);
    }

    #[test]
    fn xxh_64_is_the_one_of_its_specification() {
        for (bytes, expected) in [
            (&b""[..], 0xef46_db37_51d8_e999),
            (b"a", 0xd24e_c4f1_a98c_6e5b),
            (b"abc", 0x44bc_2cf5_ad77_0999),
            (b"123456789", 0x8cb8_41db_40e6_ae83),
            // With stripes, and every kind of rest.
            (b"The quick brown fox jumps over the lazy dog", 0x0b24_2d36_1fda_71bc),
        ] {
            assert_eq!(xxh64(bytes), expected);
        }
    }

    #[test]
    fn crc_32_is_the_one_of_zlib() {
        for (bytes, expected) in [(&b"123456789"[..], 0xcbf4_3926), (b"", 0)] {
            assert_eq!(CRC_32.checksum(bytes), expected);
        }
    }

    #[test]
    fn the_reversed_one_is_that_of_bzip2() {
        for (bytes, expected) in [(&b"123456789"[..], 0xfc89_1918), (b"", 0)] {
            assert_eq!(CRC_32_REVERSED.checksum(bytes), expected);
        }
    }
}
