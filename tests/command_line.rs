//! Arguments, errors and exit codes, against qemu-img's.

use tests::{Machine, Place};

/// Command lines that fail before an image is opened, in qemu-img's words.
const COMPLAINTS: &[&[&str]] = &[
    &[],
    &["foo"],
    &["--foo"],
    &["-x", "info"],
    &["info"],
    &["info", "a", "b"],
    &["info", "--zz"],
    &["info", "-f"],
    &["info", "-Uf"],
    &["info", "--format"],
    &["info", "--output"],
    &["info", "--output=xx", "a"],
    &["info", "-xU", "a"],
    &["info", "--force-share=1", "a"],
    &["info", "--image-opts", "-f", "qcow2", "a"],
    &["info", "--object", "foo,id=a", "a"],
    &["info", "--object", "secret,id=a", "a"],
    &["info", "--object", "secret,data=x", "a"],
    &["info", "--object", "secret,id=a,data=x,zz=1", "a"],
    &["info", "nonexistent"],
    &["info", ""],
    &["info", "foo:bar"],
    &["info", "-f", "foo", "a"],
    &["info", "--image-opts", "driver=foo,file.filename=a"],
    &["info", "--image-opts", "driver=qcow2"],
    &["info", "--image-opts", "filename=a"],
    &["info", "--image-opts", "file.filename=nonexistent"],
    &["info", "--image-opts", "driver=qcow2,file.filename=a,file.zz=1"],
    &["info", "."],
];

#[test]
fn complaints_are_qemu_imgs() {
    let place = Place::new();
    place.write("a", &[0; 512]);
    for arguments in COMPLAINTS {
        let expected = place.qemu_img(arguments);
        assert_eq!(expected.code, Some(1), "{arguments:?} is no complaint: {expected:?}");
        for machine in Machine::all() {
            assert_eq!(place.exuvia(machine, arguments), expected, "{arguments:?}");
        }
    }
}
