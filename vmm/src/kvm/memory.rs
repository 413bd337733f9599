//! The guest's memory on the host, and the slots that show it to the guest.
#![expect(unsafe_code, reason = "writes to guest memory while no guest runs")]

use std::ops::Range;
use std::ptr::NonNull;

use abi::layout::{self, LARGE_PAGE, Region, SMALL_PAGE};
use kvm_bindings::{KVM_MEM_READONLY, kvm_userspace_memory_region};
use vm_memory::mmap::MmapRegionBuilder;
use vm_memory::{GuestAddress, GuestMemoryMmap, GuestRegionMmap, MmapRegion};

use super::KvmError;
use crate::guest_image::GuestImage;

/// The first address that is backed. Below it there is only what a PVH loader
/// would leave.
const START: u64 = layout::SUPERVISOR_TEXT.start;

/// How much of the heap is backed by small pages. A huge page takes a tenth of a
/// millisecond to zero, which a run of `info` has no use for; one that copies
/// data gets beyond this at once.
const SMALL_HEAP: u64 = 2 << 20;

/// What every guest touches: the first variables, the top of the stack, the
/// start of the heap. A page that the host has at hand costs the guest a sixth
/// of one that has to be made while it waits.
const TOUCHED: [Range<u64>; 3] = [
    layout::DATA.start..layout::DATA.start + SMALL_PAGE,
    layout::STACK.end - (16 << 10)..layout::STACK.end,
    layout::HEAP.start..layout::HEAP.start + (48 << 10),
];

/// The guest's memory: a private mapping, of which only what is touched exists.
#[derive(Debug)]
pub(super) struct Memory {
    /// Guest address [`START`] lies at the first 2 MiB boundary in it.
    mapping: MmapRegion,
    /// The part that devices may read and write: the shared region and the heap.
    devices: GuestMemoryMmap,
    slots: Vec<kvm_userspace_memory_region>,
}

impl Memory {
    /// Memory up to the guest address `end`, with an image in it.
    pub(super) fn new(end: u64, image: &GuestImage) -> Result<Self, KvmError> {
        let mapping = MmapRegionBuilder::new(to_usize(end - START + LARGE_PAGE))
            .with_mmap_prot(libc::PROT_READ | libc::PROT_WRITE)
            .with_mmap_flags(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE)
            .build()
            .map_err(KvmError::Mapping)?;
        let devices = device_view(&mapping, layout::SHARED.start..end)?;
        let mut memory = Self { mapping, devices, slots: Vec::new() };
        memory.advise_huge_pages(layout::HEAP.start + SMALL_HEAP..end);
        for segment in image.segments() {
            memory.load(&segment.region, image.content(segment));
        }
        for range in TOUCHED {
            let start = host_pointer(&memory.mapping, range.start);
            populate(start, to_usize(range.end - range.start), libc::MADV_POPULATE_WRITE);
        }
        let data = host_pointer(&memory.mapping, layout::DATA.start);
        memory.add_slot(layout::DATA.start..end, data.as_ptr(), 0);
        Ok(memory)
    }

