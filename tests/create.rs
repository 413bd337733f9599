//! `create`, on every machine: every format with every option, held against qemu-img.

use std::path::Path;

use serde_json::Value;
use tests::{Machine, Place};

/// What is there before an image is made: images to go on top of, and things that are in
/// the way.
const BEFORE: [&[&str]; 4] = [
    &["create", "-q", "-f", "qcow2", "base.qcow2", "3M"],
    &["create", "-q", "-f", "raw", "base.raw", "1000448"],
    &["create", "-q", "-f", "vmdk", "base.vmdk", "2M"],
    &["create", "-q", "-f", "qed", "folder/base.qed", "5M"],
];

/// What two images that are alike may differ in: ids, the room that they take, and how long
/// their files are.
const OWN: [&str; 4] = ["actual-size", "children", "cid", "parent-cid"];

/// How many of the cases the machines behind the first one see: one of so many.
const FEWER: usize = 7;

fn place() -> Place {
    let place = Place::new();
    place.write("folder/other", b"");
    place.write("taken", &[7; 5000]);
    for arguments in BEFORE {
        place.must("qemu-img", arguments);
    }
    place
}

/// Makes an image by every line of arguments, and then says what was wrong with all. The
/// last file that a line names is the image.
fn judge(lines: &[&str]) {
    let mut complaints = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let arguments: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
        let arguments = [&["create"], arguments.as_slice()].concat();
        let theirs = place();
        let expected = theirs.qemu_img(&arguments);
        for (index, machine) in Machine::all().into_iter().enumerate() {
            if index > 0 && number % FEWER != 0 {
                continue;
            }
            let ours = place();
            let said = ours.exuvia(machine, &arguments);
            if said != expected {
                complaints.push(format!("{line} on {machine:?}\n{said:?}\nexpected\n{expected:?}"));
            } else if said.success()
                && let Err(complaint) = alike(&ours, &theirs)
            {
                complaints.push(format!("{line} on {machine:?}\n{complaint}"));
            }
        }
    }
    assert!(complaints.is_empty(), "{} of them:\n{}", complaints.len(), complaints.join("\n"));
}

/// Whether all files of two places are the same images.
fn alike(ours: &Place, theirs: &Place) -> Result<(), String> {
    let names = files(ours, "");
    let expected = files(theirs, "");
    if names != expected {
        return Err(format!("files {names:?}, expected {expected:?}"));
    }
    for name in names.iter().filter(|name| name.contains("new")) {
        let [made, expected] = [ours, theirs].map(|place| info(place, name));
        if made != expected {
            return Err(format!("{name}: {made:#?}\nexpected\n{expected:#?}"));
        }
        // Of a format that cannot be checked, that is said of both.
        let [made, expected] = [ours, theirs].map(|place| place.qemu_img(&["check", name]).code);
        if made != expected {
            return Err(format!("{name}: check says {made:?}, expected {expected:?}"));
        }
    }
    Ok(())
}

/// The names of all files in a folder of a place, in order.
fn files(place: &Place, folder: &str) -> Vec<String> {
    let mut names = Vec::new();
    let entries = std::fs::read_dir(place.path().join(folder)).unwrap();
    for entry in entries {
        let entry = entry.unwrap();
        let name = Path::new(folder).join(entry.file_name()).to_str().unwrap().to_owned();
        if entry.file_type().unwrap().is_dir() {
            names.extend(files(place, &name));
        } else {
            names.push(name);
        }
    }
    names.sort();
    names
}

/// What qemu-img says of an image, but for what is only its own.
fn info(place: &Place, name: &str) -> Result<Value, String> {
    let said = place.qemu_img(&["info", "--output=json", name]);
    let mut value = serde_json::from_str(&said.stdout).map_err(|_| said.stderr)?;
    forget(&mut value);
    Ok(value)
}

fn forget(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !OWN.contains(&name.as_str()));
            members.values_mut().for_each(forget);
        }
        Value::Array(values) => values.iter_mut().for_each(forget),
        _ => {}
    }
}

