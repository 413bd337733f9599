//! Assembles the stubs and links the image by the script in `linker/`.
//!
//! The image is a freestanding program for the host's own target: the only one
//! that every installation of Rust has. The linker is told to leave out all
//! that a hosted program gets.

use std::path::PathBuf;

use abi::layout::{self, Region};
use abi::port::{self, ExitCode};
use abi::processor;

#[path = "src/tables/places.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "a module of the library, of which the stubs need a part"
)]
mod places;

fn main() {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let script = root.join("../linker/kernel.ld");
    let stubs = ["src/boot/pvh.S", "src/boot/start.S", "src/boot/trap.S"];

    let mut assembler = cc::Build::new();
    assembler.flag("-m64").flag("-ffreestanding");
    for (name, value) in constants() {
        assembler.define(name, Some(format!("{value:#x}").as_str()));
    }
    for stub in stubs {
        assembler.file(root.join(stub));
        println!("cargo:rerun-if-changed={stub}");
    }
    // The stubs are reached from the ELF header and by the processor, not from
    // Rust, so the archive is linked whole and only into the image.
    assembler.cargo_metadata(false).compile("stubs");
    let archive = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("libstubs.a");

    println!("cargo:rerun-if-changed={}", script.display());
    for argument in [
        "-nostartfiles",
        "-nostdlib",
        "-static",
        "-no-pie",
        "-Wl,--build-id=none",
        "-Wl,--gc-sections",
        "-Wl,-z,noexecstack",
        "-Wl,-z,max-page-size=4096",
        "-Wl,-z,norelro",
    ] {
        link_argument(argument);
    }
    for (name, region) in SECTIONS {
        link_argument(&format!("-Wl,--defsym={name}={:#x}", region.start));
        link_argument(&format!("-Wl,--defsym={name}_SIZE={:#x}", region.size()));
    }
    link_argument(&format!("-Wl,--whole-archive,{},--no-whole-archive", archive.display()));
    link_argument(&format!("-Wl,-T,{}", script.display()));
}

fn link_argument(argument: &str) {
    println!("cargo:rustc-link-arg-bins={argument}");
}

/// The regions that the linker script fills.
const SECTIONS: [(&str, Region); 6] = [
    ("SUPERVISOR_TEXT", layout::SUPERVISOR_TEXT),
    ("SUPERVISOR_RODATA", layout::SUPERVISOR_RODATA),
    ("SUPERVISOR_DATA", layout::SUPERVISOR_DATA),
    ("TEXT", layout::TEXT),
    ("RODATA", layout::RODATA),
    ("DATA", layout::DATA),
];

/// What the stubs need to know.
fn constants() -> [(&'static str, u64); 29] {
    [
        ("PAGE_TABLES", places::PAGE_TABLES),
        ("DESCRIPTORS", places::DESCRIPTORS),
        ("DESCRIPTORS_SIZE", places::DESCRIPTORS_SIZE),
        ("INTERRUPTS", places::INTERRUPTS),
        ("INTERRUPTS_SIZE", places::INTERRUPTS_SIZE),
        ("REPORTING", places::REPORTING),
        ("SUPERVISOR_STACK_TOP", places::SUPERVISOR_STACK_TOP),
        ("SUPERVISOR_CODE", places::SUPERVISOR_CODE.into()),
        ("USER_CODE", places::USER_CODE.into()),
        ("USER_DATA", places::USER_DATA.into()),
        ("TASK_SEGMENT", places::TASK_SEGMENT.into()),
        ("STACK_TOP", layout::STACK.end),
        ("FAULT_STACK_TOP", layout::FAULT_STACK.end),
        ("TRAP_VECTORS", layout::TRAP_VECTORS),
        ("TRAP_STUB_SIZE", layout::TRAP_STUB_SIZE),
        ("CR0_VALUE", processor::CR0),
        ("CR4_VALUE", processor::CR4),
        ("CR4_OSXSAVE", processor::CR4_OSXSAVE),
        ("CR4_SMEP", processor::CR4_SMEP),
        ("CR4_SMAP", processor::CR4_SMAP),
        ("EFER_VALUE", processor::EFER),
        ("XCR0_AVX", processor::XCR0_AVX),
        ("XCR0_SSE", processor::XCR0_SSE),
        ("CPUID_XSAVE", processor::CPUID_1_ECX_XSAVE.into()),
        ("CPUID_AVX", processor::CPUID_1_ECX_AVX.into()),
        ("CPUID_SMEP", processor::CPUID_7_EBX_SMEP.into()),
        ("CPUID_SMAP", processor::CPUID_7_EBX_SMAP.into()),
        ("EXIT_PORT", port::EXIT.into()),
        ("EXIT_DOUBLE_FAULT", ExitCode::DoubleFaulted.bits().into()),
    ]
}
