//! Making an image anew in place of one that is there.
//!
//! The new image is made like any other, with options that say what the old one was made
//! with ([`Image::recreation`](crate::Image::recreation)): that is how it stays what its
//! user set it up to be, and gets another disk. What is not on the disk and cannot be said
//! by options would get lost on the way, so that an image that has it is left alone.
//!
//! Ids and times are new: programs that know an image by them are to see that it is
//! another one.

use alloc::string::String;

use crate::creation::{Options, Value};
use crate::error::{ErrorKind, FormatError};
use crate::image::Backing;

/// Why an image cannot be made anew.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Irreplaceable {
    /// No image of its format is made.
    #[error("images of this format are not written")]
    Format,
    /// It has something that would get lost.
    #[error("{0} would be lost, as the image is made anew")]
    Lost(&'static str),
    /// It is in several files.
    #[error("an image of several files is not made anew")]
    SeveralFiles,
    /// It has something that a new image would have in another way.
    #[error("a new image would not have {what} of {bytes} bytes")]
    OtherSize {
        /// What it is.
        what: &'static str,
        /// Its size in bytes.
        bytes: u64,
    },
    /// It is of a kind that is not made.
    #[error("images of the type '{kind}' are not made")]
    Kind {
        /// What it is called.
        kind: String,
    },
}

impl FormatError for Irreplaceable {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Unsupported
    }
}

