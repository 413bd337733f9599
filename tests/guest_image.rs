//! What is in the built guest image.
//!
//! The page tables, descriptors and task state are computed at compile time, so
//! the test does not ask the code that computed them: it walks the bytes of the
//! finished image as the processor would.

use std::sync::LazyLock;

use abi::layout::{self, REGIONS, Region};
use object::{Object, ObjectSection, ObjectSegment, SegmentFlags};
use tests::kernel_build;

/// The largest image, in bytes, as the command embeds it.
const SIZE_LIMIT: usize = 1 << 20;

static IMAGE: LazyLock<Vec<u8>> =
    LazyLock::new(|| std::fs::read(kernel_build::with_symbols()).unwrap());

fn image() -> object::File<'static> {
    object::File::parse(IMAGE.as_slice()).unwrap()
}

/// Guest memory as the loader fills it.
fn memory(address: u64, length: usize) -> Vec<u8> {
    for segment in image().segments() {
        let data = segment.data().unwrap();
        let (start, end) = (segment.address(), segment.address() + segment.size());
        if start <= address && address + length as u64 <= end {
            let offset = usize::try_from(address - start).unwrap();
            let mut bytes = data.get(offset..).unwrap_or_default().to_vec();
            bytes.resize(length.max(bytes.len()), 0);
            bytes.truncate(length);
            return bytes;
        }
    }
    panic!("nothing is loaded at {address:#x}");
}

fn word(address: u64) -> u64 {
    u64::from_le_bytes(memory(address, 8).try_into().unwrap())
}

/// What the page tables say about an address.
#[derive(Debug, PartialEq, Eq)]
struct Page {
    physical: u64,
    user: bool,
    write: bool,
    execute: bool,
}

/// Walks the page tables (Intel SDM, volume 3, section 4.5).
fn translate(address: u64) -> Option<Page> {
    const PRESENT: u64 = 1;
    const WRITE: u64 = 1 << 1;
    const USER: u64 = 1 << 2;
    const LARGE: u64 = 1 << 7;
    const NO_EXECUTE: u64 = 1 << 63;
    const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

    let mut table = layout::PAGE_TABLES;
    let (mut user, mut write, mut execute) = (true, true, true);
    for level in (0..4).rev() {
        let index = address >> (12 + 9 * level) & 511;
        let entry = word(table + 8 * index);
        if entry & PRESENT == 0 {
            return None;
        }
        user &= entry & USER != 0;
        write &= entry & WRITE != 0;
        execute &= entry & NO_EXECUTE == 0;
        let is_page = level == 0 || (level == 1 && entry & LARGE != 0);
        if is_page {
            let mask = (1_u64 << (12 + 9 * level)) - 1;
            let physical = (entry & ADDRESS & !mask) | (address & mask);
            return Some(Page { physical, user, write, execute });
        }
        assert!(entry & LARGE == 0, "a page of 1 GiB at {address:#x}");
        table = entry & ADDRESS;
    }
    None
}

/// The region that an address lies in.
fn region(address: u64) -> Option<&'static Region> {
    REGIONS.iter().find(|region| region.contains(address))
}

#[test]
fn every_page_is_mapped_to_itself_with_the_rights_of_its_region() {
    let mut mapped = 0;
    // The lowest pages are small, the rest are large.
    let addresses = (0..layout::LARGE_PAGE).step_by(4096);
    let addresses = addresses.chain((layout::LARGE_PAGE..1 << 32).step_by(2 << 20));
    for address in addresses {
        let page = translate(address);
        let expected = region(address).map(|region| Page {
            physical: address,
            user: region.access.user,
            write: region.access.write,
            execute: region.access.execute,
        });
        assert_eq!(page, expected, "{address:#x}");
        mapped += u32::from(page.is_some());
    }
    assert!(mapped > 1000, "hardly anything is mapped");
}

#[test]
fn nothing_is_writable_and_executable() {
    for address in (0..1_u64 << 32).step_by(2 << 20) {
        if let Some(page) = translate(address) {
            assert!(!(page.write && page.execute), "{address:#x}");
        }
    }
}

#[test]
fn the_null_page_and_the_guards_are_not_mapped() {
    assert_eq!(translate(0), None);
    for stack in [layout::STACK, layout::FAULT_STACK] {
        assert_eq!(translate(stack.start - 8), None, "below the {}", stack.name);
        assert!(translate(stack.start).is_some() && translate(stack.end - 8).is_some());
    }
    assert_eq!(translate(layout::STACK.end), None, "above the stack");
    assert_eq!(translate(1 << 32), None, "above 4 GiB");
}

