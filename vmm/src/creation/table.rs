//! The options of every format that can be made: their names, kinds, defaults and
//! descriptions are qemu-img's, in the order in which it prints them.

use abi::info::Format;

/// An option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it is if the user does not say, as qemu-img prints it.
    pub default: Option<&'static str>,
    /// What it is for.
    pub help: &'static str,
}

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anything.
    Text,
    /// `on` or `off`.
    Flag,
    /// A number.
    Number,
    /// A number of bytes, possibly with a suffix.
    Size,
}

impl Description {
    const fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self { name, kind, default: None, help }
    }

    const fn or(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }
}

/// The options of a format, or nothing if it cannot be made.
#[must_use]
pub const fn options(format: Format) -> Option<&'static [Description]> {
    match format {
        Format::Raw => Some(RAW),
        Format::Qcow2 => Some(QCOW2),
        Format::Qcow => Some(QCOW),
        Format::Qed => Some(QED),
        Format::Vmdk => Some(VMDK),
        Format::Vpc => Some(VPC),
        Format::Vhdx => Some(VHDX),
        Format::Vdi => Some(VDI),
        Format::Parallels => Some(PARALLELS),
        Format::Luks => Some(LUKS),
        Format::Dmg | Format::Bochs | Format::Cloop => None,
    }
}

/// Whether images of a format can be compressed.
#[must_use]
pub const fn can_compress(format: Format) -> bool {
    matches!(format, Format::Qcow2 | Format::Qcow | Format::Vmdk)
}

/// Whether images of a format, and of this subformat, are written from the start to the end
/// without going back.
#[must_use]
pub fn is_written_in_order(format: Format, subformat: Option<&[u8]>) -> bool {
    match format {
        Format::Raw => true,
        Format::Vmdk => subformat == Some(b"streamOptimized"),
        Format::Vpc => subformat == Some(b"fixed"),
        _ => false,
    }
}

const SIZE: Description = Description::new("size", Kind::Size, "Virtual disk size");

/// The options of the file that an image goes into.
pub const FILE: &[Description] = &[
    SIZE,
    Description::new("nocow", Kind::Flag, "Turn off copy-on-write (valid only on btrfs)"),
    Description::new(
        "preallocation",
        Kind::Text,
        "Preallocation mode (allowed values: off, falloc, full)",
    ),
    Description::new(
        "extent_size_hint",
        Kind::Size,
        "Extent size hint for the image file, 0 to disable",
    ),
];

const RAW: &[Description] = &[SIZE];

const BACKING_FILE: Description =
    Description::new("backing_file", Kind::Text, "File name of a base image");
const BACKING_FORMAT: Description =
    Description::new("backing_fmt", Kind::Text, "Image format of the base image");
const ENCRYPTION: Description = Description::new(
    "encryption",
    Kind::Flag,
    "Encrypt the image with format 'aes'. (Deprecated in favor of encrypt.format=aes)",
);

const QCOW2: &[Description] = &[
    ENCRYPTION,
    Description::new(
        "encrypt.format",
        Kind::Text,
        "Encrypt the image, format choices: 'aes', 'luks'",
    ),
    Description::new(
        "encrypt.key-secret",
        Kind::Text,
        "ID of secret providing qcow AES key or LUKS passphrase",
    ),
    Description::new("encrypt.cipher-alg", Kind::Text, "Name of encryption cipher algorithm"),
    Description::new("encrypt.cipher-mode", Kind::Text, "Name of encryption cipher mode"),
    Description::new("encrypt.ivgen-alg", Kind::Text, "Name of IV generator algorithm"),
    Description::new("encrypt.ivgen-hash-alg", Kind::Text, "Name of IV generator hash algorithm"),
    Description::new("encrypt.hash-alg", Kind::Text, "Name of encryption hash algorithm"),
    Description::new("encrypt.iter-time", Kind::Number, "Time to spend in PBKDF in milliseconds"),
    Description::new("cluster_size", Kind::Size, "qcow2 cluster size").or("65536"),
    Description::new("extended_l2", Kind::Flag, "Extended L2 tables").or("off"),
    Description::new(
        "preallocation",
        Kind::Text,
        "Preallocation mode (allowed values: off, metadata, falloc, full)",
    ),
    Description::new(
        "compression_type",
        Kind::Text,
        "Compression method used for image cluster compression",
    )
    .or("zlib"),
    SIZE,
    Description::new("compat", Kind::Text, "Compatibility level (v2 [0.10] or v3 [1.1])"),
    BACKING_FILE,
    BACKING_FORMAT,
    Description::new("data_file", Kind::Text, "File name of an external data file"),
    Description::new(
        "data_file_raw",
        Kind::Flag,
        "The external data file must stay valid as a raw image",
    ),
    Description::new("lazy_refcounts", Kind::Flag, "Postpone refcount updates").or("off"),
    Description::new("refcount_bits", Kind::Number, "Width of a reference count entry in bits")
        .or("16"),
];