    /// Copies bytes into guest memory. For set-up: no guest may run yet.
    pub(super) fn write(&mut self, address: u64, bytes: &[u8]) {
        let end = address + bytes.len() as u64;
        assert!(START <= address && to_usize(end - START + LARGE_PAGE) <= self.mapping.size());
        let target = host_pointer(&self.mapping, address);
        // SAFETY: the target lies in the mapping, as has been checked; the
        // mapping is ours, and `bytes` is no part of it, since it is only ever
        // reached through raw pointers.
        unsafe { target.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
    }

    /// The part that devices may read and write.
    pub(super) fn devices(&self) -> &GuestMemoryMmap {
        &self.devices
    }

    /// The slots to register with KVM. They are good as long as the memory is.
    pub(super) fn slots(&self) -> &[kvm_userspace_memory_region] {
        &self.slots
    }

    /// Puts a segment of the image where it belongs.
    fn load(&mut self, region: &Region, content: &[u8]) {
        let pages =
            region.start..(region.start + content.len() as u64).next_multiple_of(SMALL_PAGE);
        let in_place = is_whole_pages(content);
        // Whole pages of this program need no copy: the guest gets them as they
        // are, and cannot write to them.
        if region.access.write || !in_place {
            self.write(region.start, content);
        }
        let copy = host_pointer(&self.mapping, region.start);
        match (region.access.write, in_place) {
            // The slot of the data goes on to the end of memory.
            (true, _) if *region == layout::DATA => {}
            (true, _) => self.add_slot(pages, copy.as_ptr(), 0),
            (false, true) => {
                let start = NonNull::from(content).cast();
                populate(start, content.len(), libc::MADV_POPULATE_READ);
                self.add_slot(pages, content.as_ptr(), KVM_MEM_READONLY);
            }
            (false, false) => self.add_slot(pages, copy.as_ptr(), KVM_MEM_READONLY),
        }
    }

    fn add_slot(&mut self, pages: Range<u64>, host: *const u8, flags: u32) {
        self.slots.push(kvm_userspace_memory_region {
            // One a region, so there are few.
            slot: u32::try_from(self.slots.len()).unwrap_or(u32::MAX),
            flags,
            guest_phys_addr: pages.start,
            memory_size: pages.end - pages.start,
            userspace_addr: host.expose_provenance() as u64,
        });
    }

    /// Asks for huge pages. A host that has none to give does without.
    fn advise_huge_pages(&self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let start = host_pointer(&self.mapping, range.start);
        advise(start, to_usize(range.end - range.start), libc::MADV_HUGEPAGE);
    }
}

/// Has pages made, or brought in, now. A kernel before 5.14 does it when they
/// are touched.
fn populate(start: NonNull<u8>, length: usize, how: libc::c_int) {
    advise(start, length, how);
}

/// Gives the kernel advice, which it may ignore, about pages of this program.
fn advise(start: NonNull<u8>, length: usize, advice: libc::c_int) {
    // SAFETY: the callers pass ranges that are mapped, and none of the advice
    // that they give changes what is in them.
    let _ = unsafe { libc::madvise(start.as_ptr().cast(), length, advice) };
}

/// Where a guest address lies on the host, if it lies in the mapping. Both are
/// equal modulo 2 MiB, so that huge pages of the one are huge pages of the other.
fn host_pointer(mapping: &MmapRegion, address: u64) -> NonNull<u8> {
    let start = mapping.as_ptr();
    let skip = start.addr().next_multiple_of(to_usize(LARGE_PAGE)) - start.addr();
    let pointer = start.wrapping_add(skip + to_usize(address - START));
    NonNull::new(pointer).unwrap_or(NonNull::dangling())
}

/// A view of a range of guest memory, for devices.
fn device_view(mapping: &MmapRegion, range: Range<u64>) -> Result<GuestMemoryMmap, KvmError> {
    let pointer = host_pointer(mapping, range.start).as_ptr();
    let size = to_usize(range.end - range.start);
    // SAFETY: the range lies in the mapping, which `Memory` keeps as long as the
    // view.
    let region = unsafe { MmapRegion::build_raw(pointer, size, mapping.prot(), mapping.flags()) };
    let region = region.map_err(KvmError::Mapping)?;
    GuestRegionMmap::new(region, GuestAddress(range.start))
        .and_then(|region| GuestMemoryMmap::from_regions(vec![region]).ok())
        .ok_or(KvmError::MemoryTooLarge)
}

fn is_whole_pages(content: &[u8]) -> bool {
    let page = to_usize(SMALL_PAGE);
    content.as_ptr().addr().is_multiple_of(page) && content.len().is_multiple_of(page)
}

/// The guest's memory is smaller than the host's address space.
fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
