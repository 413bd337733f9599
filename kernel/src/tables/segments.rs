//! Segment descriptors. In 64-bit mode they hold little more than a privilege
//! level (Intel SDM, volume 3, section 3.4.5).

use x86_64::structures::gdt::DescriptorFlags as Flags;

use super::places::{
    DESCRIPTORS_SIZE, SUPERVISOR_CODE, TASK_SEGMENT, TASK_STATE, USER_CODE, USER_DATA,
};
use super::task::TaskState;

/// The segment descriptors, by selector.
#[derive(Debug)]
#[repr(C, align(8))]
pub struct Descriptors(pub [u64; 7]);

const _: () = assert!(size_of::<Descriptors>() as u64 == DESCRIPTORS_SIZE);

/// A present 64-bit task state segment that is not busy (section 8.2.3).
const AVAILABLE_TASK: u64 = 0x89 << 40;

impl Descriptors {
    /// The table for the selectors in `places.rs`.
    #[must_use]
    pub const fn new() -> Self {
        let mut table = [0; 7];
        table[slot(SUPERVISOR_CODE)] = Flags::KERNEL_CODE64.bits();
        table[slot(USER_DATA)] = Flags::USER_DATA.bits();
        table[slot(USER_CODE)] = Flags::USER_CODE64.bits();
        let [low, high] = task_descriptor();
        table[slot(TASK_SEGMENT)] = low;
        table[slot(TASK_SEGMENT) + 1] = high;
        Self(table)
    }
}

impl Default for Descriptors {
    fn default() -> Self {
        Self::new()
    }
}

const fn slot(selector: u16) -> usize {
    selector as usize / 8
}

/// The descriptor of the task state, which takes two entries.
const fn task_descriptor() -> [u64; 2] {
    let limit = size_of::<TaskState>() as u64 - 1;
    let base = TASK_STATE;
    let low =
        limit & 0xffff | (base & 0xff_ffff) << 16 | AVAILABLE_TASK | (base >> 24 & 0xff) << 56;
    [low, base >> 32]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_segments_are_ring_3_and_supervisor_code_is_ring_0() {
        let Descriptors(table) = Descriptors::new();
        let ring = |selector| table[slot(selector)] >> 45 & 3;
        assert_eq!((ring(SUPERVISOR_CODE), ring(USER_CODE), ring(USER_DATA)), (0, 3, 3));
        assert_eq!(table[0], 0, "the null descriptor");
    }

    #[test]
    fn the_task_descriptor_holds_base_and_limit() {
        let [low, high] = task_descriptor();
        let base = low >> 16 & 0xff_ffff | (low >> 56) << 24 | high << 32;
        assert_eq!(base, TASK_STATE);
        assert_eq!(low & 0xffff, size_of::<TaskState>() as u64 - 1);
    }
}
