//! How clusters are encrypted (specification, "Data encryption", "Full disk
//! encryption header pointer").

use alloc::boxed::Box;
use alloc::rc::Rc;

use zerocopy::big_endian::U64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::Qcow2Error;
use super::table::Table;
use crate::error::Error;
use crate::luks::version1::Volume;
use crate::luks::version1::header::Header;
use crate::storage::{Part, Storage};

/// How clusters are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// AES-CBC with the passphrase for a key.
    Aes,
    /// As a LUKS header in the image says.
    Luks,
}

/// The number of the method with AES.
const AES: u32 = 1;
/// The number of the method with a LUKS header.
const LUKS: u32 = 2;

impl Method {
    /// What a number in the header stands for; nothing if clusters are not
    /// encrypted.
    ///
    /// # Errors
    ///
    /// If the method is unknown.
    pub fn of(number: u32) -> Result<Option<Self>, Qcow2Error> {
        match number {
            0 => Ok(None),
            AES => Ok(Some(Self::Aes)),
            LUKS => Ok(Some(Self::Luks)),
            // qemu prints the number with a sign.
            _ => Err(Qcow2Error::UnsupportedEncryption { method: number.cast_signed() }),
        }
    }
}

/// The header extension that says where the LUKS header is.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Pointer {
    /// Where it starts, in bytes.
    pub offset: U64,
    /// How long it is with its key material, in bytes.
    pub length: U64,
}

impl Pointer {
    /// Where the LUKS header is.
    ///
    /// # Errors
    ///
    /// If it does not start at a cluster.
    pub fn checked(&self, cluster_size: u64) -> Result<Table, Qcow2Error> {
        let (offset, length) = (self.offset.get(), self.length.get());
        if !offset.is_multiple_of(cluster_size) {
            return Err(Qcow2Error::EncryptionHeaderOffset { offset, cluster_size });
        }
        Ok(Table { offset, length })
    }
}

/// How clusters are encrypted, with what there is to say of it.
#[derive(Clone, Debug)]
pub enum Encryption {
    /// AES-CBC with the passphrase for a key.
    Aes,
    /// As a LUKS header in the image says. Places in it count from its own start.
    Luks(Box<Volume>),
}

impl Encryption {
    /// Reads what there is to read for a method.
    ///
    /// # Errors
    ///
    /// If there is no LUKS header where there must be one, or it is damaged or not
    /// in the file.
    pub fn read(
        method: Method,
        luks_header: Option<Table>,
        storage: &Rc<dyn Storage>,
    ) -> Result<Self, Error> {
        match (method, luks_header) {
            (Method::Aes, _) => Ok(Self::Aes),
            (Method::Luks, None) => Err(Qcow2Error::NoEncryptionHeader { method: LUKS }.into()),
            (Method::Luks, Some(place)) => {
                place.check_inside(storage.as_ref(), "encryption header")?;
                if place.length < size_of::<Header>() as u64 {
                    return Err(Qcow2Error::EncryptionHeaderTooShort.into());
                }
                let header = Part::new(Rc::clone(storage), place.offset, place.length)?;
                Ok(Self::Luks(Box::new(Volume::read(&header)?)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::string::{String, ToString};
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::luks::sample::Version1;

    /// A file with a LUKS header at its second cluster.
    fn file() -> Vec<u8> {
        [vec![0; 512], Version1 { payload: 0, ..Version1::default() }.bytes()].concat()
    }

    fn read(bytes: &[u8], place: Option<Table>) -> Result<Encryption, Error> {
        let storage: Rc<dyn Storage> = Rc::new(bytes.to_vec());
        Encryption::read(Method::Luks, place, &storage)
    }

    #[test]
    fn methods_have_numbers() {
        for (number, expected) in
            [(0, Ok(None)), (1, Ok(Some(Method::Aes))), (2, Ok(Some(Method::Luks)))]
        {
            assert_eq!(Method::of(number), expected);
        }
        for (number, method) in [(3, 3), (u32::MAX, -1)] {
            assert_eq!(Method::of(number), Err(Qcow2Error::UnsupportedEncryption { method }));
        }
    }

    #[test]
    fn the_old_encryption_needs_no_header() {
        let storage: Rc<dyn Storage> = Rc::new(Vec::new());
        let encryption = Encryption::read(Method::Aes, None, &storage);
        assert!(matches!(encryption, Ok(Encryption::Aes)));
    }

    #[test]
    fn a_luks_header_is_read_from_its_place() {
        let file = file();
        let length = file.len() as u64 - 512;
        let Ok(Encryption::Luks(volume)) = read(&file, Some(Table { offset: 512, length })) else {
            panic!()
        };
        let description = volume.description(false);
        assert_eq!(description.cipher, "aes-128");
        // Places count from the start of the LUKS header.
        assert_eq!(description.payload_offset, length);
        assert_eq!(volume.key_slots().next().unwrap().key_offset, 4096);
    }

    #[test]
    fn a_luks_header_is_there_and_in_the_file() {
        let file = file();
        let length = file.len() as u64 - 512;
        let place = |offset, length| Some(Table { offset, length });
        for (place, expected) in [
            (None, "Missing CRYPTO header for crypt method 2"),
            (place(512, 592), ""),
            (place(512, 591), "Request for data outside of extension header"),
            (place(512, 0), "Request for data outside of extension header"),
            (place(0, 592), "Volume is not in LUKS format"),
            (place(512, length), ""),
            (
                place(512, length + 1),
                "the encryption header at 512 (528385 bytes) does not lie in the file",
            ),
            (
                place(u64::MAX - 511, 592),
                "the encryption header at 18446744073709551104 (592 bytes) does not lie in the \
                 file",
            ),
        ] {
            let said = read(&file, place);
            let said = said.map_or_else(|error| error.to_string(), |_| String::new());
            assert_eq!(said, expected);
        }
    }
}
