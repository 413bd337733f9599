//! Identifiers of 128 bits, as Microsoft's formats have them.

use core::fmt;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A GUID in the order of the file.
#[derive(Clone, Copy, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(transparent)]
pub struct Guid([u8; 16]);

impl Guid {
    /// All zeros: no identifier.
    pub const ZERO: Self = Self([0; 16]);

    /// The GUID that is written `{first-second-third-last}`. The first three
    /// groups are numbers, which files have in little-endian order; the last two,
    /// taken together, are bytes ([MS-DTYP], section 2.3.4.2).
    #[must_use]
    pub const fn new(first: u32, second: u16, third: u16, last: [u8; 8]) -> Self {
        let [a, b, c, d] = first.to_le_bytes();
        let [e, f] = second.to_le_bytes();
        let [g, h] = third.to_le_bytes();
        let [i, j, k, l, m, n, o, p] = last;
        Self([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
    }

    /// The GUID that is written `{first-second-third-last-last}`, in hexadecimal digits
    /// of either case, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('{')?.strip_suffix('}')?;
        let lengths = text.split('-').map(str::len);
        if !lengths.eq([8, 4, 4, 4, 12]) || text.contains('+') {
            return None;
        }
        let mut groups = text.split('-');
        let first = u32::from_str_radix(groups.next()?, 16).ok()?;
        let second = u16::from_str_radix(groups.next()?, 16).ok()?;
        let third = u16::from_str_radix(groups.next()?, 16).ok()?;
        let high = u64::from_str_radix(groups.next()?, 16).ok()?;
        let low = u64::from_str_radix(groups.next()?, 16).ok()?;
        Some(Self::new(first, second, third, (high << 48 | low).to_be_bytes()))
    }

    /// The GUID with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f, g, h, i, j, rest @ ..] = self.0;
        let first = u32::from_le_bytes([a, b, c, d]);
        let second = u16::from_le_bytes([e, f]);
        let third = u16::from_le_bytes([g, h]);
        write!(formatter, "{first:08x}-{second:04x}-{third:04x}-{i:02x}{j:02x}-")?;
        rest.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Guid({self})")
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn text_is_read_as_it_is_written() {
        let text = "{2dc27766-f623-4200-9d64-115e9bfd4a08}";
        let guid = Guid::parse(text).unwrap();
        assert_eq!(std::format!("{{{guid}}}"), text);
        assert_eq!(Guid::parse(&text.to_uppercase()), Some(guid));
        for text in [
            "",
            "{}",
            "2dc27766-f623-4200-9d64-115e9bfd4a08",
            "{2dc27766-f623-4200-9d64-115e9bfd4a08",
            "{2dc27766-f623-4200-9d64-115e9bfd4a0}",
            "{2dc27766-f623-4200-9d64115e9bfd4a08}",
            "{2dc27766-f623-4200-9d64-115e9bfd4a08-}",
            "{+dc27766-f623-4200-9d64-115e9bfd4a08}",
            "{2dc27766-f623-4200-9d64-115e9bfd4a0g}",
            "{2dc2776\u{fc}-f623-4200-9d64-115e9bfd4a08}",
        ] {
            assert_eq!(Guid::parse(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_little_endian_and_bytes_are_bytes() {
        let last = [0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08];
        let guid = Guid::new(0x2dc2_7766, 0xf623, 0x4200, last);
        assert_eq!(
            guid.as_bytes()[..10],
            [0x66, 0x77, 0xc2, 0x2d, 0x23, 0xf6, 0, 0x42, 0x9d, 0x64]
        );
        assert_eq!(guid.to_string(), "2dc27766-f623-4200-9d64-115e9bfd4a08");
        assert_eq!(Guid::ZERO.to_string(), "00000000-0000-0000-0000-000000000000");
    }
}
