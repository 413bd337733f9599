//! Which machine a guest runs on: what there is, or what the user says.

use std::path::Path;

use tests::{Machine, Outcome, Place, skip, tool};

/// Runs exuvia where `/dev/kvm` is something else, with this `PATH`. Nothing if
/// this system does not let us try.
fn without_kvm(place: &Place, path: &str, arguments: &[&str]) -> Option<Outcome> {
    let script = "mount --bind /dev/null /dev/kvm && export PATH=$1 && shift && exec \"$@\"";
    let exuvia = tool::exuvia().to_str().unwrap();
    let shell = ["--mount", "sh", "-c", script, "sh", path, exuvia];
    let can_try = Path::new("/dev/kvm").exists()
        && tool::run(
            Path::new("unshare"),
            &["--mount", "mount", "--bind", "/dev/null", "/dev/kvm"],
            place.path(),
            &[],
        )
        .success();
    if !can_try {
        skip("machines without KVM", "there is no /dev/kvm here, or it cannot be hidden");
        return None;
    }
    let arguments = [&shell[..], arguments].concat();
    Some(tool::run(Path::new("unshare"), &arguments, place.path(), &[]))
}

fn place() -> Place {
    let place = Place::new();
    place.write("a.raw", &[0; 1024]);
    place
}

const NO_KVM: &str = "exuvia: /dev/kvm cannot be used: Inappropriate ioctl for device";

#[test]
fn qemu_steps_in_where_there_is_no_kvm_and_says_so_in_one_line() {
    let place = place();
    let path = std::env::var("PATH").unwrap();
    let Some(outcome) = without_kvm(&place, &path, &["info", "a.raw"]) else {
        return;
    };
    assert!(outcome.success(), "{outcome:?}");
    assert_eq!(outcome.stdout, place.qemu_img(&["info", "a.raw"]).stdout);
    assert_eq!(outcome.stderr, format!("{NO_KVM}: using QEMU\n"));
}

#[test]
fn with_neither_the_error_says_what_to_do() {
    let place = place();
    let neither = format!(
        "{NO_KVM}, and no qemu-system-x86_64 in PATH; either load the kvm module and make /dev/kvm \
         readable and writable for you, or install the package qemu-system-x86\n"
    );
    let no_kvm =
        format!("{NO_KVM}; load the kvm module and make /dev/kvm readable and writable for you\n");
    for (arguments, expected) in
        [(&["info", "a.raw"][..], neither), (&["info", "--backend", "kvm", "a.raw"], no_kvm)]
    {
        let Some(outcome) = without_kvm(&place, "/nonexistent", arguments) else {
            return;
        };
        assert_eq!((outcome.code, outcome.stderr), (Some(1), expected), "{arguments:?}");
    }
}

#[test]
fn qemu_that_is_missing_is_named() {
    let place = place();
    for backend in ["qemu", "tcg"] {
        let arguments = ["info", "--backend", backend, "a.raw"];
        let outcome = place.exuvia_with(Machine::Tcg, &arguments, &[("PATH", "/nonexistent")]);
        let expected =
            "qemu-img: no qemu-system-x86_64 in PATH; install the package qemu-system-x86\n";
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(1), expected));
    }
}

#[test]
fn a_machine_that_does_not_exist_is_an_error() {
    let place = place();
    let outcome = place.exuvia(Machine::Tcg, &["info", "--backend", "vax", "a.raw"]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("expects one of auto, kvm, qemu, tcg"), "{outcome:?}");
}

/// Programs of other makers, instead of QEMU or the guest image.
#[test]
fn a_guest_image_that_is_none_is_refused() {
    let place = place();
    place.write("empty", &[]);
    place.write("zeros", &[0; 4096]);
    for (file, reason) in [
        ("missing", "cannot read the guest image 'missing': No such file or directory"),
        ("empty", "the guest image is not a 64-bit x86 ELF program"),
        ("zeros", "the guest image is not a 64-bit x86 ELF program"),
    ] {
        let arguments = ["info", "--guest-image", file, "a.raw"];
        let outcome = place.exuvia(Machine::all()[0], &arguments);
        let expected = format!("qemu-img: {reason}\n");
        assert_eq!((outcome.code, outcome.stderr), (Some(1), expected));
    }
}
