//! Compressed grains of VMDK ("Virtual Disk Format 1.1", "Stream-Optimized
//! Compressed Sparse Extents"): a marker that says how long a grain is, and then the
//! grain in the wrapper of zlib.

use core::mem::size_of;

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{CodecError, deflate};

/// What is in front of a compressed grain.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Marker {
    /// The first sector of the disk that is in the grain.
    pub sector: U64,
    /// The size of the compressed grain in bytes, never zero: a zero would make it
    /// another kind of marker.
    pub size: U32,
}

/// The size of a [`Marker`] in bytes.
pub const MARKER_SIZE: u64 = size_of::<Marker>() as u64;

/// Fills a grain. The last one of a disk may have been compressed with what goes on
/// behind the disk, which is not wanted.
pub(super) fn decode(
    inflate: &mut deflate::Inflate,
    bytes: &[u8],
    grain: &mut [u8],
) -> Result<(), CodecError> {
    let (marker, rest) = Marker::read_from_prefix(bytes).map_err(|_| CodecError::Short)?;
    let size = usize::try_from(marker.size.get()).map_err(|_| CodecError::Damaged)?;
    let data = rest.get(..size).filter(|data| !data.is_empty()).ok_or(CodecError::Damaged)?;
    match inflate.decode(data, grain, deflate::Wrapper::Zlib) {
        Err(CodecError::Long) => Ok(()),
        decoded => decoded,
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use miniz_oxide::deflate::compress_to_vec_zlib;

    use super::*;
    use crate::codec::{Codec, Decoder};

    fn decoded(bytes: &[u8], length: usize) -> Result<Vec<u8>, CodecError> {
        let mut grain = vec![7; length];
        Decoder::default().decode(Codec::Grain, bytes, &mut grain).map(|()| grain)
    }

    fn grain(size: u32, data: &[u8]) -> Vec<u8> {
        let marker = Marker { sector: 5.into(), size: size.into() };
        [marker.as_bytes(), data, &[9; 20]].concat()
    }

    #[test]
    fn the_marker_says_how_long_a_grain_is() {
        let whole: Vec<u8> = (0..=255).cycle().take(65_536).collect();
        let data = compress_to_vec_zlib(&whole, 6);
        let size = u32::try_from(data.len()).unwrap();
        let good = grain(size, &data);
        assert_eq!(decoded(&good, 65_536).unwrap(), whole);
        // What is behind the disk is not wanted.
        assert_eq!(decoded(&good, 512).unwrap(), whole[..512]);
        assert_eq!(decoded(&good, 65_537), Err(CodecError::Short));
        for (bytes, expected) in [
            (grain(0, &data), CodecError::Damaged),
            (grain(size + 21, &data), CodecError::Damaged),
            (grain(u32::MAX, &data), CodecError::Damaged),
            (grain(size - 5, &data), CodecError::Short),
            (grain(size, &vec![0xff; data.len()]), CodecError::Damaged),
            (good[..11].to_vec(), CodecError::Short),
            (good[..12].to_vec(), CodecError::Damaged),
            (Vec::new(), CodecError::Short),
        ] {
            assert_eq!(decoded(&bytes, 65_536), Err(expected));
        }
    }
}