/// Sets options for the image underneath, as formats with such an image call them.
pub(crate) fn keep_backing(options: &mut Options, backing: Option<Backing>) {
    let Some(Backing { path, format }) = backing else { return };
    options.set("backing_file", Value::Text(path));
    if let Some(format) = format {
        options.set("backing_fmt", Value::Text(format));
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::string::{String, ToString};
    use std::vec::Vec;

    use super::*;
    use crate::extent::File;
    use crate::whole::Files;
    use crate::{Creation, Error, by_name};

    /// The size of the disks: one that a VHD can have by its geometry.
    const SIZE: u64 = 20_468 * 512;

    fn flag(name: &'static str) -> (&'static str, Value) {
        (name, Value::Flag(true))
    }

    fn number(name: &'static str, number: u64) -> (&'static str, Value) {
        (name, Value::Number(number))
    }

    fn text(name: &'static str, text: &str) -> (&'static str, Value) {
        (name, Value::Text(text.into()))
    }

    /// An image without content.
    fn make(format: &str, options: &Options, size: u64) -> Vec<u8> {
        let creation = Creation { size, options: options.clone(), ..Creation::default() };
        let mut writer = by_name(format).unwrap().create(&creation).unwrap();
        let mut files = Files::default();
        files.make(writer.as_mut(), &[], 512).unwrap();
        files.file(File::Own).to_vec()
    }

    fn recreation(format: &str, image: Vec<u8>) -> Result<Options, Error> {
        by_name(format).unwrap().open(Rc::new(image)).unwrap().recreation()
    }

    fn complaint(format: &str, image: Vec<u8>) -> String {
        recreation(format, image).unwrap_err().to_string()
    }

    #[test]
    fn an_image_is_made_anew_to_the_byte() {
        let cases: &[(&str, &[(&str, Value)])] = &[
            ("qcow2", &[]),
            (
                "qcow2",
                &[
                    number("cluster_size", 131_072),
                    number("refcount_bits", 8),
                    flag("lazy_refcounts"),
                    flag("extended_l2"),
                    text("compression_type", "zstd"),
                ],
            ),
            ("qcow2", &[text("compat", "0.10"), number("cluster_size", 512)]),
            ("qcow2", &[text("backing_file", "base"), text("backing_fmt", "raw")]),
            ("qcow2", &[text("backing_file", "base")]),
            ("qcow", &[]),
            ("qcow", &[text("backing_file", "base")]),
            ("qed", &[]),
            ("qed", &[number("cluster_size", 4096), number("table_size", 16)]),
            ("qed", &[text("backing_file", "base"), text("backing_fmt", "raw")]),
            ("qed", &[text("backing_file", "base")]),
            ("vdi", &[]),
            ("vdi", &[flag("static")]),
            ("vhdx", &[]),
            ("vhdx", &[number("block_size", 2 << 20), number("log_size", 3 << 20)]),
            ("vhdx", &[text("subformat", "fixed")]),
            ("vpc", &[]),
            ("vpc", &[text("subformat", "fixed")]),
            ("vpc", &[flag("force_size")]),
            ("parallels", &[]),
            ("parallels", &[number("cluster_size", 65536)]),
            ("vmdk", &[]),
            ("vmdk", &[text("subformat", "streamOptimized")]),
            ("vmdk", &[flag("zeroed_grain"), flag("compat6"), text("toolsversion", "7")]),
            ("vmdk", &[text("adapter_type", "lsilogic"), text("hwversion", "19")]),
        ];
        for (format, set) in cases {
            let mut options = Options::default();
            set.iter().for_each(|(name, value)| options.set(name, value.clone()));
            let image = make(format, &options, SIZE);
            let again = make(format, &recreation(format, image.clone()).unwrap(), SIZE);
            assert!(image == again, "{format} {set:?}");
        }
    }

    #[test]
    fn a_vhd_keeps_a_size_that_is_not_that_of_a_geometry() {
        let mut options = Options::default();
        options.set("force_size", Value::Flag(true));
        let image = make("vpc", &options, SIZE + 512);
        let options = recreation("vpc", image).unwrap();
        assert_eq!(options.flag("force_size"), Some(true));
        assert_eq!(
            recreation("vpc", make("vpc", &Options::default(), SIZE)).unwrap().flag("force_size"),
            Some(false)
        );
    }

    #[test]
    fn what_would_get_lost_is_said() {
        let lost = |what: &str| std::format!("{what} would be lost, as the image is made anew");
        let mut options = Options::default();
        let qcow2 = make("qcow2", &options, SIZE);
        let qcow2 = |patches: &[(usize, &[u8])]| {
            let mut image = qcow2.clone();
            for (offset, bytes) in patches {
                image[*offset..*offset + bytes.len()].copy_from_slice(bytes);
            }
            image
        };
        for (patches, expected) in [
            (&[(79, &[2][..])][..], "qcow2: Image is corrupt; cannot be opened read/write".into()),
            // The first snapshot table is where there are zeros.
            (&[(60, &[0, 0, 0, 1]), (64, &[0, 0, 0, 0, 0, 4, 0, 0])], lost("internal snapshots")),
            (&[(35, &[1])], lost("the encryption")),
            // The extension with the names of features becomes another.
            (&[(112, b"XXXX")], lost("header extensions that are not known")),
        ] {
            assert_eq!(complaint("qcow2", qcow2(patches)), expected);
        }
        options.set("data_file", Value::Text(b"data".to_vec()));
        let several = "an image of several files is not made anew";
        assert_eq!(complaint("qcow2", make("qcow2", &options, SIZE)), several);
        let mut flat = Options::default();
        flat.set("subformat", Value::Text(b"monolithicFlat".to_vec()));
        assert_eq!(complaint("vmdk", make("vmdk", &flat, SIZE)), several);
    }

    #[test]
    fn sizes_that_cannot_be_kept_are_said() {
        let mut vhd = make("vpc", &Options::default(), SIZE);
        // Blocks of 512 KiB, and as many entries in the table.
        let header = 512;
        vhd[header + 28..header + 36].copy_from_slice(&[0, 0, 0, 20, 0, 8, 0, 0]);
        vhd[header + 36..header + 40].fill(0);
        let sum =
            !vhd[header..header + 1024].iter().fold(0_u32, |sum, byte| sum + u32::from(*byte));
        vhd[header + 36..header + 40].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(complaint("vpc", vhd), "a new image would not have blocks of 524288 bytes");
        let mut qcow = make("qcow", &Options::default(), SIZE);
        qcow[32..34].copy_from_slice(&[12, 10]);
        assert_eq!(complaint("qcow", qcow), "a new image would not have tables of 8192 bytes");
    }
}
