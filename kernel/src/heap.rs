//! The heap: everything behind the shared region, to the end of memory.
#![expect(unsafe_code, reason = "is the allocator")]

use core::alloc::{GlobalAlloc, Layout};
use core::ops::Range;
use core::ptr::NonNull;

use linked_list_allocator::Heap as Blocks;
use spin::Mutex;

/// The guest's heap. Empty until the boot information says where memory ends.
pub struct Heap(Mutex<Blocks>);

impl Heap {
    /// A heap without memory.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Mutex::new(Blocks::empty()))
    }

    /// Gives the heap its memory.
    ///
    /// # Safety
    ///
    /// The range must be mapped memory that nobody else uses, ever, and this
    /// may be called only once.
    pub unsafe fn init(&self, range: Range<u64>) {
        let start = usize::try_from(range.start).unwrap_or(0);
        let size = usize::try_from(range.end - range.start).unwrap_or(0);
        let start = core::ptr::with_exposed_provenance_mut(start);
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { self.0.lock().init(start, size) };
    }
}

impl core::fmt::Debug for Heap {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let heap = self.0.lock();
        write!(formatter, "Heap({} of {} bytes used)", heap.used(), heap.size())
    }
}

// SAFETY: the blocks come from a first-fit allocator over memory that belongs
// to it alone; the lock keeps allocations apart, and does not panic or allocate.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = self.0.lock().allocate_first_fit(layout);
        block.map_or(core::ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if let Some(pointer) = NonNull::new(pointer) {
            // SAFETY: the caller promises that `alloc` returned this pointer for
            // this layout.
            unsafe { self.0.lock().deallocate(pointer, layout) };
        }
    }
}
