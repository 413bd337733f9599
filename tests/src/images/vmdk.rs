//! VMDK images.

use super::{Image, Step};

/// Every subformat that qemu-img makes, and what only others make.
pub const IMAGES: &[Image] =
    &[Image::new("sparse", "a.vmdk", &[Step::Run("qemu-img create -f vmdk a.vmdk 100M")])];