#[test]
fn raw() {
    judge(&[
        "new.raw 1M",
        "new.raw 0",
        "new.raw 1",
        "new.raw 513",
        "new.raw 1.5G",
        "-f raw new.raw 0x100000",
        "-q new.raw 1M",
        "-f raw -o size=3k new.raw",
        "-o preallocation=off new.raw 1M",
        "-o preallocation=falloc new.raw 1M",
        "-o preallocation=full new.raw 1M",
        "-o preallocation=metadata new.raw 1M",
        "-o preallocation=nonsense new.raw 1M",
        "-o nocow=on new.raw 1M",
        "-o nocow=maybe new.raw 1M",
        "-o extent_size_hint=1M new.raw 1M",
        "new,with,commas.raw 1M",
        "folder/new.raw 1M",
        "new.raw 8E",
        "new.raw 7E",
    ]);
}

#[test]
fn qcow2() {
    judge(&[
        "-f qcow2 new.qcow2 1M",
        "-f qcow2 new.qcow2 0",
        "-f qcow2 new.qcow2 1",
        "-f qcow2 new.qcow2 1000001",
        "-f qcow2 new.qcow2 100T",
        "-f qcow2 -o compat=0.10 new.qcow2 10M",
        "-f qcow2 -o compat=v2 new.qcow2 10M",
        "-f qcow2 -o compat=v3 new.qcow2 10M",
        "-f qcow2 -o compat=4 new.qcow2 10M",
        "-f qcow2 -o cluster_size=512 new.qcow2 10M",
        "-f qcow2 -o cluster_size=2M new.qcow2 10M",
        "-f qcow2 -o cluster_size=4M new.qcow2 10M",
        "-f qcow2 -o cluster_size=1000 new.qcow2 10M",
        "-f qcow2 -o cluster_size=512 new.qcow2 1P",
        "-f qcow2 new.qcow2 7E",
        "-f qcow2 -o extended_l2=on new.qcow2 10M",
        "-f qcow2 -o extended_l2=on,cluster_size=8k new.qcow2 10M",
        "-f qcow2 -o extended_l2=on,compat=0.10 new.qcow2 10M",
        "-f qcow2 -o compression_type=zstd new.qcow2 10M",
        "-f qcow2 -o compression_type=zstd,compat=0.10 new.qcow2 10M",
        "-f qcow2 -o compression_type=lzma new.qcow2 10M",
        "-f qcow2 -o lazy_refcounts=on new.qcow2 10M",
        "-f qcow2 -o lazy_refcounts=on,compat=0.10 new.qcow2 10M",
        "-f qcow2 -o refcount_bits=1 new.qcow2 10M",
        "-f qcow2 -o refcount_bits=64 new.qcow2 10M",
        "-f qcow2 -o refcount_bits=3 new.qcow2 10M",
        "-f qcow2 -o refcount_bits=-1 new.qcow2 10M",
        "-f qcow2 -o refcount_bits=8k new.qcow2 10M",
        "-f qcow2 -o refcount_bits=1,compat=0.10 new.qcow2 10M",
        "-f qcow2 -o preallocation=metadata new.qcow2 10M",
        "-f qcow2 -o preallocation=falloc new.qcow2 10M",
        "-f qcow2 -o preallocation=full new.qcow2 10M",
        "-f qcow2 -o preallocation=nonsense new.qcow2 10M",
        "-f qcow2 -o data_file=new.data new.qcow2 10M",
        "-f qcow2 -o data_file=new.data,data_file_raw=on new.qcow2 10M",
        "-f qcow2 -o data_file=new.data,preallocation=full new.qcow2 1M",
        "-f qcow2 -o data_file_raw=on new.qcow2 10M",
        "-f qcow2 -o data_file=new.data,compat=0.10 new.qcow2 10M",
        "-f qcow2 -o nonsense=on new.qcow2 10M",
        "-f qcow2 -o size=1M new.qcow2",
        "-f qcow2 -o size=1M new.qcow2 1M",
        "-f qcow2 -o size=99999999999999999999 new.qcow2",
        "-f qcow2 -o size=nonsense new.qcow2",
    ]);
}

