//! `info`, against qemu-img's.

use tests::images::READ_BY_QEMU;
use tests::{Machine, Place};

/// The ways of asking.
const WAYS: [&[&str]; 4] = [
    &["info"],
    &["info", "--output=json"],
    &["info", "--backing-chain"],
    &["info", "-U", "--backing-chain", "--output=json"],
];

#[test]
fn the_output_is_qemu_imgs_byte_for_byte() {
    for image in READ_BY_QEMU {
        let place = Place::new();
        image.make(&place);
        for way in WAYS {
            let arguments = [way, &[image.file]].concat();
            let expected = place.qemu_img(&arguments);
            for machine in Machine::all() {
                let outcome = place.exuvia(machine, &arguments);
                assert_eq!(outcome, expected, "{}: {arguments:?} on {machine:?}", image.name);
            }
        }
    }
}
