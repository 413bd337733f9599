//! What the guest's processor is said to be.
//!
//! KVM could tell what it supports, but that takes half a millisecond, because
//! it executes CPUID for every leaf there is, and on a virtual host each traps.
//! The guest needs few features, so we look those up ourselves: three leaves.
//! They only allow the guest to use what the processor has: in ring 3 it would
//! find it anyway.

use std::arch::x86_64::{__cpuid, __cpuid_count};

use abi::processor::{self, CPUID_1_ECX_AVX, CPUID_1_ECX_XSAVE};
use kvm_bindings::{CpuId, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, kvm_cpuid_entry2};

/// Leaf 0x8000_0001, EDX: SYSCALL, no-execute pages, long mode. KVM on x86-64
/// does without none of them.
const EXTENDED_FEATURES: u32 = 1 << 11 | 1 << 20 | 1 << 29;

/// The size of the XSAVE area for x87, SSE and AVX in bytes, with its header
/// (Intel SDM, volume 1, section 13.4).
const XSAVE_AREA: u32 = 512 + 64 + 256;

/// The processor, as the host describes it to KVM.
pub(super) struct Processor {
    /// The leaves for `KVM_SET_CPUID2`.
    pub(super) leaves: CpuId,
    /// CR4 at the start.
    pub(super) cr4: u64,
    /// XCR0 at the start, if there is one.
    pub(super) xcr0: Option<u64>,
}

impl Processor {
    /// The processor that this runs on.
    pub(super) fn detect() -> Option<Self> {
        let vendor = __cpuid(0);
        let features = __cpuid(1);
        let extended = __cpuid_count(7, 0);

        let xcr0 = match features.ecx {
            ecx if ecx & CPUID_1_ECX_XSAVE == 0 => None,
            ecx if ecx & CPUID_1_ECX_AVX == 0 => Some(processor::XCR0_SSE),
            _ => Some(processor::XCR0_AVX),
        };
        let mut cr4 = processor::CR4;
        for (present, bit) in [
            (xcr0.is_some(), processor::CR4_OSXSAVE),
            (extended.ebx & processor::CPUID_7_EBX_SMEP != 0, processor::CR4_SMEP),
            (extended.ebx & processor::CPUID_7_EBX_SMAP != 0, processor::CR4_SMAP),
        ] {
            if present {
                cr4 |= bit;
            }
        }
        let entry = |function, [eax, ebx, ecx, edx]: [u32; 4]| kvm_cpuid_entry2 {
            function,
            eax,
            ebx,
            ecx,
            edx,
            ..kvm_cpuid_entry2::default()
        };
        let indexed = |entry| kvm_cpuid_entry2 { flags: KVM_CPUID_FLAG_SIGNIFCANT_INDEX, ..entry };
        let states = xcr0.and_then(|xcr0| u32::try_from(xcr0).ok()).unwrap_or(0);
        let leaves = [
            entry(0, [0xd, vendor.ebx, vendor.ecx, vendor.edx]),
            entry(1, [features.eax, features.ebx, features.ecx, features.edx]),
            indexed(entry(7, [0, extended.ebx, extended.ecx, extended.edx])),
            indexed(entry(0xd, [states, XSAVE_AREA, XSAVE_AREA, 0])),
            entry(0x8000_0000, [0x8000_0001, 0, 0, 0]),
            entry(0x8000_0001, [0, 0, 0, EXTENDED_FEATURES]),
        ];
        Some(Self { leaves: CpuId::from_entries(&leaves).ok()?, cr4, xcr0 })
    }
}
