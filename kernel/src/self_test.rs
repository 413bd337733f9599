//! Ways to break, and ways to work hard: what the guest must survive or end of.
//!
//! Linked in only with the feature `self-test`. The host side of the suite is
//! in `tests/`: it runs each and looks at how the run ended.
#![expect(unsafe_code, clippy::panic, reason = "breaks the rules on purpose")]

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::arch::asm;
use core::hint::black_box;

use abi::layout;
use abi::reply::{FailureKind, Reply};
use abi::request::SelfTest;
use abi::text::Text;
use drivers::dma::DmaBuffer;
use drivers::virtio::block::{Buffer, RejectReason, Request};
use drivers::virtio::mmio::Window;
use ops::engine::job::Job;
use ops::engine::plan::{Part, Plan};
use ops::transfer::{Event, Finished, Returned, Transfer};
use ops::{Error, Session, Transfers};

use crate::machine;
use crate::session::Machine;

/// The slot of the disk that the suite plugs in. Its 64-bit words count up from
/// zero.
const DISK: u8 = 1;

/// Runs a test. Those that are meant to end the run do not come back.
///
/// # Errors
///
/// If something does not work as it should.
pub fn run(test: SelfTest, machine: &Machine) -> Result<(), Error> {
    match test {
        SelfTest::Pass => Ok(()),
        SelfTest::PageFault => read(0x1234_5678_9000),
        SelfTest::NullDereference => read(8),
        SelfTest::StackOverflow => survived(black_box(recurse as fn(u64) -> u64)(0)),
        SelfTest::WriteText => write(layout::TEXT.start),
        SelfTest::WriteConstants => write(layout::RODATA.start),
        SelfTest::ExecuteData => execute(layout::HEAP.start),
        SelfTest::ReadSupervisor => read(layout::SUPERVISOR_RODATA.start),
        SelfTest::Privileged => privileged(),
        SelfTest::ForbiddenPort => forbidden_port(),
        SelfTest::DivideError => divide_error(),
        SelfTest::Panic => panic!("as asked for:\nwith a second line"),
        SelfTest::OutOfMemory => out_of_memory(),
        SelfTest::Spin => loop {
            core::hint::spin_loop();
        },
        SelfTest::ReadForever => read_forever(machine),
        SelfTest::TalkForever => talk_forever(machine),
        SelfTest::DoorbellStorm => doorbell_storm(),
        SelfTest::VectorUnits => vector_units(),
        SelfTest::BlockDevice => block_device(machine),
        SelfTest::Transfers => transfers(machine),
        SelfTest::BlockErrors => block_errors(machine),
        SelfTest::Console => console(machine),
        SelfTest::MemoryFunctions => memory_functions(),
    }
}

/// The failure of a test that should have ended the run.
fn survived(what: impl core::fmt::Debug) -> Result<(), Error> {
    failed(&format!("the run should have ended, but went on with {what:?}"))
}

fn failed(message: &str) -> Result<(), Error> {
    let kind = FailureKind::Corrupt;
    Err(Error::Failed { device: None, kind, is_bare: false, message: message.into() })
}

fn check(condition: bool, message: &str) -> Result<(), Error> {
    if condition { Ok(()) } else { failed(message) }
}

/// Bytes that count up from zero.
fn counting<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    for (byte, count) in bytes.iter_mut().zip(0..) {
        *byte = count;
    }
    bytes
}

fn place(address: u64) -> *mut u8 {
    core::ptr::with_exposed_provenance_mut(usize::try_from(address).unwrap_or(0))
}

fn read(address: u64) -> Result<(), Error> {
    // SAFETY: there is none; the processor is expected to stop this.
    survived(unsafe { place(address).read_volatile() })
}

fn write(address: u64) -> Result<(), Error> {
    // SAFETY: there is none; the processor is expected to stop this.
    unsafe { place(address).write_volatile(0xcc) };
    survived("a write")
}

