//! How commands that make images fail: with one clear line and exit code 1, and with nothing
//! left of what was to be made.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use abi::reply::{Reference, Reply};
use abi::request::{Operation, SelfTest};
use rustix::process::{Pid, Signal, kill_process};
use tests::{Machine, Place, kernel_build, skip};
use vmm::guest_image::GuestImage;
use vmm::host_file::HostFile;
use vmm::run::{Budget, Job, Listener};
use vmm::target_file::{Cache, TargetFile};

/// Data that takes several pieces, so that something is said on the way.
const DISK: usize = 24 << 20;

/// A place with an image, and a file that is there already.
fn place() -> Place {
    let place = Place::new();
    let disk: Vec<u8> = (1..=251).cycle().take(DISK).collect();
    place.write("a.raw", &disk);
    place.write("present", b"what was there before");
    place
}

/// The names of what is in a place.
fn names(place: &Place) -> BTreeSet<String> {
    let folder = fs::read_dir(place.path()).unwrap();
    folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// A command that takes for ever, once it has begun: it has read, and it writes.
fn endless(place: &Place, machine: Machine, target: &str) -> (Child, BTreeSet<u32>) {
    let command = ["convert", "--progress=json", "-r", "1", "-O", "raw", "a.raw", target];
    let mut command = place.exuvia_command(machine, &command);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    // The first says that nothing is done.
    lines.find(|line| !line.as_ref().unwrap().contains("\"done\": 0,")).unwrap().unwrap();
    let children = children(&child);
    assert_eq!(children.len(), usize::from(machine == Machine::Tcg), "on {machine:?}");
    (child, children)
}

/// The processes that a process has started.
fn children(child: &Child) -> BTreeSet<u32> {
    let tasks = fs::read_dir(format!("/proc/{}/task", child.id())).unwrap();
    let lists =
        tasks.map(|task| fs::read_to_string(task.unwrap().path().join("children")).unwrap());
    let lists: Vec<String> = lists.collect();
    lists.iter().flat_map(|list| list.split_whitespace()).map(|id| id.parse().unwrap()).collect()
}

fn complaint(child: &mut Child) -> String {
    let mut said = String::new();
    child.stderr.as_mut().unwrap().read_to_string(&mut said).unwrap();
    said
}

#[test]
fn a_signal_ends_a_run_at_once() {
    let place = place();
    let before = names(&place);
    let inode = fs::metadata(place.file("present")).unwrap().ino();
    for machine in Machine::all() {
        for signal in [Signal::INT, Signal::TERM] {
            for target in ["new", "present"] {
                let (mut child, children) = endless(&place, machine, target);
                kill_process(Pid::from_child(&child), signal).unwrap();
                let status = child.wait().unwrap();
                let what = format!("{signal:?} on {machine:?}");
                assert_eq!(status.code(), Some(1), "{what}");
                assert_eq!(complaint(&mut child), "qemu-img: interrupted\n", "{what}");
                assert_eq!(names(&place), before, "{what}");
                // It has been waited for, so there is nothing of it at all.
                let is_there = |id: &u32| fs::exists(format!("/proc/{id}")).unwrap();
                assert!(!children.iter().any(is_there), "{what}");
            }
        }
    }
    assert_eq!(fs::metadata(place.file("present")).unwrap().ino(), inode);
}

#[test]
fn a_signal_ends_waiting_for_a_pipe() {
    let place = place();
    let before = names(&place);
    for machine in Machine::all() {
        let command = ["convert", "--progress=json", "-f", "qcow2", "-O", "raw", "-", "new"];
        let mut command = place.exuvia_command(machine, &command);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        // Waiting closes the pipe, which would be an end as well.
        let input = child.stdin.take();
        assert_eq!(child.wait().unwrap().code(), Some(1), "{machine:?}");
        drop(input);
        assert_eq!(complaint(&mut child), "qemu-img: interrupted\n", "{machine:?}");
        assert_eq!(names(&place), before, "{machine:?}");
    }
}

#[test]
fn nothing_is_left_of_a_program_that_is_killed() {
    let place = place();
    let before = names(&place);
    for machine in Machine::all() {
        let (mut child, children) = endless(&place, machine, "new");
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().code(), None);
        assert_eq!(names(&place), before, "{machine:?}");
        // QEMU does not notice, as nobody could tell it.
        for child in children {
            let child = Pid::from_raw(i32::try_from(child).unwrap()).unwrap();
            let _ = kill_process(child, Signal::KILL);
        }
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let place = place();
    let before = names(&place);
    for machine in Machine::all() {
        // What is printed.
        let mut command = place.exuvia_command(machine, &["convert", "-O", "raw", "a.raw", "-"]);
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let outcome = command.stdout(full).output().unwrap();
        let said = String::from_utf8(outcome.stderr).unwrap();
        assert_eq!(outcome.status.code(), Some(1), "{machine:?}");
        assert!(said.starts_with("qemu-img: -: "), "{said}");
        assert!(said.ends_with("No space left on device\n") && said.lines().count() == 1, "{said}");
        assert_eq!(names(&place), before, "{machine:?}");
    }
}

/// Runs a shell in which a file system of 4 MiB is at `small`, if that can be had.
fn with_small_disk(place: &Place, machine: Machine, script: &str) -> Option<std::process::Output> {
    let mount = "mount -t tmpfs -o size=4m none small";
    let shell = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["-r", "-m", "sh", "-c", script]).current_dir(place.path());
        command.stdin(Stdio::null());
        command
    };
    fs::create_dir_all(place.file("small")).unwrap();
    if !shell(mount).output().is_ok_and(|outcome| outcome.status.success()) {
        skip("a disk that gets full", "no file system can be mounted here");
        return None;
    }
    let exuvia = place.exuvia_command(machine, &[]);
    let exuvia = exuvia.get_program().to_str().unwrap();
    let mut command = shell(&format!("{mount} && {script}").replace("EXUVIA", exuvia));
    Some(command.env("EXUVIA_BACKEND", machine.name()).output().unwrap())
}

