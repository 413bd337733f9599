//! How the guest breaks: every way ends the run with one clear line, on every
//! machine, and none hangs. And how it works hard.

use std::time::{Duration, Instant};

use abi::reply::{Reference, Reply};
use abi::request::{Operation, SelfTest};
use tests::{Machine, Place, kernel_build};
use vmm::guest_image::GuestImage;
use vmm::host_file::HostFile;
use vmm::run::{Budget, Job, Listener, Outcome, RunError};

/// How the run must end: well, or with an error that has these words in it.
fn expectation(test: SelfTest) -> Result<(), &'static str> {
    match test {
        SelfTest::Pass
        | SelfTest::DoorbellStorm
        | SelfTest::VectorUnits
        | SelfTest::BlockDevice
        | SelfTest::Transfers
        | SelfTest::BlockErrors
        | SelfTest::Console
        | SelfTest::MemoryFunctions => Ok(()),
        SelfTest::PageFault => Err("guest fault: read of 0x123456789000 (nothing)"),
        SelfTest::NullDereference => Err("guest fault: read of 0x8 (the null page)"),
        SelfTest::StackOverflow => Err("(the guard below the stack: stack overflow)"),
        SelfTest::WriteText => Err("guest fault: write to 0x800000 (text), which is forbidden"),
        SelfTest::WriteConstants => {
            Err("guest fault: write to 0xa00000 (constants), which is forbidden")
        }
        SelfTest::ExecuteData => {
            Err("guest fault: execution of 0x3600000 (heap), which is forbidden")
        }
        SelfTest::ReadSupervisor => {
            Err("guest fault: read of 0x400000 (supervisor constants), which is forbidden")
        }
        SelfTest::Privileged | SelfTest::ForbiddenPort => {
            Err("guest fault: general protection fault (vector 13")
        }
        SelfTest::DivideError => Err("guest fault: divide error (vector 0)"),
        SelfTest::Panic => Err("as asked for: with a second line"),
        SelfTest::OutOfMemory => Err("memory allocation of 1048576 bytes failed"),
        SelfTest::Spin | SelfTest::ReadForever | SelfTest::TalkForever => {
            Err("it was not done after 1 seconds")
        }
    }
}

/// The longest that any of them may take, on a slow machine without KVM.
const PATIENCE: Duration = Duration::from_secs(30);

/// The disk that the tests read: its 64-bit words count up.
const DISK_SIZE: u64 = 4 << 20;

/// Takes replies and opens nothing.
#[derive(Default)]
struct Counter {
    replies: usize,
}

impl Listener for Counter {
    fn reply(&mut self, _: Reply) {
        self.replies += 1;
    }

    fn open(&mut self, _: &Reference, _: &HostFile) -> Result<HostFile, String> {
        Err("this test opens nothing".to_owned())
    }
}

struct Rig {
    image: GuestImage,
    place: Place,
}

impl Rig {
    fn new() -> Self {
        let image = GuestImage::from_file(&kernel_build::with_self_tests()).unwrap();
        let place = Place::new();
        let words: Vec<u8> = (0..DISK_SIZE / 8).flat_map(u64::to_le_bytes).collect();
        place.write("disk", &words);
        Self { image, place }
    }

    fn run(
        &self,
        machine: Machine,
        test: SelfTest,
        counter: &mut Counter,
    ) -> Result<Outcome, RunError> {
        let endless = [SelfTest::Spin, SelfTest::ReadForever, SelfTest::TalkForever];
        let budget = if endless.contains(&test) {
            Budget { time: Duration::from_secs(1), is_renewed: false, replies: u64::MAX }
        } else {
            Budget { time: PATIENCE, is_renewed: false, replies: 1 << 20 }
        };
        let job = Job {
            image: &self.image,
            operation: Operation::SelfTest(test),
            files: vec![HostFile::open(&self.place.file("disk")).unwrap()],
            memory_end: 96 << 20,
            budget,
        };
        machine.backend().run(job, counter)
    }
}

#[test]
fn every_way_to_break_ends_in_one_clear_line() {
    let rig = Rig::new();
    for machine in Machine::all() {
        for test in SelfTest::ALL {
            let started = Instant::now();
            let result = rig.run(machine, test, &mut Counter::default());
            assert!(started.elapsed() < PATIENCE, "{test:?} hangs on {machine:?}");
            match (result, expectation(test)) {
                (Ok(_), Ok(())) => {}
                (Err(error), Err(words)) => {
                    let message = error.to_string();
                    assert!(message.contains(words), "{test:?} on {machine:?}: {message}");
                    assert!(!message.contains('\n'), "{test:?} on {machine:?}: {message}");
                }
                (result, expected) => {
                    panic!("{test:?} on {machine:?}: {result:?}, expected {expected:?}")
                }
            }
        }
    }
}

#[test]
fn every_reply_arrives() {
    let rig = Rig::new();
    for machine in Machine::all() {
        let mut counter = Counter::default();
        rig.run(machine, SelfTest::Console, &mut counter).unwrap();
        // One of each size from 0 to 2047, in steps of 7.
        assert_eq!(counter.replies, 2048_usize.div_ceil(7), "on {machine:?}");
    }
}

#[test]
fn a_guest_that_says_too_much_is_stopped() {
    let rig = Rig::new();
    for machine in Machine::all() {
        let job = Job {
            image: &rig.image,
            operation: Operation::SelfTest(SelfTest::Console),
            files: vec![HostFile::open(&rig.place.file("disk")).unwrap()],
            memory_end: 96 << 20,
            budget: Budget { time: PATIENCE, is_renewed: false, replies: 10_000 },
        };
        let error = machine.backend().run(job, &mut Counter::default()).unwrap_err();
        assert!(error.to_string().contains("its replies exceed 10000 bytes"), "{error}");
    }
}

#[test]
fn a_guest_that_takes_too_long_is_stopped() {
    let rig = Rig::new();
    for machine in Machine::all() {
        let started = Instant::now();
        let job = Job {
            image: &rig.image,
            operation: Operation::SelfTest(SelfTest::Pass),
            files: vec![],
            memory_end: 96 << 20,
            budget: Budget { time: Duration::ZERO, is_renewed: false, replies: 10_000 },
        };
        let error = machine.backend().run(job, &mut Counter::default()).unwrap_err();
        assert!(error.to_string().contains("it was not done after 0 seconds"), "{error}");
        assert!(started.elapsed() < PATIENCE);
    }
}

#[test]
fn the_image_of_the_command_has_no_self_tests() {
    let image = GuestImage::embedded().unwrap();
    for machine in Machine::all() {
        let job = Job {
            image: &image,
            operation: Operation::SelfTest(SelfTest::Panic),
            files: vec![],
            memory_end: 96 << 20,
            budget: Budget { time: PATIENCE, is_renewed: false, replies: 10_000 },
        };
        let error = machine.backend().run(job, &mut Counter::default()).unwrap_err();
        assert_eq!(error.to_string(), "this image has no self-tests");
    }
}
