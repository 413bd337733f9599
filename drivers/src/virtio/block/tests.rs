use core::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::virtio::fake::{self, FakeQueue, Handed, SILENT};

const LENGTH: u64 = 10 * SECTOR + 100;

struct Rig {
    block: BlockDevice,
    fake: FakeQueue,
    doorbell: &'static AtomicU32,
}

fn rig(size: u16, writable: bool) -> Rig {
    rig_with(size, writable, Features::VERSION_1)
}

fn rig_with(size: u16, writable: bool, features: Features) -> Rig {
    let fake = FakeQueue::new(size);
    let (device, doorbell) = fake::device(features);
    #[expect(unsafe_code, reason = "the rings belong to the test")]
    // SAFETY: the rings are zeroed memory that the fake keeps for the test.
    let block = unsafe { BlockDevice::new(device, fake.rings, LENGTH, writable) }.unwrap();
    Rig { block, fake, doorbell }
}

fn buffer(sectors: usize) -> DmaBuffer {
    DmaBuffer::zeroed(sectors * 512).unwrap()
}

fn read(offset: u64, sectors: usize) -> Request {
    Request::Read { offset, length: sectors * 512, buffer: buffer(sectors) }
}

fn write(offset: u64) -> Request {
    Request::Write { offset, range: 0..512, buffer: Arc::new(buffer(1)) }
}

/// The buffer that a device has filled.
fn filled(buffer: Option<Buffer>) -> DmaBuffer {
    match buffer {
        Some(Buffer::Filled(buffer)) => buffer,
        other => panic!("{other:?}"),
    }
}

fn header(handed: &Handed) -> (u32, u64) {
    let bytes = handed.bytes();
    (
        u32::from_le_bytes(bytes[0..4].try_into().unwrap()),
        u64::from_le_bytes(bytes[8..16].try_into().unwrap()),
    )
}

#[test]
fn a_read_is_framed_as_the_standard_says() {
    let mut rig = rig(8, false);
    let tag = rig.block.submit(read(3 * SECTOR, 2)).unwrap();
    rig.block.notify();
    assert_eq!(rig.doorbell.swap(SILENT, Ordering::Relaxed), 0, "queue 0 was announced");

    let (head, chain) = rig.fake.take().unwrap();
    let [frame, data, status] = chain[..] else { panic!("{chain:?}") };
    assert_eq!(header(&frame), (TYPE_IN, 3));
    assert!(!frame.writable && data.writable && status.writable);
    assert_eq!((frame.length, data.length, status.length), (16, 1024, 1));

    data.bytes().fill(0x5a);
    status.bytes()[0] = STATUS_OK;
    rig.fake.give_back(u32::from(head), 1025);
    let done = rig.block.poll().unwrap().unwrap();
    assert_eq!((done.tag, done.result), (tag, Ok(())));
    assert!(filled(done.buffer).iter().all(|byte| *byte == 0x5a));
    assert!(rig.block.poll().unwrap().is_none());
}

#[test]
fn a_write_and_a_flush_are_framed_as_the_standard_says() {
    let mut rig = rig(8, true);
    rig.block.submit(write(SECTOR)).unwrap();
    rig.block.submit(Request::Flush).unwrap();
    rig.block.notify();

    let (_, chain) = rig.fake.take().unwrap();
    assert_eq!(header(&chain[0]), (TYPE_OUT, 1));
    assert!(!chain[1].writable);
    let (_, chain) = rig.fake.take().unwrap();
    assert_eq!(header(&chain[0]), (TYPE_FLUSH, 0));
    assert_eq!(chain.len(), 2, "a flush has no data");
}

#[test]
fn zeros_need_no_data() {
    for (unmap, flags) in [(false, 0), (true, 1)] {
        let mut rig = rig(8, true);
        let zeroes = Request::WriteZeroes { offset: 2 * SECTOR, length: 3 * SECTOR, unmap };
        rig.block.submit(zeroes).unwrap();
        rig.block.notify();
        let (_, chain) = rig.fake.take().unwrap();
        let [frame, range, status] = chain[..] else { panic!("{chain:?}") };
        assert_eq!(header(&frame), (TYPE_WRITE_ZEROES, 0));
        assert!(!range.writable && status.writable);
        let expected = [&2_u64.to_le_bytes()[..], &3_u32.to_le_bytes(), &[flags, 0, 0, 0]];
        assert_eq!(*range.bytes(), expected.concat());
    }
}

#[test]
fn a_part_of_a_shared_buffer_is_written() {
    let mut rig = rig(8, true);
    let buffer = Arc::new(buffer(4));
    let address = buffer.address();
    for (sector, range) in [(0, 0..512), (1, 1024..2048)] {
        let request =
            Request::Write { offset: sector * SECTOR, range, buffer: Arc::clone(&buffer) };
        rig.block.submit(request).unwrap();
    }
    rig.block.notify();
    for (offset, length) in [(0, 512), (1024, 1024)] {
        let (head, chain) = rig.fake.take().unwrap();
        assert_eq!((chain[1].address, chain[1].length), (address + offset, length));
        chain[2].bytes()[0] = STATUS_OK;
        rig.fake.give_back(u32::from(head), 1);
        let Some(Buffer::Stored(stored)) = rig.block.poll().unwrap().unwrap().buffer else {
            panic!("the buffer comes back")
        };
        assert_eq!(stored.address(), address);
    }
}

