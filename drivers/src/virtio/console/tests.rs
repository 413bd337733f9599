use core::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::virtio::fake::{self, FakeQueue, SILENT};

struct Rig {
    console: Console,
    receive: FakeQueue,
    transmit: FakeQueue,
    doorbell: &'static AtomicU32,
}

fn rig() -> Rig {
    let (receive, transmit) = (FakeQueue::new(2), FakeQueue::new(4));
    let (device, doorbell) = fake::device(Features::VERSION_1);
    #[expect(unsafe_code, reason = "the rings belong to the test")]
    // SAFETY: the rings are zeroed memory that the fakes keep for the test.
    let console = unsafe { Console::new(device, receive.rings, transmit.rings) }.unwrap();
    Rig { console, receive, transmit, doorbell }
}

#[test]
fn messages_go_out_whole_and_in_order() {
    let mut rig = rig();
    rig.console.send(b"first".to_vec()).unwrap();
    assert_eq!(rig.doorbell.swap(SILENT, Ordering::Relaxed), u32::from(TRANSMIT_QUEUE));
    rig.console.send(b"second".to_vec()).unwrap();
    for expected in [&b"first"[..], b"second"] {
        let (head, chain) = rig.transmit.take().unwrap();
        assert_eq!(chain[0].bytes(), expected);
        assert_eq!(rig.console.reclaim(), Ok(false));
        rig.transmit.give_back(u32::from(head), 0);
    }
    assert_eq!(rig.console.reclaim(), Ok(true));
}

#[test]
fn a_full_queue_gives_the_message_back() {
    let mut rig = rig();
    for _ in 0..4 {
        rig.console.send(vec![1]).unwrap();
    }
    assert_eq!(rig.console.send(vec![2]), Err(vec![2]));
}

#[test]
fn an_empty_message_is_not_sent() {
    assert_eq!(rig().console.send(vec![]), Err(vec![]));
}

#[test]
fn input_arrives_in_the_buffer_that_waits_for_it() {
    let mut rig = rig();
    rig.console.expect_input(DmaBuffer::zeroed(16).unwrap()).unwrap();
    assert_eq!(rig.doorbell.swap(SILENT, Ordering::Relaxed), u32::from(RECEIVE_QUEUE));
    assert!(rig.console.input().unwrap().is_none());

    let (head, chain) = rig.receive.take().unwrap();
    chain[0].bytes()[..5].copy_from_slice(b"hello");
    rig.receive.give_back(u32::from(head), 5);
    let (buffer, length) = rig.console.input().unwrap().unwrap();
    assert_eq!(&buffer[..length], b"hello");
}

#[test]
fn input_longer_than_its_buffer_is_an_error() {
    let mut rig = rig();
    rig.console.expect_input(DmaBuffer::zeroed(16).unwrap()).unwrap();
    let (head, _) = rig.receive.take().unwrap();
    rig.receive.give_back(u32::from(head), 17);
    assert_eq!(rig.console.input().unwrap_err(), DeviceError::Overrun { written: 17, room: 16 });
}
