//! qcow2 images on top of others, and with their data elsewhere.

use formats::qcow2::extension::BACKING_FORMAT;

use super::super::{Image, Step, Verdict};
use super::{FILE, made, on};

/// Makes a disk with a backing file of a format.
macro_rules! layer {
    ($format:literal, $name:literal on $base:literal as $base_format:literal) => {
        Step::Run(concat!(
            "qemu-img create -f ",
            $format,
            " -b ",
            $base,
            " -F ",
            $base_format,
            " ",
            $name
        ))
    };
}

/// Makes a disk without one.
macro_rules! base {
    ($format:literal, $name:literal) => {
        Step::Run(concat!("qemu-img create -f ", $format, " ", $name, " 3M"))
    };
}

/// Makes a qcow2 image that says nothing of the format of its backing file.
macro_rules! link {
    ($name:literal on $base:literal) => {
        Step::Write($name, || on($base.as_bytes(), &[]).bytes())
    };
}

/// Backing files and data files.
pub const IMAGES: &[Image] = &[
    made("on raw", &[base!("raw", "b.raw"), layer!("qcow2", "a.qcow2" on "b.raw" as "raw")]),
    made(
        "on qcow2",
        &[base!("qcow2", "b.qcow2"), layer!("qcow2", "a.qcow2" on "b.qcow2" as "qcow2")],
    ),
    made("on qcow", &[base!("qcow", "b.qcow"), layer!("qcow2", "a.qcow2" on "b.qcow" as "qcow")]),
    made("on VMDK", &[base!("vmdk", "b.vmdk"), layer!("qcow2", "a.qcow2" on "b.vmdk" as "vmdk")]),
    made(
        "on LUKS",
        &[
            Step::Run(
                "qemu-img create -f luks --object secret,id=s,data=x -o key-secret=s,iter-time=10 b.luks 1M",
            ),
            link!("a.qcow2" on "b.luks"),
        ],
    ),
    made(
        "of version 2",
        &[base!("raw", "b.raw"), create!("-o compat=0.10 -b b.raw -F raw a.qcow2")],
    ),
    made(
        "larger than what is below",
        &[base!("raw", "b.raw"), create!("-b b.raw -F raw a.qcow2 5G")],
    ),
    made(
        "three deep",
        &[
            base!("raw", "c.raw"),
            layer!("qcow2", "b.qcow2" on "c.raw" as "raw"),
            layer!("qcow2", "a.qcow2" on "b.qcow2" as "qcow2"),
        ],
    ),
    made(
        "four deep, of several formats",
        &[
            base!("raw", "d.raw"),
            layer!("qcow", "c.qcow" on "d.raw" as "raw"),
            layer!("qcow2", "b.qcow2" on "c.qcow" as "qcow"),
            layer!("qcow2", "a.qcow2" on "b.qcow2" as "qcow2"),
        ],
    ),
    made(
        "five deep, with much in between",
        &[
            base!("vmdk", "e.vmdk"),
            layer!("vmdk", "d.vmdk" on "e.vmdk" as "vmdk"),
            create!("-o data_file=c.raw -b d.vmdk -F vmdk c.qcow2"),
            layer!("qcow2", "b.qcow2" on "c.qcow2" as "qcow2"),
            Step::Run("qemu-img snapshot -c one b.qcow2"),
            Step::Run("qemu-img bitmap --add b.qcow2 two"),
            layer!("qcow2", "a.qcow2" on "b.qcow2" as "qcow2"),
        ],
    ),
    made(
        "in folders",
        &[
            Step::Run("mkdir -p sub/sub"),
            base!("raw", "sub/d.raw"),
            layer!("qcow2", "sub/sub/c.qcow2" on "../d.raw" as "raw"),
            layer!("qcow2", "sub/b.qcow2" on "sub/c.qcow2" as "qcow2"),
            layer!("qcow2", "a.qcow2" on "sub/b.qcow2" as "qcow2"),
        ],
    ),
    made(
        "by names from here",
        &[base!("raw", "b.raw"), layer!("qcow2", "a.qcow2" on "./b.raw" as "raw")],
    ),
    made(
        "by names from the root",
        &[
            base!("raw", "c.raw"),
            Step::Run("sh -c 'qemu-img create -f qcow2 -b $PWD/c.raw -F raw b.qcow2'"),
            Step::Run("sh -c 'qemu-img create -f qcow2 -b $PWD/b.qcow2 -F qcow2 a.qcow2'"),
        ],
    ),
    Image::new(
        "in a folder",
        "sub/a.qcow2",
        &[
            Step::Run("mkdir -p sub/sub"),
            base!("raw", "sub/sub/b.raw"),
            layer!("qcow2", "sub/a.qcow2" on "sub/b.raw" as "raw"),
        ],
    ),
    made("of unknown format, raw", &[base!("raw", "b.raw"), link!("a.qcow2" on "b.raw")]),
    made("of unknown format, qcow2", &[base!("qcow2", "b.raw"), link!("a.qcow2" on "b.raw")]),
    made("of unknown format, VMDK", &[base!("vmdk", "b"), link!("a.qcow2" on "b")]),
    made(
        "of raw format, whatever it looks like",
        &[base!("qcow2", "b.qcow2"), create!("-u -b b.qcow2 -F raw a.qcow2 3M")],
    ),
    made(
        "of a format that it has not",
        &[base!("raw", "b.raw"), create!("-u -b b.raw -F qcow2 a.qcow2 3M")],
    ),
    made(
        "of a format that there is not",
        &[
            base!("raw", "b.raw"),
            Step::Write("a.qcow2", || on(b"b.raw", &[(BACKING_FORMAT, b"row")]).bytes()),
        ],
    ),
    made(
        "by a name of 1023 bytes",
        &[
            base!("raw", "b.raw"),
            Step::Write(FILE, || on(("./".repeat(509) + "b.raw").as_bytes(), &[]).bytes()),
        ],
    ),
    made(
        "by a name that is not ASCII",
        &[base!("raw", "größe.raw"), link!("a.qcow2" on "größe.raw")],
    ),
    made("with a colon", &[base!("raw", "./b:c.raw"), link!("a.qcow2" on "./b:c.raw")]),
    made(
        "on what is damaged",
        &[
            base!("qcow2", "b.qcow2"),
            layer!("qcow2", "a.qcow2" on "b.qcow2" as "qcow2"),
            Step::Patch("b.qcow2", 36, b"\0\0\0\0"),
        ],
    ),
    made("on nothing", &[link!("a.qcow2" on "b.raw")]),
    made("on nothing further down", &[link!("b.qcow2" on "c.raw"), link!("a.qcow2" on "b.qcow2")]),
    made("on a folder", &[Step::Run("mkdir b"), link!("a.qcow2" on "b")]),
    written!("on a server", on(b"nbd://127.0.0.1/disk", &[])).chain(Verdict::Complaint(
        "Could not open 'nbd://127.0.0.1/disk': references with a protocol are not followed",
    )),
    written!("on JSON", on(b"json:{\"driver\": \"null-co\"}", &[])).chain(Verdict::Complaint(
        "Could not open 'json:{\"driver\": \"null-co\"}': references with a protocol are not \
         followed",
    )),
    written!("on what is elsewhere", on(b"../b.raw", &[])).chain(Verdict::Complaint(
        "Could not open '../b.raw': it is outside the folder of the image",
    )),
    made("on itself", &[link!("a.qcow2" on "a.qcow2")]),
    made("on itself further down", &[link!("b.qcow2" on "a.qcow2"), link!("a.qcow2" on "b.qcow2")]),
    made!("a data file", "-o data_file=d.raw a.qcow2 3M"),
    made!("a raw data file", "-o data_file=d.raw,data_file_raw=on a.qcow2 3M"),
    made(
        "a data file that is gone",
        &[create!("-o data_file=d.raw a.qcow2 3M"), Step::Run("rm d.raw")],
    ),
    made(
        "a data file on top",
        &[base!("raw", "b.raw"), create!("-o data_file=d.raw -b b.raw -F raw a.qcow2")],
    ),
    made(
        "a data file below",
        &[
            create!("-o data_file=d.raw b.qcow2 3M"),
            layer!("qcow2", "a.qcow2" on "b.qcow2" as "qcow2"),
        ],
    ),
];
