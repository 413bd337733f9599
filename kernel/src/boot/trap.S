/*
 * Traps: every exception ends the run, with a report if that is possible.
 *
 * The processor enters a stub on the ring-0 stack with SS, RSP, RFLAGS, CS and
 * RIP pushed. The report is made in ring 3, where Rust can run: the stub loads
 * what is known into registers and returns to the reporter on a stack of its
 * own. A trap that came from ring 0, or while one is being reported, cannot be
 * reported: the VM ends with a code that says so.
 */

    .section .supervisor.text.traps, "ax"
    .code64
    .balign 16
trap_stubs:
    .set vector, 0
    .rept TRAP_VECTORS
    .balign TRAP_STUB_SIZE
    /* These push an error code (Intel SDM, volume 3, table 7-1); for the others
     * a zero takes its place. */
    .if !((vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21))
    pushq $0
    .endif
    pushq $vector
    jmp report_trap
    .set vector, vector + 1
    .endr

    .section .supervisor.text, "ax"
report_trap:
    testb $3, 24(%rsp)          /* CS: whose privilege level? */
    jz unreportable
    cmpb $0, REPORTING
    jne unreportable
    movb $1, REPORTING
    popq %rdi                   /* vector */
    popq %rsi                   /* error code */
    movq (%rsp), %rdx           /* RIP */
    movq %cr2, %rcx             /* the address, if this is a page fault */
    movq $fault_entry, (%rsp)
    movq $2, 16(%rsp)           /* RFLAGS */
    movq $(FAULT_STACK_TOP - 8), 24(%rsp)
    iretq

unreportable:
    movl $EXIT_DOUBLE_FAULT, %eax
    movl $EXIT_PORT, %edx
    outl %eax, %dx
1:
    hlt
    jmp 1b