#[test]
fn backing() {
    judge(&[
        "-f qcow2 -b base.qcow2 -F qcow2 new.qcow2",
        "-f qcow2 -b base.qcow2 -F qcow2 new.qcow2 10M",
        "-f qcow2 -b base.qcow2 new.qcow2",
        "-f qcow2 -b base.raw -F raw new.qcow2",
        "-f qcow2 -b base.raw new.qcow2",
        "-f qcow2 -b base.raw -F qcow2 new.qcow2",
        "-f qcow2 -b base.raw -F nonsense new.qcow2",
        "-f qcow2 -o backing_file=base.qcow2,backing_fmt=qcow2 new.qcow2",
        "-f qcow2 -b missing -F qcow2 new.qcow2",
        "-f qcow2 -u -b missing -F qcow2 new.qcow2 1M",
        "-f qcow2 -u -b missing -F qcow2 new.qcow2",
        "-f qcow2 -u -b missing new.qcow2 1M",
        "-f qcow2 -b new.qcow2 -F qcow2 new.qcow2",
        "-f qcow2 -b folder/base.qed -F qed new.qcow2",
        "-f qcow2 -b ../base.qcow2 -F qcow2 folder/new.qcow2",
        "-f qcow2 -b base.qcow2 -F qcow2 -o data_file=new.data,data_file_raw=on new.qcow2",
        "-f qcow2 -F qcow2 new.qcow2 1M",
        "-f qcow -b base.qcow2 -F qcow2 new.qcow",
        "-f qed -b base.qcow2 -F qcow2 new.qed",
        "-f qed -b base.raw -F raw new.qed",
        "-f vmdk -b base.vmdk -F vmdk new.vmdk",
        "-f vmdk -b base.qcow2 -F qcow2 new.vmdk",
        "-f vdi -b base.qcow2 -F qcow2 new.vdi",
        "-f raw -b base.qcow2 -F qcow2 new.raw",
        "-f vhdx -F qcow2 new.vhdx 1M",
    ]);
}

#[test]
fn qcow_and_qed() {
    judge(&[
        "-f qcow new.qcow 1M",
        "-f qcow new.qcow 0",
        "-f qcow new.qcow 1000001",
        "-f qed new.qed 1M",
        "-f qed new.qed 1",
        "-f qed new.qed 0",
        "-f qed -o cluster_size=4k new.qed 10M",
        "-f qed -o cluster_size=1k new.qed 10M",
        "-f qed -o cluster_size=128M new.qed 10M",
        "-f qed -o table_size=3 new.qed 10M",
        "-f qed -o table_size=32 new.qed 10M",
        "-f qed -o cluster_size=4k,table_size=2 new.qed 1T",
    ]);
}

#[test]
fn vmdk() {
    judge(&[
        "-f vmdk new.vmdk 10M",
        "-f vmdk new.vmdk 0",
        "-f vmdk new.vmdk 1",
        "-f vmdk -o adapter_type=lsilogic new.vmdk 10M",
        "-f vmdk -o adapter_type=legacyESX new.vmdk 10M",
        "-f vmdk -o adapter_type=nonsense new.vmdk 10M",
        "-f vmdk -o compat6=on new.vmdk 10M",
        "-f vmdk -o compat6=on,hwversion=7 new.vmdk 10M",
        "-f vmdk -o hwversion=7 new.vmdk 10M",
        "-f vmdk -o toolsversion=9 new.vmdk 10M",
        "-f vmdk -o zeroed_grain=on new.vmdk 10M",
        "-f vmdk -o subformat=monolithicSparse new.vmdk 10M",
        "-f vmdk -o subformat=nonsense new.vmdk 10M",
        "-f vmdk -o subformat=monolithicFlat,adapter_type=buslogic new.vmdk 10M",
        "-f vmdk -o subformat=monolithicFlat folder/new.old.vmdk 10M",
        "-f vmdk -o subformat=monolithicFlat new 1000001",
        "-f vmdk -o subformat=monolithicFlat,zeroed_grain=on new.vmdk 10M",
        "-f vmdk -o subformat=twoGbMaxExtentSparse new.vmdk 5G",
        "-f vmdk -o subformat=twoGbMaxExtentFlat new.vmdk 5G",
        "-f vmdk -o subformat=twoGbMaxExtentSparse new.vmdk 10M",
        "-f vmdk -b base.vmdk -F vmdk -o subformat=monolithicFlat new.vmdk",
        "-f vmdk -b base.vmdk -F vmdk -o subformat=twoGbMaxExtentSparse new.vmdk",
    ]);
}

