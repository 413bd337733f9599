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
