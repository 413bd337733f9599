/*
 * The 32-bit PVH entry: how QEMU starts the guest.
 *
 * In:  protected mode, no paging, flat segments, interrupts off, EBX = address
 *      of the boot information (Xen, docs/misc/pvh.pandoc).
 * Out: the state that abi/src/processor.rs describes, at `start`.
 *
 * There is no stack and no memory is written: everything is in registers and in
 * constants of the image. ESI keeps the boot information (CPUID overwrites
 * EBX), EBP collects CR4, EDI collects XCR0.
 */

    .section .note.Xen, "a", @note
    .balign 4
    .long 4                     /* size of the name */
    .long 8                     /* size of the descriptor: QEMU reads 8 bytes */
    .long 18                    /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .quad pvh_start

    .section .supervisor.text, "ax"
    .code32
    .globl pvh_start
pvh_start:
    cli
    cld
    mov %ebx, %esi
    mov $CR4_VALUE, %ebp
    xor %edi, %edi

    mov $1, %eax
    cpuid
    test $CPUID_XSAVE, %ecx
    jz 1f
    or $CR4_OSXSAVE, %ebp
    mov $XCR0_SSE, %edi
    test $CPUID_AVX, %ecx
    jz 1f
    mov $XCR0_AVX, %edi
1:
    mov $7, %eax
    xor %ecx, %ecx
    cpuid
    test $CPUID_SMEP, %ebx
    jz 1f
    or $CR4_SMEP, %ebp
1:
    test $CPUID_SMAP, %ebx
    jz 1f
    or $CR4_SMAP, %ebp
1:
    mov %ebp, %cr4
    mov $PAGE_TABLES, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx       /* EFER */
    mov $EFER_VALUE, %eax
    xor %edx, %edx
    wrmsr
    mov $CR0_VALUE, %eax
    mov %eax, %cr0
    lgdt descriptor_tables
    ljmp $SUPERVISOR_CODE, $long_mode

    .code64
long_mode:
    test %edi, %edi
    jz 1f
    xor %ecx, %ecx              /* XCR0 */
    mov %edi, %eax
    xor %edx, %edx
    xsetbv
1:
    mov %esi, %edi
    jmp start