fn execute(address: u64) -> Result<(), Error> {
    // SAFETY: there is none; the processor is expected to stop this.
    unsafe { asm!("call {}", in(reg) address) };
    survived("a call")
}

#[expect(unconditional_recursion, reason = "is what it is for")]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    recurse(depth + 1) + frame[0]
}

fn privileged() -> Result<(), Error> {
    let value: u64;
    // SAFETY: there is none; the processor is expected to stop this.
    unsafe { asm!("mov {}, cr3", out(reg) value) };
    survived(value)
}

fn forbidden_port() -> Result<(), Error> {
    let value: u8;
    // SAFETY: there is none; the processor is expected to stop this.
    unsafe { asm!("in al, 0x60", out("al") value) };
    survived(value)
}

fn divide_error() -> Result<(), Error> {
    let quotient: u64;
    // SAFETY: there is none; the processor is expected to stop this.
    unsafe {
        asm!("div {zero}", zero = in(reg) 0_u64, inlateout("rax") 1_u64 => quotient, inlateout("rdx") 0_u64 => _);
    };
    survived(quotient)
}

fn out_of_memory() -> Result<(), Error> {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        hoard.push(black_box(Vec::with_capacity(1 << 20)));
    }
}

fn doorbell_storm() -> Result<(), Error> {
    let registers = usize::try_from(layout::device_registers(DISK)).unwrap_or(0);
    // SAFETY: the window is mapped. The disk's driver has its doorbell too,
    // but ringing it without need does no harm, which is the point.
    let doorbell = unsafe { Window::at(registers) }.doorbell();
    for _ in 0..10_000 {
        doorbell.ring(0);
    }
    Ok(())
}

/// Fills vector registers, gives the processor away, and looks at them again.
fn vector_units() -> Result<(), Error> {
    let pattern = counting().map(|byte: u8| byte ^ 0xa5);
    let mut result = [0; 32];
    // SAFETY: the registers named are declared; the port is open. AVX is used
    // only where the processor and XCR0 have it.
    unsafe {
        asm!(
            "movdqu xmm7, [{input}]",
            "out {port}, eax",
            "movdqu [{output}], xmm7",
            input = in(reg) pattern.as_ptr(),
            output = in(reg) result.as_mut_ptr(),
            port = const abi::port::WAIT,
            out("xmm7") _,
            inout("eax") 0 => _,
        );
    }
    check(result[..16] == pattern[..16], "SSE registers do not keep their values")?;
    if !avx_enabled() {
        return Ok(());
    }
    // SAFETY: as above.
    unsafe {
        asm!(
            "vmovdqu ymm7, [{input}]",
            "out {port}, eax",
            "vmovdqu [{output}], ymm7",
            "vzeroupper",
            input = in(reg) pattern.as_ptr(),
            output = in(reg) result.as_mut_ptr(),
            port = const abi::port::WAIT,
            out("ymm7") _,
            inout("eax") 0 => _,
        );
    }
    check(result == pattern, "AVX registers do not keep their values")
}

