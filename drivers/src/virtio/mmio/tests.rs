use std::collections::HashMap;

use super::*;
use crate::virtio::fake;

/// A device's registers, which record what is written to them.
struct Fake {
    magic: u32,
    version: u32,
    device_id: u32,
    offered: u64,
    queue_maximum: u32,
    takes_features: bool,
    log: Vec<(Register, u32)>,
}

impl Fake {
    fn block() -> Self {
        Self {
            magic: MAGIC,
            version: VERSION,
            device_id: 2,
            offered: u64::MAX,
            queue_maximum: 1024,
            takes_features: true,
            log: Vec::new(),
        }
    }

    fn last(&self, register: Register) -> u32 {
        let written = self.log.iter().rev().find(|(written, _)| *written == register);
        written.map_or(0, |(_, value)| *value)
    }

    /// What the registers of each queue were set to.
    fn queues(&self) -> HashMap<u32, Vec<(Register, u32)>> {
        let mut selected = 0;
        let mut queues: HashMap<u32, Vec<_>> = HashMap::new();
        for (register, value) in &self.log {
            if *register == Register::QueueSelect {
                selected = *value;
            } else if *register as usize >= Register::QueueSize as usize
                && *register != Register::Status
            {
                queues.entry(selected).or_default().push((*register, *value));
            }
        }
        queues
    }
}

impl Registers for Fake {
    fn read(&mut self, register: Register) -> u32 {
        let (low, high) = halves(self.offered);
        match register {
            Register::Magic => self.magic,
            Register::Version => self.version,
            Register::DeviceId => self.device_id,
            Register::DeviceFeatures if self.last(Register::DeviceFeaturesSelect) == 0 => low,
            Register::DeviceFeatures => high,
            Register::QueueMaximum => self.queue_maximum,
            Register::Status if self.takes_features => self.last(Register::Status),
            Register::Status => self.last(Register::Status) & !status::FEATURES_OK,
            other => panic!("{other:?} is write-only"),
        }
    }

    fn write(&mut self, register: Register, value: u32) {
        self.log.push((register, value));
    }
}

const RINGS: [Rings; 2] = [
    Rings { size: 64, descriptors: 0x1_0000_1000, available: 0x2000, used: 0x3000 },
    Rings { size: 32, descriptors: 0x4000, available: 0x5000, used: 0x6000 },
];

const WANTED: Features = Features::BLOCK_FLUSH.union(Features::EVENT_INDEX);

fn negotiate_with(fake: &mut Fake) -> Result<Features, DeviceError> {
    let (Device { doorbell, .. }, _) = fake::device(Features::empty());
    negotiate(fake, doorbell, 2, WANTED, &RINGS).map(|device| device.features)
}

#[test]
fn the_handshake_takes_its_steps_in_order() {
    let mut fake = Fake::block();
    assert_eq!(negotiate_with(&mut fake), Ok(WANTED | Features::VERSION_1));
    let steps: Vec<u32> = fake
        .log
        .iter()
        .filter(|(register, _)| *register == Register::Status)
        .map(|(_, value)| *value)
        .collect();
    assert_eq!(steps, [0, 3, 11, 15], "reset, driver, features, ready");
    assert_eq!(fake.log.last(), Some(&(Register::Status, 15)), "queues come before that");
}

#[test]
fn only_what_is_wanted_and_offered_is_accepted() {
    let mut fake = Fake::block();
    fake.offered = Features::VERSION_1.bits() | Features::BLOCK_FLUSH.bits() | 1 << 28;
    assert_eq!(negotiate_with(&mut fake), Ok(Features::VERSION_1 | Features::BLOCK_FLUSH));
    let accepted: Vec<_> =
        fake.log.iter().filter(|(register, _)| *register == Register::DriverFeatures).collect();
    assert_eq!(accepted, [&(Register::DriverFeatures, 1 << 9), &(Register::DriverFeatures, 1)]);
}

#[test]
fn every_queue_is_placed() {
    let mut fake = Fake::block();
    negotiate_with(&mut fake).unwrap();
    let queues = fake.queues();
    assert_eq!(
        queues[&0],
        [
            (Register::QueueSize, 64),
            (Register::QueueDescriptorsLow, 0x1000),
            (Register::QueueDescriptorsHigh, 1),
            (Register::QueueAvailableLow, 0x2000),
            (Register::QueueAvailableHigh, 0),
            (Register::QueueUsedLow, 0x3000),
            (Register::QueueUsedHigh, 0),
            (Register::QueueReady, 1),
        ]
    );
    assert_eq!(queues[&1][0], (Register::QueueSize, 32));
}

#[test]
fn what_is_no_modern_block_device_is_refused() {
    type Spoil = fn(&mut Fake);
    let cases: [(Spoil, DeviceError); 7] = [
        (|fake| fake.magic = 0, DeviceError::Absent),
        (|fake| fake.device_id = 0, DeviceError::Absent),
        (|fake| fake.version = 1, DeviceError::Legacy(1)),
        (|fake| fake.device_id = 3, DeviceError::WrongType { found: 3, wanted: 2 }),
        (|fake| fake.offered = 0xffff_ffff, DeviceError::NotVersion1),
        (|fake| fake.takes_features = false, DeviceError::FeaturesRefused),
        (
            |fake| fake.queue_maximum = 63,
            DeviceError::QueueTooShort { queue: 0, maximum: 63, wanted: 64 },
        ),
    ];
    for (spoil, expected) in cases {
        let mut fake = Fake::block();
        spoil(&mut fake);
        assert_eq!(negotiate_with(&mut fake), Err(expected));
        // A device that had been talked to is told that it is given up on.
        if !fake.log.is_empty() {
            assert_eq!(fake.last(Register::Status), status::FAILED);
        }
    }
}