#[test]
fn others() {
    judge(&[
        "-f vdi new.vdi 10M",
        "-f vdi new.vdi 1",
        "-f vdi -o static=on new.vdi 3M",
        "-f vdi -o static new.vdi 3M",
        "-f vdi -o preallocation=full new.vdi 3M",
        "-f vdi -o static=on,preallocation=full new.vdi 3M",
        "-f vdi new.vdi 1P",
        "-f vpc new.vpc 10M",
        "-f vpc new.vpc 1",
        "-f vpc -o subformat=fixed new.vpc 10M",
        "-f vpc -o subformat=nonsense new.vpc 10M",
        "-f vpc -o force_size=on new.vpc 10M",
        "-f vpc -o subformat=fixed,force_size=on new.vpc 10M",
        "-f vpc new.vpc 3T",
        "-f vhdx new.vhdx 10M",
        "-f vhdx new.vhdx 1",
        "-f vhdx -o block_size=1M new.vhdx 10M",
        "-f vhdx -o block_size=3M new.vhdx 10M",
        "-f vhdx -o block_size=512M new.vhdx 10M",
        "-f vhdx -o log_size=2M new.vhdx 10M",
        "-f vhdx -o log_size=1 new.vhdx 10M",
        "-f vhdx -o block_state_zero=off new.vhdx 10M",
        "-f vhdx -o subformat=nonsense new.vhdx 10M",
        "-f vhdx new.vhdx 65T",
        "-f parallels new.parallels 10M",
        "-f parallels new.parallels 1",
        "-f parallels -o cluster_size=64k new.parallels 10M",
        "-f parallels -o cluster_size=1000 new.parallels 10M",
        "-f bochs new.bochs 10M",
        "-f dmg new.dmg 10M",
        "-f nonsense new.img 10M",
    ]);
}

#[test]
fn what_makes_no_sense_is_refused_as_qemu_img_does() {
    judge(&[
        "",
        "new.raw",
        "-f qcow2 new.qcow2",
        "new.raw 1M 2M",
        "new.raw nonsense",
        "new.raw 1z",
        "new.raw 16E",
        "missing/new.raw 1M",
        "missing/new.qcow2 -f qcow2 1M",
        "folder 1M",
        "nonsense:new 1M",
        "-o nocow new.raw 1M",
        "-o preallocation= new.raw 1M",
        "-- new.raw 1M",
        "-f qcow2 folder 1M",
        "file:new.raw 1M",
        "-f qcow2 file:folder/new.qcow2 1M",
        "-f vmdk -o subformat=monolithicFlat missing/new.vmdk 1M",
        "-f qcow2 -o data_file=missing/new.data new.qcow2 1M",
        "-f raw -o nonsense new.raw 1M",
        "-f raw -o size= new.raw",
        "--nonsense new.raw 1M",
    ]);
}

#[test]
fn files_that_are_there_are_taken() {
    for machine in Machine::all() {
        let [ours, theirs] = [place(), place()];
        for arguments in [
            &["create", "taken", "1M"][..],
            &["create", "-f", "qcow2", "taken", "1M"],
            &["create", "-f", "vmdk", "-o", "subformat=monolithicFlat", "taken", "1M"],
            &["create", "-f", "vmdk", "-o", "subformat=monolithicFlat", "taken", "2M"],
        ] {
            assert_eq!(ours.exuvia(machine, arguments), theirs.qemu_img(arguments));
            assert_eq!(files(&ours, ""), files(&theirs, ""));
            for name in ["taken", "taken-flat"] {
                assert_eq!(info(&ours, name), info(&theirs, name), "{arguments:?}");
            }
        }
    }
}

