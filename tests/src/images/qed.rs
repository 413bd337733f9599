//! QED images.

use formats::qed::header::Features;
use formats::qed::sample::Disk;

use super::{Image, Step, Verdict};

/// What qemu-img makes, what it does not make any more, and what is damaged.
pub const IMAGES: &[Image] = &[
    // What qemu-img makes.
    made("the usual", &[Step::Run("qemu-img create -f qed a.qed 100M")]),
    made("empty", &[Step::Run("qemu-img create -f qed a.qed 0")]),
    made("one byte", &[Step::Run("qemu-img create -f qed a.qed 1")]),
    made("one sector", &[Step::Run("qemu-img create -f qed a.qed 512")]),
    made("a cluster and a sector", &[Step::Run("qemu-img create -f qed a.qed 66048")]),
    made("the largest with usual tables", &[Step::Run("qemu-img create -f qed a.qed 64T")]),
    made("small clusters", &[Step::Run("qemu-img create -f qed -o cluster_size=4096 a.qed 10M")]),
    made(
        "small clusters, small tables, the largest",
        &[Step::Run("qemu-img create -f qed -o cluster_size=4096,table_size=2 a.qed 4G")],
    ),
    made(
        "small clusters, large tables",
        &[Step::Run("qemu-img create -f qed -o cluster_size=4096,table_size=16 a.qed 10M")],
    ),
    made("tables of 2 clusters", &[Step::Run("qemu-img create -f qed -o table_size=2 a.qed 10M")]),
    made("tables of 8 clusters", &[Step::Run("qemu-img create -f qed -o table_size=8 a.qed 10M")]),
    made(
        "tables of 16 clusters",
        &[Step::Run("qemu-img create -f qed -o table_size=16 a.qed 10M")],
    ),
    made(
        "clusters of 1 MiB",
        &[Step::Run("qemu-img create -f qed -o cluster_size=1M,table_size=2 a.qed 3P")],
    ),
    made(
        "clusters of 4 MiB",
        &[Step::Run("qemu-img create -f qed -o cluster_size=4M,table_size=2 a.qed 4E")],
    ),
    made(
        "tables too large for a disk",
        &[Step::Run("qemu-img create -f qed -o cluster_size=8M,table_size=2 a.qed 0")],
    ),
    // qemu-img makes this, but does not open it.
    made("tables of one cluster", &[Step::Run("qemu-img create -f qed -o table_size=1 a.qed 10M")]),
    made(
        "with data",
        &[
            Step::Write("a.raw", || vec![7; 3 << 20]),
            Step::Run("qemu-img convert -f raw -O qed a.raw a.qed"),
        ],
    ),
    made(
        "with zeros",
        &[
            Step::Run("qemu-img create -f qed a.qed 10M"),
            Step::Run("qemu-io -f qed -c 'write -z 1M 1M' a.qed"),
        ],
    ),
    // Backing files.
    made(
        "on a raw image",
        &[
            Step::Run("qemu-img create -f raw base.raw 10M"),
            Step::Run("qemu-img create -f qed -b base.raw -F raw a.qed"),
        ],
    ),
    made(
        "on a raw image that looks like another",
        &[
            Step::Run("qemu-img create -f vmdk base.raw 10M"),
            Step::Run("qemu-img create -f qed -b base.raw -F raw a.qed"),
        ],
    ),
    made(
        "on a VMDK",
        &[
            Step::Run("qemu-img create -f vmdk base.vmdk 10M"),
            Step::Run("qemu-img create -f qed -b base.vmdk -F vmdk a.qed"),
        ],
    ),
    made(
        "on a VDI",
        &[
            Step::Run("qemu-img create -f vdi base.vdi 10M"),
            Step::Run("qemu-img create -f qed -b base.vdi -F vdi a.qed"),
        ],
    ),
    made(
        "on a QED that is larger",
        &[
            Step::Run("qemu-img create -f qed base.qed 100M"),
            Step::Run("qemu-img create -f qed -b base.qed -F qed a.qed 10M"),
        ],
    ),
    made(
        "three layers in folders",
        &[
            Step::Write("below/further/x", Vec::new),
            Step::Run("qemu-img create -f parallels below/further/base.hds 10M"),
            Step::Run("qemu-img create -f qed -b further/base.hds -F parallels below/b.qed"),
            Step::Run("qemu-img create -f qed -b below/b.qed -F qed -o cluster_size=4k a.qed"),
        ],
    ),
    made(
        "on an image in this folder, said so",
        &[
            Step::Run("qemu-img create -f raw base.raw 10M"),
            Step::Run("qemu-img create -f qed -b ./base.raw -F raw a.qed"),
        ],
    ),
    made(
        "on an image that is missing",
        &[Step::Write(FILE, || {
            Disk { backing: Some(b"missing.raw".to_vec()), ..Disk::default() }.bytes()
        })],
    ),
    made(
        "on an image that is damaged",
        &[
            Step::Run("qemu-img create -f qed base.qed 10M"),
            Step::Patch("base.qed", 4, &[0; 4]),
            Step::Write(FILE, || {
                Disk { backing: Some(b"base.qed".to_vec()), ..Disk::default() }.bytes()
            }),
        ],
    ),
    made(
        "on an image without a name",
        &[Step::Write(FILE, || Disk { backing: Some(Vec::new()), ..Disk::default() }.bytes())],
    ),
    made(
        "on a raw image without a name",
        &[Step::Write(FILE, || {
            let features = Features::BACKING_FORMAT_NO_PROBE;
            Disk { backing: Some(Vec::new()), features, ..Disk::default() }.bytes()
        })],
    ),
    made(
        "on an image with a NUL in its name",
        &[
            Step::Write("base", || vec![7; 512]),
            Step::Write(FILE, || {
                Disk { backing: Some(b"base\0and more".to_vec()), ..Disk::default() }.bytes()
            }),
        ],
    ),
    made(
        "the name of a backing file at the end of the header",
        &[
            Step::Write("base", || vec![7; 512]),
            Step::Write(FILE, || Disk { backing: Some(vec![0; 4]), ..Disk::default() }.bytes()),
            Step::Patch(FILE, 56, b"\xfc\x0f"),
            Step::Patch(FILE, 4092, b"base"),
        ],
    ),
    made(
        "the name of a backing file in a header of two clusters",
        &[
            Step::Write("base", || vec![7; 512]),
            Step::Write(FILE, || Disk { table_size: 4, ..Disk::default() }.bytes()),
            Step::Patch(FILE, 8, b"\x02\0\0\0\x02\0\0\0\x01"),
            Step::Patch(FILE, 41, b"\x20"),
            Step::Patch(FILE, 56, b"\xfe\x0f\0\0\x04"),
            Step::Patch(FILE, 4094, b"base"),
        ],
    ),
    made(
        "the magic for a name",
        &[
            Step::Write("QED", || vec![7; 512]),
            Step::Write(FILE, || Disk { backing: Some(vec![0; 4]), ..Disk::default() }.bytes()),
            Step::Patch(FILE, 56, &[0; 4]),
        ],
    ),
    made("the longest name there can be", &[Step::Write("base", || vec![7; 512]), LONG_NAME]),
    made("a name that is too long", &[LONG_NAME, Step::Patch(FILE, 60, b"\0\x10")]),
    made(
        "the name of a backing file that there is none of",
        &[NEW, Step::Patch(FILE, 56, &[0xff; 8])],
    ),
    made("a raw backing file that there is none of", &[NEW, Step::Patch(FILE, 16, b"\x04")]),
    // Features and fields that nothing depends on.
    made("compatible features", &[NEW, Step::Patch(FILE, 24, &[0xff; 8])]),
    made("features to be taken back", &[NEW, Step::Patch(FILE, 32, &[0xff; 8])]),
    made("a header of no size", &[NEW, Step::Patch(FILE, 12, &[0; 4])]),
    made(
        "a table that was moved",
        &[NEW, Step::Run("truncate -s 1M a.qed"), Step::Patch(FILE, 40, b"\0\0\x0c\0")],
    ),
    made("a table full of nonsense", &[NEW, Step::Patch(FILE, 65_536, &[0xff; 4096])]),
    // qemu-img forgets this before it says it.
    made("left open", &[NEW, Step::Patch(FILE, 16, b"\x02")])
        .alone(Verdict::Expected("qed-left-open"))
        .chain(Verdict::Expected("qed-left-open-chain")),
    // Sizes that qemu-img does not make.
    made("the largest disk", &[LARGE, Step::Patch(FILE, 48, b"\0\0\0\xc0\xff\xff\xff\x7f")]),
    made("a disk too large", &[LARGE, Step::Patch(FILE, 48, b"\0\x02\0\xc0\xff\xff\xff\x7f")]),
    made(
        "one sector more than the tables cover",
        &[LARGE, Step::Patch(FILE, 48, b"\0\x02\0\0\0\0\0\x80")],
    ),
    // qemu-img takes 2^63 for a negative number, and that for 0.
    made("all that the tables cover", &[LARGE, Step::Patch(FILE, 48, b"\0\0\0\0\0\0\0\x80")])
        .verdict(Verdict::Refused("Could not refresh total sector count: File too large")),
    // What is damaged or not supported.
    made("another magic", &[NEW, Step::Patch(FILE, 3, b"\x01")]),
    made("an unknown feature", &[NEW, Step::Patch(FILE, 16, b"\x08")]),
    made("known and unknown features", &[NEW, Step::Patch(FILE, 16, &[0xff; 8])]),
    made("the highest feature", &[NEW, Step::Patch(FILE, 23, b"\x80")]),
    made("clusters of no size", &[NEW, Step::Patch(FILE, 4, &[0; 4])]),
    made("clusters too small", &[NEW, Step::Patch(FILE, 4, b"\0\x08\0")]),
    made("clusters of another size", &[NEW, Step::Patch(FILE, 4, b"\0\x10\0")]),
    made("clusters of an odd size", &[NEW, Step::Patch(FILE, 4, b"\x01")]),
    made("clusters larger than the header", &[NEW, Step::Patch(FILE, 4, b"\0\0\x02")]),
    made("the largest clusters", &[NEW, Step::Patch(FILE, 4, b"\0\0\0\x04")]),
    made("clusters too large", &[NEW, Step::Patch(FILE, 4, b"\0\0\0\x08")]),
    made("clusters of any size", &[NEW, Step::Patch(FILE, 4, &[0xff; 4])]),
    made("tables of no size", &[NEW, Step::Patch(FILE, 8, b"\0")]),
    made("half of the table", &[NEW, Step::Patch(FILE, 8, b"\x02")]),
    made("tables of an odd size", &[NEW, Step::Patch(FILE, 8, b"\x03")]),
    made("tables larger than the file", &[NEW, Step::Patch(FILE, 8, b"\x08")]),
    made("tables too large", &[NEW, Step::Patch(FILE, 8, b"\x20")]),
    made("tables of any size", &[NEW, Step::Patch(FILE, 8, &[0xff; 4])]),
    made("a header larger than the offset of the table", &[NEW, Step::Patch(FILE, 12, b"\x02")]),
    made("a header of any size", &[NEW, Step::Patch(FILE, 12, &[0xff; 4])]),
    made(
        "the largest header",
        &[
            NEW,
            Step::Run("truncate -s 5G a.qed"),
            Step::Patch(FILE, 12, b"\xff\xff\0\0"),
            Step::Patch(FILE, 40, b"\0\0\0\0\x01"),
        ],
    ),
    made(
        "a header too large",
        &[
            NEW,
            Step::Run("truncate -s 5G a.qed"),
            Step::Patch(FILE, 12, b"\0\0\x01\0"),
            Step::Patch(FILE, 40, b"\0\0\0\0\x01"),
        ],
    ),
    made("a disk that ends inside a sector", &[NEW, Step::Patch(FILE, 48, b"\x01")]),
    made("a disk of half a sector more", &[NEW, Step::Patch(FILE, 49, b"\x01")]),
    made(
        "a disk of one sector more than the tables cover",
        &[NEW, Step::Patch(FILE, 48, b"\0\x02\0\0\0\x40")],
    ),
    made(
        "a disk of any size",
        &[NEW, Step::Patch(FILE, 49, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
    ),
    made("no table", &[NEW, Step::Patch(FILE, 40, &[0; 8])]),
    made("an unaligned table", &[NEW, Step::Patch(FILE, 40, b"\0\x10")]),
    made("a table that does not end in the file", &[NEW, Step::Patch(FILE, 42, b"\x02")]),
    made("a table behind the end", &[NEW, Step::Patch(FILE, 42, b"\0\0\0\x01")]),
    made(
        "a table at the end of all bytes",
        &[NEW, Step::Patch(FILE, 40, b"\0\0\xff\xff\xff\xff\xff\xff")],
    ),
    made(
        "a table that ends with all bytes",
        &[NEW, Step::Patch(FILE, 40, b"\0\0\xfc\xff\xff\xff\xff\xff")],
    ),
    made("a table behind all signed bytes", &[NEW, Step::Patch(FILE, 47, b"\x80")]),
    made(
        "the name of a backing file that does not end in the header",
        &[NEW, Step::Patch(FILE, 16, b"\x01"), Step::Patch(FILE, 56, b"\xfc\xff\0\0\x05\0\0\0")],
    ),
    made(
        "the name of a backing file behind the header",
        &[NEW, Step::Patch(FILE, 16, b"\x01"), Step::Patch(FILE, 56, b"\0\0\x01\0\x01\0\0\0")],
    ),
    made(
        "the name of a backing file anywhere",
        &[NEW, Step::Patch(FILE, 16, b"\x01"), Step::Patch(FILE, 56, &[0xff; 8])],
    ),
    made("all is wrong", &[NEW, Step::Patch(FILE, 4, &[0xff; 60])]),
    // Files that end early.
    made("only a magic", &[NEW, Step::Run("truncate -s 4 a.qed")]),
    made("cut off behind the size of a cluster", &[NEW, Step::Run("truncate -s 8 a.qed")]),
    made("cut off behind the size of a table", &[NEW, Step::Run("truncate -s 12 a.qed")]),
    made("cut off in the header", &[NEW, Step::Run("truncate -s 63 a.qed")]),
    made("cut off behind the header", &[NEW, Step::Run("truncate -s 64 a.qed")]),
    made("cut off in front of the table", &[NEW, Step::Run("truncate -s 65536 a.qed")]),
    made("cut off in the table", &[NEW, Step::Run("truncate -s 262144 a.qed")]),
    made("cut off in the last sector but one", &[NEW, Step::Run("truncate -s 327168 a.qed")]),
    made("cut off in the last sector", &[NEW, Step::Run("truncate -s 327169 a.qed")]),
    made("more than whole clusters", &[NEW, Step::Run("truncate -s 327681 a.qed")]),
    // Names that command a terminal.
    made(
        "text that commands a terminal",
        &[Step::Write(FILE, || {
            let backing = Some(b"\x1b[2J\x07\xff\xe2\x80\xae".to_vec());
            Disk { backing, ..Disk::default() }.bytes()
        })],
    )
    .alone(Verdict::Expected("qed-escapes"))
    .chain(Verdict::Complaint(
        "Could not open '\\x1b[2J\\x07\\xff\\u{202e}': \
         Could not open '\\x1b[2J\\x07\\xff\\u{202e}': No such file or directory",
    )),
];

const FILE: &str = "a.qed";

/// An image of 10 MiB in clusters of 64 KiB. Its table has four.
const NEW: Step = Step::Run("qemu-img create -f qed a.qed 10M");

/// An image whose tables cover 8 EiB.
const LARGE: Step = Step::Run("qemu-img create -f qed -o cluster_size=2M,table_size=8 a.qed 10M");

/// An image on one whose name is as long as a name can be.
const LONG_NAME: Step = Step::Write(FILE, || {
    let backing = Some([&b"./".repeat(2045)[..], b"/base"].concat());
    Disk { cluster_size: 8192, backing, ..Disk::default() }.bytes()
});

const fn made(name: &'static str, steps: &'static [Step]) -> Image {
    Image::new(name, FILE, steps)
}