#[test]
fn a_disk_that_gets_full_keeps_nothing() {
    let place = place();
    for machine in Machine::all() {
        for format in ["raw", "qcow2"] {
            let script = format!(
                "echo before > small/present; EXUVIA convert -O {format} a.raw small/new; \
                 echo $?; EXUVIA convert -O {format} a.raw small/present; echo $?; ls -A small"
            );
            let Some(outcome) = with_small_disk(&place, machine, &script) else { return };
            let said = String::from_utf8(outcome.stderr).unwrap();
            let printed = String::from_utf8(outcome.stdout).unwrap();
            assert_eq!(printed, "1\n1\npresent\n", "{format} on {machine:?}: {said}");
            let lines: Vec<&str> = said.lines().collect();
            let [new, present] = lines[..] else { panic!("{said}") };
            assert!(new.contains("small/new: error while converting"), "{said}");
            assert!(present.contains("small/present: error while converting"), "{said}");
            if machine == Machine::Kvm {
                assert!(lines.iter().all(|it| it.ends_with("No space left on device")), "{said}");
            }
        }
    }
}

#[test]
fn a_device_that_cannot_be_written_is_an_error() {
    let place = place();
    for machine in Machine::all() {
        for target in ["/dev/full", "no/such/folder"] {
            let outcome = place.exuvia(machine, &["convert", "-O", "raw", "a.raw", target]);
            assert_eq!(outcome.code, Some(1), "{target} on {machine:?}");
            assert!(outcome.stderr.contains(target), "{outcome:?}");
            assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
        }
    }
}

#[test]
fn an_input_that_breaks_off_is_an_error() {
    if !Machine::all().contains(&Machine::Kvm) {
        skip("an input that breaks off", "QEMU does not wait for who reads the output");
        return;
    }
    let place = place();
    place.write("a.raw", &vec![7; 4 * DISK]);
    let before = names(&place);
    let command = ["convert", "-O", "raw", "a.raw", "-"];
    let mut command = place.exuvia_command(Machine::Kvm, &command);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    output.read_exact(&mut vec![0; 1 << 20]).unwrap();
    // No more is read before something is written, and that has to wait for us.
    let source = fs::File::options().write(true).open(place.file("a.raw")).unwrap();
    source.set_len(4 << 20).unwrap();
    output.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let said = complaint(&mut child);
    // In qemu-img's words, which name no file.
    assert!(said.starts_with("qemu-img: error while reading at byte "), "{said}");
    assert!(said.ends_with(": Input/output error\n") && said.lines().count() == 1, "{said}");
    assert_eq!(names(&place), before);
}

/// Hears nothing and opens nothing.
struct Deaf;

impl Listener for Deaf {
    fn reply(&mut self, _: Reply) {}

    fn open(&mut self, _: &Reference, _: &HostFile) -> Result<HostFile, String> {
        Err("this test opens nothing".to_owned())
    }
}

#[test]
fn a_guest_that_faults_leaves_nothing() {
    let image = GuestImage::from_file(&kernel_build::with_self_tests()).unwrap();
    let place = place();
    let before = names(&place);
    for machine in Machine::all() {
        for test in [SelfTest::PageFault, SelfTest::Panic] {
            let cache = Cache { direct: false, through: false, durable: false };
            let (target, file, _) = TargetFile::create(&place.file("new"), cache).unwrap();
            let job = Job {
                image: &image,
                operation: Operation::SelfTest(test),
                files: vec![HostFile::open(&place.file("a.raw")).unwrap(), file],
                memory_end: 96 << 20,
                budget: Budget {
                    time: Duration::from_secs(60),
                    is_renewed: true,
                    replies: 1 << 20,
                },
            };
            assert!(machine.backend().run(job, &mut Deaf).is_err(), "{test:?} on {machine:?}");
            drop(target);
            assert_eq!(names(&place), before, "{test:?} on {machine:?}");
        }
    }
}