const QCOW: &[Description] = &[
    SIZE,
    BACKING_FILE,
    Description::new("backing_fmt", Kind::Text, "Format of the backing image"),
    ENCRYPTION,
    Description::new("encrypt.format", Kind::Text, "Encrypt the image, format choices: 'aes'"),
    Description::new(
        "encrypt.key-secret",
        Kind::Text,
        "ID of the secret that provides the AES encryption key",
    ),
];

const QED: &[Description] = &[
    SIZE,
    BACKING_FILE,
    BACKING_FORMAT,
    Description::new("cluster_size", Kind::Size, "Cluster size (in bytes)").or("65536"),
    Description::new("table_size", Kind::Size, "L1/L2 table size (in clusters)"),
];

const VMDK: &[Description] = &[
    SIZE,
    Description::new(
        "adapter_type",
        Kind::Text,
        "Virtual adapter type, can be one of ide (default), lsilogic, buslogic or legacyESX",
    ),
    BACKING_FILE,
    Description::new("backing_fmt", Kind::Text, "Must be 'vmdk' if present"),
    Description::new("compat6", Kind::Flag, "VMDK version 6 image").or("off"),
    Description::new("hwversion", Kind::Text, "VMDK hardware version").or("undefined"),
    Description::new("toolsversion", Kind::Text, "VMware guest tools version"),
    Description::new(
        "subformat",
        Kind::Text,
        "VMDK flat extent format, can be one of {monolithicSparse (default) | monolithicFlat | \
         twoGbMaxExtentSparse | twoGbMaxExtentFlat | streamOptimized} ",
    ),
    Description::new(
        "zeroed_grain",
        Kind::Flag,
        "Enable efficient zero writes using the zeroed-grain GTE feature",
    ),
];

const VPC: &[Description] = &[
    SIZE,
    Description::new(
        "subformat",
        Kind::Text,
        "Type of virtual hard disk format. Supported formats are {dynamic (default) | fixed} ",
    ),
    Description::new(
        "force_size",
        Kind::Flag,
        "Force disk size calculation to use the actual size specified, rather than using the \
         nearest CHS-based calculation",
    ),
];

const VHDX: &[Description] = &[
    Description::new("size", Kind::Size, "Virtual disk size; max of 64TB."),
    Description::new("log_size", Kind::Size, "Log size; min 1MB.").or("1048576"),
    Description::new(
        "block_size",
        Kind::Size,
        "Block Size; min 1MB, max 256MB. 0 means auto-calculate based on image size.",
    )
    .or("0"),
    Description::new(
        "subformat",
        Kind::Text,
        "VHDX format type, can be either 'dynamic' or 'fixed'. Default is 'dynamic'.",
    ),
    Description::new(
        "block_state_zero",
        Kind::Flag,
        "Force use of payload blocks of type 'ZERO'. Non-standard, but default.  Do not set to \
         'off' when using 'qemu-img convert' with subformat=dynamic.",
    ),
];

const VDI: &[Description] =
    &[SIZE, Description::new("static", Kind::Flag, "VDI static (pre-allocated) image").or("off")];

const PARALLELS: &[Description] = &[
    SIZE,
    Description::new("cluster_size", Kind::Size, "Parallels image cluster size").or("1048576"),
];

const LUKS: &[Description] = &[
    SIZE,
    Description::new("detached-header", Kind::Flag, "Create a detached LUKS header"),
    Description::new(
        "key-secret",
        Kind::Text,
        "ID of the secret that provides the keyslot passphrase",
    ),
    Description::new("cipher-alg", Kind::Text, "Name of encryption cipher algorithm"),
    Description::new("cipher-mode", Kind::Text, "Name of encryption cipher mode"),
    Description::new("ivgen-alg", Kind::Text, "Name of IV generator algorithm"),
    Description::new("ivgen-hash-alg", Kind::Text, "Name of IV generator hash algorithm"),
    Description::new("hash-alg", Kind::Text, "Name of encryption hash algorithm"),
    Description::new("iter-time", Kind::Number, "Time to spend in PBKDF in milliseconds"),
];
