//! VMDK images.

use formats::vmdk::sample::{Cowd, Hosted, SeSparse, Text, odd_descriptor};

use super::{Image, Step, Verdict};

/// Every subformat that qemu-img makes, and what only VMware's products make.
pub const IMAGES: &[Image] = &[
    Image::new("sparse", "a.vmdk", &[Step::Run("qemu-img create -f vmdk a.vmdk 100M")]),
    Image::new("sparse, odd size", "a.vmdk", &[Step::Run("qemu-img create -f vmdk a.vmdk 1000")]),
    Image::new("sparse, no size", "a.vmdk", &[Step::Run("qemu-img create -f vmdk a.vmdk 0")]),
    Image::new("sparse, 2 TiB", "a.vmdk", &[Step::Run("qemu-img create -f vmdk a.vmdk 2T")]),
    Image::new(
        "sparse with zeroed grains",
        "a.vmdk",
        &[Step::Run("qemu-img create -f vmdk -o zeroed_grain=on a.vmdk 10M")],
    ),
    Image::new(
        "sparse for an old product",
        "a.vmdk",
        &[Step::Run("qemu-img create -f vmdk -o compat6,adapter_type=lsilogic a.vmdk 10M")],
    ),
    Image::new(
        "sparse with data",
        "a.vmdk",
        &[
            Step::Run("qemu-img create -f vmdk a.vmdk 10M"),
            Step::Run("qemu-io -f vmdk -c 'write 1M 1M' a.vmdk"),
        ],
    ),
    Image::new(
        "stream-optimized",
        "a.vmdk",
        &[
            Step::Write("a.raw", || b"some text ".repeat(100_000)),
            Step::Run("qemu-img convert -O vmdk -o subformat=streamOptimized a.raw a.vmdk"),
        ],
    ),
    Image::new(
        "stream-optimized with a footer",
        "a.vmdk",
        &[Step::Write("a.vmdk", || Hosted::stream_optimized().bytes())],
    ),
    Image::new(
        "left open",
        "a.vmdk",
        &[Step::Write("a.vmdk", || Hosted { unclean: true, ..Hosted::default() }.bytes())],
    )
    .alone(Verdict::Expected("vmdk-left-open"))
    .chain(Verdict::Expected("vmdk-left-open-chain")),
    Image::new(
        "version 3",
        "a.vmdk",
        &[Step::Write("a.vmdk", || Hosted { version: 3, ..Hosted::default() }.bytes())],
    ),
    Image::new(
        "version 4",
        "a.vmdk",
        &[Step::Write("a.vmdk", || Hosted { version: 4, ..Hosted::default() }.bytes())],
    ),
    Image::new(
        "a parent",
        "b.vmdk",
        &[
            Step::Run("qemu-img create -f vmdk a.vmdk 10M"),
            Step::Run("qemu-img create -f vmdk -b a.vmdk -F vmdk b.vmdk"),
        ],
    ),
    Image::new(
        "three layers in folders",
        "c.vmdk",
        &[
            Step::Write("below/further/x", Vec::new),
            Step::Run("qemu-img create -f vmdk below/further/a.vmdk 10M"),
            Step::Run("qemu-img create -f vmdk -b further/a.vmdk -F vmdk below/b.vmdk"),
            Step::Run("qemu-img create -f vmdk -b below/b.vmdk -F vmdk c.vmdk"),
        ],
    ),
    // Files besides its own are opened only if that is asked for.
    Image::new(
        "flat",
        "a.vmdk",
        &[Step::Run("qemu-img create -f vmdk -o subformat=monolithicFlat a.vmdk 10M")],
    )
    .alone(Verdict::Expected("vmdk-flat")),
    Image::new(
        "split, sparse",
        "a.vmdk",
        &[Step::Run("qemu-img create -f vmdk -o subformat=twoGbMaxExtentSparse a.vmdk 5G")],
    )
    .alone(Verdict::Expected("vmdk-split-sparse")),
    Image::new(
        "split, flat",
        "a.vmdk",
        &[Step::Run("qemu-img create -f vmdk -o subformat=twoGbMaxExtentFlat a.vmdk 5G")],
    )
    .alone(Verdict::Expected("vmdk-split-flat")),
    Image::new(
        "vmfs",
        "a.vmdk",
        &[
            Step::Write("a.vmdk", || Text::new("vmfs", &["RW 2048 VMFS \"a-flat.vmdk\""]).bytes()),
            Step::Run("truncate -s 1M a-flat.vmdk"),
        ],
    )
    .alone(Verdict::Expected("vmdk-vmfs")),
    Image::new(
        "vmfsSparse",
        "a.vmdk",
        &[
            Step::Write("a.vmdk", || {
                Text::new("vmfsSparse", &["RW 2048 VMFSSPARSE \"a-delta.vmdk\""]).bytes()
            }),
            Step::Write("a-delta.vmdk", || Cowd::default().bytes()),
        ],
    )
    .alone(Verdict::Expected("vmdk-vmfs-sparse")),
    Image::new(
        "seSparse",
        "a.vmdk",
        &[
            Step::Write("a.vmdk", || {
                Text::new("seSparse", &["RW 2048 SESPARSE \"a-sesparse.vmdk\""]).bytes()
            }),
            Step::Write("a-sesparse.vmdk", || SeSparse::default().bytes()),
        ],
    )
    .alone(Verdict::Expected("vmdk-sesparse")),
    Image::new(
        "an ESX extent with a descriptor",
        "a.vmdk",
        &[Step::Write("a.vmdk", || {
            let descriptor = Text::new("vmfsSparse", &["RW 2048 VMFSSPARSE \"a.vmdk\""]).bytes();
            Cowd { descriptor, ..Cowd::default() }.bytes()
        })],
    ),
    Image::new(
        "an ESX extent without one",
        "a.vmdk",
        &[Step::Write("a.vmdk", || Cowd::default().bytes())],
    )
    .verdict(Verdict::Refused(
        "the file is an extent without a descriptor: the disk is opened by its descriptor",
    )),
    Image::new(
        "an extent without a descriptor",
        "a.vmdk",
        &[Step::Write("a.vmdk", || Hosted::extent().bytes())],
    )
    .verdict(Verdict::Refused(
        "the file is an extent without a descriptor: the disk is opened by its descriptor",
    )),
    Image::new(
        "a part of zeros",
        "a.vmdk",
        &[Step::Write("a.vmdk", || Text::new("monolithicFlat", &["RW 2048 ZERO"]).bytes())],
    )
    .alone(Verdict::Expected("vmdk-zeros"))
    .chain(Verdict::Expected("vmdk-zeros-chain")),
    Image::new("odd but valid", "a.vmdk", &[Step::Write("a.vmdk", odd_descriptor)]),
    Image::new(
        "an unknown type",
        "a.vmdk",
        &[Step::Write("a.vmdk", || Text::new("custom", &["RW 2048 ZERO"]).bytes())],
    ),
    Image::new(
        "a type of extent that is not supported",
        "a.vmdk",
        &[Step::Write("a.vmdk", || Text::new("vmfs", &["RW 2048 VMFSRDM \"rdm.vmdk\""]).bytes())],
    )
    .verdict(Verdict::Refused("Unsupported extent type 'VMFSRDM'")),
    Image::new(
        "an extent line that is none",
        "a.vmdk",
        &[Step::Write("a.vmdk", || Text::new("vmfs", &["RW x VMFS \"a-flat.vmdk\""]).bytes())],
    )
    .verdict(Verdict::Refused("Invalid extent line: RW x VMFS \"a-flat.vmdk\"")),
    Image::new(
        "an extent that is missing",
        "a.vmdk",
        &[Step::Write("a.vmdk", || Text::new("vmfs", &["RW 2048 VMFS \"a-flat.vmdk\""]).bytes())],
    )
    .alone(Verdict::Expected("vmdk-vmfs")),
    Image::new(
        "no content id",
        "a.vmdk",
        &[
            Step::Write("a.vmdk", || Text::new("vmfs", &["RW 2048 ZERO"]).bytes()),
            Step::Patch("a.vmdk", 32, b"cid"),
        ],
    )
    .verdict(Verdict::Refused("the descriptor has no valid CID")),
    Image::new("only a signature", "a.vmdk", &[Step::Write("a.vmdk", || b"KDMV".to_vec())]),
    Image::new(
        "cut off in the header",
        "a.vmdk",
        &[Step::Run("qemu-img create -f vmdk a.vmdk 10M"), Step::Run("truncate -s 60 a.vmdk")],
    )
    .verdict(Verdict::Refused(
        "the grain directory at sector 26 (4 bytes) does not lie in the file",
    )),
    Image::new(
        "cut off behind the header",
        "a.vmdk",
        &[Step::Run("qemu-img create -f vmdk a.vmdk 10M"), Step::Run("truncate -s 512 a.vmdk")],
    ),
    Image::new(
        "grains of no size",
        "a.vmdk",
        &[Step::Run("qemu-img create -f vmdk a.vmdk 10M"), Step::Patch("a.vmdk", 20, &[0; 8])],
    ),
    Image::new(
        "grains too large",
        "a.vmdk",
        &[
            Step::Run("qemu-img create -f vmdk a.vmdk 10M"),
            Step::Patch("a.vmdk", 20, &[0, 0, 0, 0, 1]),
        ],
    )
    .verdict(Verdict::Refused("Invalid granularity, image may be corrupt")),
    Image::new(
        "grain tables too large",
        "a.vmdk",
        &[
            Step::Run("qemu-img create -f vmdk a.vmdk 10M"),
            Step::Patch("a.vmdk", 44, &[0, 0, 0, 1]),
        ],
    ),
    Image::new(
        "a capacity beyond everything",
        "a.vmdk",
        &[Step::Run("qemu-img create -f vmdk a.vmdk 10M"), Step::Patch("a.vmdk", 12, &[0xff; 8])],
    )
    .verdict(Verdict::Refused("L1 size too big")),
    Image::new(
        "an unknown compression",
        "a.vmdk",
        &[Step::Run("qemu-img create -f vmdk a.vmdk 10M"), Step::Patch("a.vmdk", 77, &[2])],
    )
    .verdict(Verdict::Refused("Unsupported compression algorithm 2")),
    Image::new(
        "a footer that is none",
        "a.vmdk",
        &[
            Step::Write("a.vmdk", || Hosted::default().bytes()),
            Step::Patch("a.vmdk", 56, &[0xff; 8]),
        ],
    ),
    Image::new(
        "text that commands a terminal",
        "a.vmdk",
        &[Step::Write("a.vmdk", || {
            let parent = Some(b"\x1b[2J\x07\xff\xe2\x80\xae.vmdk".to_vec());
            let descriptor = Text::new("monolithicSparse", &["RW 2048 SPARSE \"disk.vmdk\""]);
            let descriptor = Text { parent, ..descriptor };
            Hosted { descriptor: Some(descriptor.bytes()), ..Hosted::default() }.bytes()
        })],
    )
    .alone(Verdict::Expected("vmdk-escapes"))
    .chain(Verdict::Complaint(
        "Could not open '\\x1b[2J\\x07\\xff\\u{202e}.vmdk': \
         Could not open '\\x1b[2J\\x07\\xff\\u{202e}.vmdk': No such file or directory",
    )),
];