#[test]
fn holes_are_asked_about_anywhere() {
    let mut rig = rig(8, false);
    rig.block.submit(Request::Holes { offset: 5 * SECTOR, buffer: buffer(8) }).unwrap();
    rig.block.notify();
    let (_, chain) = rig.fake.take().unwrap();
    assert_eq!(header(&chain[0]), (TYPE_HOLES, 5));
    assert!(chain[1].writable);
    assert_eq!(chain[1].length, 4096);
}

#[test]
fn a_range_lies_in_its_buffer() {
    for (range, expected) in [
        (0..1024, None),
        (512..1024, None),
        (0..1536, Some(RejectReason::Misaligned)),
        (512..512, None),
        (2048..2560, Some(RejectReason::Misaligned)),
    ] {
        let mut rig = rig(8, true);
        let request = Request::Write { offset: 0, range, buffer: Arc::new(buffer(2)) };
        let reason = rig.block.submit(request).err().map(|error| error.reason);
        assert_eq!(reason, expected);
    }
    for (length, expected) in [(1024, None), (1536, Some(RejectReason::Misaligned))] {
        let mut rig = rig(8, true);
        let request = Request::Read { offset: 0, length, buffer: buffer(2) };
        let reason = rig.block.submit(request).err().map(|error| error.reason);
        assert_eq!(reason, expected);
    }
}

#[test]
fn requests_complete_in_any_order() {
    let mut rig = rig(16, false);
    let tags: Vec<Tag> =
        (0..5).map(|sector| rig.block.submit(read(sector * SECTOR, 1)).unwrap()).collect();
    rig.block.notify();
    let mut taken: Vec<_> = std::iter::from_fn(|| rig.fake.take()).collect();
    assert_eq!(taken.len(), 5);
    taken.reverse();
    for (head, chain) in &taken {
        // Each gets the number of its sector back as data.
        let sector = u8::try_from(header(&chain[0]).1).unwrap();
        chain[1].bytes().fill(sector);
        chain[2].bytes()[0] = STATUS_OK;
        rig.fake.give_back(u32::from(*head), 513);
    }
    for sector in (0..5_u8).rev() {
        let done = rig.block.poll().unwrap().unwrap();
        assert_eq!(done.tag, tags[usize::from(sector)]);
        assert_eq!(filled(done.buffer)[511], sector);
    }
}

#[test]
fn a_full_queue_gives_the_request_back() {
    let mut rig = rig(8, false);
    for _ in 0..2 {
        rig.block.submit(read(0, 1)).unwrap();
    }
    // Two descriptors are left, a read needs three.
    let rejected = rig.block.submit(read(0, 4)).unwrap_err();
    assert_eq!(rejected.reason, RejectReason::Full);
    assert_eq!(filled(rejected.request.into_buffer()).len(), 4 * 512);
}

#[test]
fn requests_are_checked_against_the_device() {
    // The length is rounded up to whole sectors, so there are eleven.
    for (offset, length, expected) in [
        (0, 11 * 512, None),
        (10 * SECTOR, 512, None),
        (0, 12 * 512, Some(RejectReason::PastEnd)),
        (11 * SECTOR, 512, Some(RejectReason::PastEnd)),
        (u64::MAX - 511, 512, Some(RejectReason::PastEnd)),
        (1, 512, Some(RejectReason::Misaligned)),
        (0, 511, Some(RejectReason::Misaligned)),
    ] {
        let mut rig = rig(8, false);
        let buffer = DmaBuffer::zeroed(length).unwrap();
        let reason = rig
            .block
            .submit(Request::Read { offset, length, buffer })
            .err()
            .map(|error| error.reason);
        assert_eq!(reason, expected, "{length} bytes at {offset}");
    }
}

#[test]
fn a_read_only_device_is_never_asked_to_write() {
    for (writable, features) in
        [(false, Features::VERSION_1), (true, Features::VERSION_1 | Features::BLOCK_READ_ONLY)]
    {
        let mut rig = rig_with(8, writable, features);
        let zeroes = Request::WriteZeroes { offset: 0, length: SECTOR, unmap: false };
        for request in [write(0), zeroes, Request::Flush] {
            let rejected = rig.block.submit(request).unwrap_err();
            assert_eq!(rejected.reason, RejectReason::ReadOnly);
        }
    }
}

#[test]
fn the_status_decides() {
    for (status, expected) in [
        (0, Ok(())),
        (1, Err(RequestError::InputOutput)),
        (2, Err(RequestError::Unsupported)),
        (77, Err(RequestError::InputOutput)),
        (STATUS_PENDING, Err(RequestError::InputOutput)),
    ] {
        let mut rig = rig(8, false);
        rig.block.submit(read(0, 1)).unwrap();
        rig.block.notify();
        let (head, chain) = rig.fake.take().unwrap();
        chain[2].bytes()[0] = status;
        rig.fake.give_back(u32::from(head), 1);
        assert_eq!(rig.block.poll().unwrap().unwrap().result, expected, "status {status}");
    }
}

#[test]
fn a_device_that_goes_away_keeps_what_it_was_given() {
    let mut rig = rig(8, false);
    rig.block.submit(read(0, 1)).unwrap();
    rig.block.notify();
    let (_, chain) = rig.fake.take().unwrap();
    drop(rig.block);
    // Under a checking allocator this would be a use after free.
    chain[1].bytes().fill(1);
    chain[2].bytes()[0] = STATUS_OK;
    assert_eq!(chain[1].bytes()[0], 1);
}