#[test]
fn ring_0_executes_only_its_own_pages() {
    // With SMEP and SMAP, ring 0 can execute no user page and touch none, so
    // everything that it needs must lie in supervisor pages.
    for region in [layout::SUPERVISOR_TEXT, layout::SUPERVISOR_RODATA, layout::SUPERVISOR_DATA] {
        assert!(!translate(region.start).unwrap().user, "{}", region.name);
    }
    let entry = image().entry();
    assert!(layout::SUPERVISOR_TEXT.contains(entry), "entered at {entry:#x}");
}

#[test]
fn the_processor_need_not_write_to_the_page_tables() {
    // They lie in a read-only memory slot, so accessed and dirty bits are set.
    const ACCESSED: u64 = 1 << 5;
    const DIRTY: u64 = 1 << 6;
    for table in 0..7 {
        for index in 0..512 {
            let entry = word(layout::PAGE_TABLES + table * 4096 + index * 8);
            let is_link = table < 2 || (table == 2 && index == 0);
            if entry & 1 != 0 {
                assert!(entry & ACCESSED != 0, "table {table}, entry {index}");
                assert!(is_link || entry & DIRTY != 0, "table {table}, entry {index}");
            }
        }
    }
}

#[test]
fn each_segment_fills_one_region_with_the_same_rights() {
    use object::elf::{PF_W, PF_X};
    let mut filled = Vec::new();
    for segment in image().segments() {
        let region = region(segment.address()).unwrap();
        assert_eq!(segment.address(), region.start, "{}", region.name);
        assert!(segment.size() <= region.size(), "{} is too large", region.name);
        let SegmentFlags::Elf { p_flags, .. } = segment.flags() else { panic!("not ELF") };
        assert_eq!(p_flags.contains(PF_W), region.access.write, "{}", region.name);
        assert_eq!(p_flags.contains(PF_X), region.access.execute, "{}", region.name);
        filled.push(region.name);
    }
    assert_eq!(filled.len(), 6, "{filled:?}");
}

#[test]
fn nothing_asks_for_a_loader_that_relocates() {
    for section in image().sections() {
        let name = section.name().unwrap();
        let unwanted = [".rela", ".dynamic", ".interp", ".tdata", ".tbss", ".init_array"];
        assert!(!unwanted.iter().any(|unwanted| name.starts_with(unwanted)), "{name}");
    }
}

#[test]
fn the_pvh_note_leads_to_the_32_bit_entry() {
    const PHYS32_ENTRY: u32 = 18;
    let image = image();
    let note = image.section_by_name(".note").unwrap().data().unwrap().to_vec();
    let number = |at: usize| u32::from_le_bytes(note[at..at + 4].try_into().unwrap());
    assert_eq!((number(0), number(4), number(8)), (4, 8, PHYS32_ENTRY));
    assert_eq!(&note[12..16], b"Xen\0");
    let entry = u64::from_le_bytes(note[16..24].try_into().unwrap());
    assert!(layout::SUPERVISOR_TEXT.contains(entry));
    // CLI, CLD: what the entry starts with.
    assert_eq!(memory(entry, 2), [0xfa, 0xfc]);
}

#[test]
fn trap_stubs_lie_where_the_gates_lead() {
    const PUSH_BYTE: u8 = 0x6a;
    for vector in 0..layout::TRAP_VECTORS {
        let stub = memory(layout::TRAP_STUBS + vector * layout::TRAP_STUB_SIZE, 16);
        let pushes_error = matches!(vector, 8 | 10..=14 | 17 | 21);
        let vector = u8::try_from(vector).unwrap();
        let expected: &[u8] =
            if pushes_error { &[PUSH_BYTE, vector] } else { &[PUSH_BYTE, 0, PUSH_BYTE, vector] };
        assert!(stub.starts_with(expected), "vector {vector}: {stub:x?}");
    }
}

#[test]
fn the_image_is_small() {
    let embedded = vmm::guest_image::GuestImage::embedded().unwrap();
    let size = embedded.bytes().len();
    println!("the guest image has {size} bytes");
    assert!(size <= SIZE_LIMIT, "{size} bytes");
}