#[test]
fn disks_are_copied_into_images_of_several_files() {
    let mut disk = vec![0; 10 << 20];
    disk[70_000..3_000_000].fill(3);
    disk[9_000_000..].fill(4);
    for machine in Machine::all() {
        let ours = place();
        ours.write("disk.raw", &disk);
        for (options, parts) in [
            ("-O vmdk -o subformat=monolithicFlat disk.raw new.vmdk", "new-flat.vmdk"),
            ("-O vmdk -o subformat=twoGbMaxExtentSparse disk.raw new.vmdk", "new-s001.vmdk"),
            ("-O vmdk -o subformat=twoGbMaxExtentFlat disk.raw new.vmdk", "new-f001.vmdk"),
            ("-O qcow2 -o data_file=new.data disk.raw new.vmdk", "new.data"),
            ("-O qcow2 -o data_file=new.data,data_file_raw=on disk.raw new.vmdk", "new.data"),
        ] {
            let arguments: Vec<&str> = options.split(' ').collect();
            let said = ours.exuvia(machine, &[&["convert"], arguments.as_slice()].concat());
            assert!(said.success(), "{options} on {machine:?}: {said:?}");
            let compared = ours.qemu_img(&["compare", "new.vmdk", "disk.raw"]);
            assert!(compared.success(), "{options} on {machine:?}: {compared:?}");
            for name in [parts, "new.vmdk"] {
                std::fs::remove_file(ours.file(name)).unwrap();
            }
        }
    }
}

#[test]
fn nothing_is_left_of_an_image_that_cannot_be_made() {
    for machine in Machine::all() {
        let ours = place();
        let before = files(&ours, "");
        for arguments in [
            &["create", "-f", "qcow2", "-o", "compat=4", "new.qcow2", "1M"][..],
            &["create", "-f", "qcow2", "-o", "data_file=missing/x", "new.qcow2", "1M"],
            &["create", "-f", "vmdk", "-o", "subformat=twoGbMaxExtentFlat", "new.vmdk", "1T"],
        ] {
            assert_eq!(ours.exuvia(machine, arguments).code, Some(1), "{arguments:?}");
            assert_eq!(files(&ours, ""), before, "{arguments:?}");
        }
    }
}

#[test]
fn preallocated_files_have_their_room() {
    for machine in Machine::all() {
        let ours = place();
        for (arguments, name) in [
            (&["-o", "preallocation=falloc", "new.raw", "3M"][..], "new.raw"),
            (&["-o", "preallocation=full", "new.raw", "3M"], "new.raw"),
            (&["-f", "qcow2", "-o", "preallocation=falloc", "new.qcow2", "3M"], "new.qcow2"),
            (&["-f", "qcow2", "-o", "preallocation=full", "new.qcow2", "3M"], "new.qcow2"),
        ] {
            let said = ours.exuvia(machine, &[&["create"], arguments].concat());
            assert!(said.success(), "{said:?}");
            let metadata = std::fs::metadata(ours.file(name)).unwrap();
            let room = std::os::unix::fs::MetadataExt::blocks(&metadata) * 512;
            assert!(room >= metadata.len(), "{arguments:?}: {room} for {}", metadata.len());
        }
    }
}

#[test]
fn options_are_listed_as_qemu_img_does() {
    let place = place();
    let machine = Machine::all()[0];
    for format in [
        "raw",
        "qcow2",
        "qcow",
        "qed",
        "vmdk",
        "vdi",
        "vpc",
        "vhdx",
        "parallels",
        "luks",
        "bochs",
        "nonsense",
    ] {
        for arguments in [
            &["create", "-f", format, "-o", "help"][..],
            &["create", "-f", format, "-o", "?", "new.img"],
            &["create", "-f", format, "-o", "size=1,help", "new.img", "1M"],
        ] {
            let expected = place.qemu_img(arguments);
            assert_eq!(place.exuvia(machine, arguments), expected, "{arguments:?}");
        }
    }
}