fn avx_enabled() -> bool {
    use abi::processor::{CPUID_1_ECX_AVX, CPUID_1_ECX_XSAVE, XCR0_AVX};
    let features = core::arch::x86_64::__cpuid(1).ecx;
    let wanted = CPUID_1_ECX_AVX | CPUID_1_ECX_XSAVE;
    if features & wanted != wanted {
        return false;
    }
    let (low, _high): (u32, u32);
    // SAFETY: the processor has XSAVE, which the boot stub or the host enables.
    unsafe { asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") _high) };
    u64::from(low) & XCR0_AVX == XCR0_AVX
}

/// Keeps the queue full of reads of every size, and checks every word.
fn block_device(machine: &Machine) -> Result<(), Error> {
    let disk = machine.disk(DISK).ok_or_else(|| Error::empty_slot(DISK))?;
    let mut device = disk.device().borrow_mut();
    let sizes = [512, 4096, 1024, 65536, 1536, 262_144];
    let capacity = device.capacity();
    let (mut next, mut in_flight, mut most, mut checked) = (0_u64, 0_u64, 0_u64, 0_u64);
    let mut starts = alloc::collections::BTreeMap::new();
    while checked < capacity {
        while next < capacity {
            let size = sizes.get((next / 512 % 6) as usize).copied().unwrap_or(512);
            let size = size.min(capacity - next);
            let length = usize::try_from(size).unwrap_or(512);
            let Some(buffer) = DmaBuffer::zeroed(length) else {
                break;
            };
            match device.submit(Request::Read { offset: next, length, buffer }) {
                Ok(tag) => {
                    starts.insert(tag, next);
                    next += size;
                    in_flight += 1;
                    most = most.max(in_flight);
                }
                Err(rejected) if rejected.reason == RejectReason::Full => break,
                Err(rejected) => return failed(&format!("{}", rejected.reason)),
            }
        }
        device.notify();
        let done = machine::wait_for(|| device.poll());
        let done = done.map_err(|error| Error::request(&format!("{error}")))?;
        check(done.result.is_ok(), "a read failed")?;
        let start = starts.remove(&done.tag).unwrap_or(u64::MAX);
        let Some(Buffer::Filled(buffer)) = done.buffer else {
            return failed("a read came back without its buffer");
        };
        for (word, bytes) in (start / 8..).zip(buffer.chunks_exact(8)) {
            check(bytes == word.to_le_bytes(), "a word is not its own number")?;
        }
        checked += buffer.len() as u64;
        in_flight -= 1;
    }
    check(most >= 32, "fewer than 32 requests were in flight at a time")
}

/// Submits the next read as soon as one is done, so that the host never finds the
/// queue empty.
fn read_forever(machine: &Machine) -> Result<(), Error> {
    let disk = machine.disk(DISK).ok_or_else(|| Error::empty_slot(DISK))?;
    let mut device = disk.device().borrow_mut();
    let mut idle: Vec<DmaBuffer> = (0..32).filter_map(|_| DmaBuffer::zeroed(512)).collect();
    loop {
        for buffer in idle.drain(..) {
            let submitted = device.submit(Request::Read { offset: 0, length: 512, buffer });
            check(submitted.is_ok(), "a read was rejected")?;
        }
        device.notify();
        let done = machine::wait_for(|| device.poll());
        let done = done.map_err(|error| Error::request(&format!("{error}")))?;
        if let Some(Buffer::Filled(buffer)) = done.buffer {
            idle.push(buffer);
        }
    }
}

fn talk_forever(machine: &Machine) -> Result<(), Error> {
    loop {
        machine.reply(Reply::Filler(Text::default()))?;
    }
}

/// Many times more reads than a queue takes, each followed by a job: what comes back is
/// what was asked for, once.
fn transfers(machine: &Machine) -> Result<(), Error> {
    const COUNT: u64 = 2000;
    const LENGTH: usize = 1024;
    let mut missing: alloc::collections::BTreeSet<u64> = (0..COUNT).collect();
    let mut next = 0;
    while !missing.is_empty() {
        while next < COUNT && next < COUNT - missing.len() as u64 + 200 {
            let (offset, buffer) = (next * 512, machine.buffer(LENGTH)?);
            machine.start(next, Transfer::Read { slot: DISK, offset, length: LENGTH, buffer })?;
            next += 1;
        }
        match machine.finish()? {
            Event::Transfer(Finished { tag, result: Ok(()), buffer: Some(buffer) }) => {
                let Returned::Filled(fetched) = buffer else {
                    return failed("a read came back without its buffer");
                };
                // The second of the two sectors, put in front of zeros.
                let part = Part { start: 0, length: 512, fetch: 0, skip: 512, unit: None };
                let plan = Plan { fetches: Vec::new(), parts: alloc::vec![part] };
                let target = machine.buffer(LENGTH)?;
                machine.assign(
                    tag,
                    Job {
                        plan: Some(plan),
                        fetched: alloc::vec![fetched],
                        target,
                        length: LENGTH,
                        compression: None,
                    },
                )?;
            }
            Event::Transfer(_) => return failed("a read failed"),
            Event::Job(tag, done) => {
                check(missing.remove(&tag), "a job came back twice, or was never given")?;
                let first = (tag + 1) * 512 / 8;
                let (words, zeros) = done.target.split_at(512);
                for (word, bytes) in (first..).zip(words.chunks_exact(8)) {
                    check(bytes == word.to_le_bytes(), "a word is not its own number")?;
                }
                check(zeros.iter().all(|byte| *byte == 0), "what is missing is not zeros")?;
            }
        }
    }
    Ok(())
}

/// What the driver and the host must refuse.
fn block_errors(machine: &Machine) -> Result<(), Error> {
    let disk = machine.disk(DISK).ok_or_else(|| Error::empty_slot(DISK))?;
    let mut device = disk.device().borrow_mut();
    let capacity = device.capacity();
    for (offset, write, expected) in [
        (capacity, false, RejectReason::PastEnd),
        (capacity - 512, false, RejectReason::PastEnd),
        (u64::MAX - 511, false, RejectReason::PastEnd),
        (1, false, RejectReason::Misaligned),
        (0, true, RejectReason::ReadOnly),
    ] {
        let buffer = DmaBuffer::zeroed(1024).ok_or_else(|| Error::request("no memory"))?;
        let request = if write {
            Request::Write { offset, range: 0..1024, buffer: Arc::new(buffer) }
        } else {
            Request::Read { offset, length: 1024, buffer }
        };
        let reason = device.submit(request).err().map(|rejected| rejected.reason);
        check(reason == Some(expected), &format!("{offset}: {reason:?}, not {expected:?}"))?;
    }
    Ok(())
}

/// Sends replies of every size up to the limit.
fn console(machine: &Machine) -> Result<(), Error> {
    let mut size = 0;
    while size < 2048 {
        let filler = Text::truncated(&alloc::vec![b'x'; size]);
        machine.reply(Reply::Filler(filler))?;
        size += 7;
    }
    Ok(())
}

/// The functions that the compiler calls, against loops that it cannot turn
/// into calls to them.
fn memory_functions() -> Result<(), Error> {
    const LENGTH: usize = 80;
    let source: [u8; LENGTH] = counting();
    for from in 0..24 {
        for to in 0..24 {
            for length in 0..LENGTH - 24 {
                let mut moved = source;
                moved.copy_within(black_box(from..from + length), black_box(to));
                for (index, byte) in moved.iter().enumerate() {
                    let inside = (to..to + length).contains(&index);
                    let expected = if inside { index - to + from } else { index };
                    check(usize::from(*byte) == expected, "memmove is wrong")?;
                }
            }
        }
    }
    for length in 0..LENGTH {
        let mut filled = source;
        filled.get_mut(..black_box(length)).unwrap_or_default().fill(black_box(0xee));
        for (index, byte) in filled.iter().enumerate() {
            let expected = if index < length { 0xee } else { index };
            check(usize::from(*byte) == expected, "memset is wrong")?;
        }
        for difference in 0..length {
            let mut other = source;
            other[difference] = black_box(0xff);
            let order = source[..length].cmp(black_box(&other[..length]));
            check(order == core::cmp::Ordering::Less, "memcmp is wrong")?;
            let order = other[..length].cmp(black_box(&source[..length]));
            check(order == core::cmp::Ordering::Greater, "memcmp is wrong")?;
        }
        check(source[..length] == black_box(source)[..length], "bcmp is wrong")?;
    }
    Ok(())
}
