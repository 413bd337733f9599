//! Where the bytes of the disk are: each chunk is stored in its own way.

use super::chunk::{Chunk, Kind};
use super::image::DmgImage;
use super::{DmgError, SECTOR};
use crate::codec::Codec;
use crate::error::Error;
use crate::extent::{Compressed, Content, Extent, Place};
use crate::storage;

impl DmgImage {
    /// How the disk is stored from an offset on. Chunks that are stored one behind the
    /// other are one extent.
    pub(super) fn read_extent(&self, offset: u64, limit: u64) -> Result<Extent, Error> {
        let mut found = self.part(offset)?;
        while found.length < limit {
            let behind = found.content.behind(found.length);
            match self.part(offset.saturating_add(found.length)) {
                Ok(next) if behind == Some(next.content) => {
                    found.length = found.length.saturating_add(next.length);
                }
                _ => break,
            }
        }
        Ok(Extent::new(found.length, limit, found.content))
    }

    /// How a chunk is stored from an offset of the disk on.
    fn part(&self, offset: u64) -> Result<Extent, Error> {
        let sector = offset / SECTOR;
        // As with qemu-img, what is in no chunk cannot be read.
        let chunk = self.chunks.find(sector)?.ok_or(DmgError::NoChunk { sector })?;
        let size = chunk.sectors.saturating_mul(SECTOR);
        let skip = offset.saturating_sub(chunk.sector.saturating_mul(SECTOR));
        let end = match chunk.kind {
            // The last sector may be stored in part. The rest of it is zeros.
            Kind::Raw if skip < chunk.length => chunk.length,
            _ => size,
        };
        let content = content(&chunk, size, skip)?;
        Ok(Extent { length: end.saturating_sub(skip), content })
    }
}

/// How a chunk is stored from a byte of it on.
fn content(chunk: &Chunk, size: u64, skip: u64) -> Result<Content, DmgError> {
    let codec = match chunk.kind {
        Kind::Zero => return Ok(Content::Zero(None)),
        Kind::Unused => return Ok(Content::Unallocated),
        Kind::Raw if skip >= chunk.length => return Ok(Content::Zero(None)),
        Kind::Raw => None,
        Kind::Adc => Some(Codec::Adc),
        Kind::Zlib => Some(Codec::Zlib),
        Kind::Bzip2 => Some(Codec::Bzip2),
        Kind::Lzfse => return Err(unsupported(chunk, "LZFSE")),
        Kind::Lzma => return Err(unsupported(chunk, "LZMA")),
    };
    let (offset, length) = (chunk.offset, chunk.length);
    if !storage::is_reachable(offset, length) {
        return Err(DmgError::ChunkOutOfReach { sector: chunk.sector, offset });
    }
    let place = Place::own(offset);
    Ok(match codec {
        Some(codec) => Content::Compressed(Compressed { place, length, codec, size, skip }),
        None => Content::Data(place.after(skip)),
    })
}

/// A chunk that is compressed in a way that is known, but not how it is undone.
fn unsupported(chunk: &Chunk, kind: &'static str) -> DmgError {
    DmgError::UnsupportedKind { sector: chunk.sector, kind }
}
