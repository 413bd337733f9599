use super::*;
use crate::virtio::fake::FakeQueue;

const SIZE: u16 = 8;

fn pair(features: Features) -> (Queue, FakeQueue) {
    let fake = FakeQueue::new(SIZE);
    // SAFETY: the rings are zeroed memory that the fake keeps for the test.
    let queue = unsafe { Queue::new(fake.rings, features) }.unwrap();
    (queue, fake)
}

fn add(queue: &mut Queue, lengths: &[(u32, bool)]) -> Option<u16> {
    let segments: Vec<Segment> = lengths
        .iter()
        .map(|(length, writable)| Segment { address: 0x1000, length: *length, writable: *writable })
        .collect();
    // SAFETY: nobody looks into the buffers.
    unsafe { queue.add(&segments) }
}

#[test]
fn sizes_that_are_no_power_of_two_are_refused() {
    for size in [0, 3, 6, 65535] {
        let rings = Rings { size, ..FakeQueue::new(8).rings };
        // SAFETY: a queue that is refused touches nothing.
        assert!(unsafe { Queue::new(rings, Features::empty()) }.is_none(), "{size}");
    }
}

#[test]
fn the_device_sees_chains_as_they_were_added() {
    let (mut queue, mut fake) = pair(Features::empty());
    add(&mut queue, &[(16, false), (512, true), (1, true)]).unwrap();
    add(&mut queue, &[(7, false)]).unwrap();
    assert!(fake.take().is_none(), "nothing is visible before it is published");
    queue.publish();

    let (_, chain) = fake.take().unwrap();
    let seen: Vec<_> = chain.iter().map(|handed| (handed.length, handed.writable)).collect();
    assert_eq!(seen, [(16, false), (512, true), (1, true)]);
    assert_eq!(fake.take().unwrap().1.len(), 1);
    assert!(fake.take().is_none());
}

#[test]
fn descriptors_run_out_and_come_back() {
    let (mut queue, mut fake) = pair(Features::empty());
    let heads: Vec<u16> =
        (0..SIZE / 2).map(|_| add(&mut queue, &[(1, false), (1, false)]).unwrap()).collect();
    assert_eq!(queue.free(), 0);
    assert!(add(&mut queue, &[(1, false)]).is_none());
    assert!(queue.next_head().is_none());

    // Returned out of order, in which case the free list gets shuffled.
    for head in [heads[2], heads[0], heads[3], heads[1]] {
        fake.give_back(u32::from(head), 0);
        assert_eq!(queue.take_used(), Ok(Some(Returned { head, written: 0 })));
    }
    assert_eq!(queue.free(), SIZE);
    let all = vec![(1, false); usize::from(SIZE)];
    assert!(add(&mut queue, &all).is_some(), "every descriptor is usable again");
}

#[test]
fn indices_wrap() {
    let (mut queue, mut fake) = pair(Features::empty());
    for round in 0..200_000_u32 {
        let head = add(&mut queue, &[(4, true)]).unwrap();
        queue.publish();
        let (taken, _) = fake.take().unwrap();
        assert_eq!(taken, head);
        fake.give_back(u32::from(head), round % 5);
        assert_eq!(queue.take_used(), Ok(Some(Returned { head, written: round % 5 })));
    }
}

#[test]
fn a_chain_that_was_never_added_is_an_error() {
    for head in [0, 1, 7, 8, 0xffff, 0x1_0000, u32::MAX] {
        let (mut queue, mut fake) = pair(Features::empty());
        // One chain is in flight, at descriptor 0; 1 is its second descriptor.
        let first = add(&mut queue, &[(1, false), (1, false)]).unwrap();
        fake.give_back(head, 0);
        let taken = queue.take_used();
        if head == u32::from(first) {
            assert!(taken.is_ok());
        } else {
            assert_eq!(taken, Err(DeviceError::UnknownDescriptor(head)));
        }
    }
}

#[test]
fn a_chain_that_is_returned_twice_is_an_error() {
    let (mut queue, mut fake) = pair(Features::empty());
    let head = add(&mut queue, &[(1, false)]).unwrap();
    add(&mut queue, &[(1, false)]).unwrap();
    fake.give_back(u32::from(head), 0);
    assert!(queue.take_used().is_ok());
    fake.give_back(u32::from(head), 0);
    assert_eq!(queue.take_used(), Err(DeviceError::UnknownDescriptor(u32::from(head))));
}

#[test]
fn more_returns_than_chains_are_an_error() {
    let (mut queue, mut fake) = pair(Features::empty());
    add(&mut queue, &[(1, false)]).unwrap();
    fake.claim(2);
    assert_eq!(queue.take_used(), Err(DeviceError::TooManyReturned));
}

#[test]
fn the_device_may_not_claim_to_have_written_more_than_there_is_room() {
    for (written, good) in [(0, true), (12, true), (13, false), (u32::MAX, false)] {
        let (mut queue, mut fake) = pair(Features::empty());
        let head = add(&mut queue, &[(100, false), (8, true), (4, true)]).unwrap();
        fake.give_back(u32::from(head), written);
        let expected = if good {
            Ok(Some(Returned { head, written }))
        } else {
            Err(DeviceError::Overrun { written, room: 12 })
        };
        assert_eq!(queue.take_used(), expected);
    }
}

#[test]
fn doorbells_follow_the_flag() {
    let (mut queue, fake) = pair(Features::empty());
    assert!(!queue.publish(), "nothing to tell");
    add(&mut queue, &[(1, false)]).unwrap();
    assert!(queue.publish());
    assert!(!queue.publish(), "told already");
    fake.want_no_doorbells();
    add(&mut queue, &[(1, false)]).unwrap();
    assert!(!queue.publish());
}

#[test]
fn doorbells_follow_the_event_index() {
    let (mut queue, fake) = pair(Features::EVENT_INDEX);
    // (event wanted at, chains added, doorbell expected)
    for (event, chains, expected) in
        [(0, 1, true), (5, 1, false), (2, 1, true), (3, 2, true), (100, 1, false)]
    {
        fake.want_doorbell_at(event);
        for _ in 0..chains {
            add(&mut queue, &[(1, false)]).unwrap();
        }
        assert_eq!(queue.publish(), expected, "event {event}");
    }
}

#[test]
fn interrupts_are_never_asked_for() {
    let (_queue, fake) = pair(Features::empty());
    assert_eq!(fake.available_flags(), AVAILABLE_NO_INTERRUPT);

    let (mut queue, mut fake) = pair(Features::EVENT_INDEX);
    assert_eq!(fake.available_flags(), 0, "the flag is reserved with event indices");
    for _ in 0..3 {
        let head = add(&mut queue, &[(1, false)]).unwrap();
        fake.give_back(u32::from(head), 0);
        queue.take_used().unwrap();
        // The event is behind what was returned last, so it is 65,535 away.
        assert_eq!(fake.used_event(), queue.next_used.wrapping_sub(1));
    }
}
