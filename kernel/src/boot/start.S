/*
 * Where both ways of starting the guest meet: to ring 3.
 *
 * In:  the state that abi/src/processor.rs describes; RDI = address of the boot
 *      information.
 * Out: `user_entry` in ring 3, on the stack, with RDI as it came.
 *
 * Ring 0 is not made for work: on a host without VMX or SVM each of its
 * instructions is emulated, and one that needs SSE ends the VM. It is left with
 * the one instruction that every host gets right, IRETQ.
 */

    .section .supervisor.text, "ax"
    .code64
    .globl start
start:
    lgdt descriptor_tables
    lidt interrupt_table
    mov $TASK_SEGMENT, %eax
    ltr %ax
    mov $SUPERVISOR_STACK_TOP, %rsp

    /* What IRETQ takes from the stack: SS, RSP, RFLAGS, CS, RIP. A function
     * expects its stack to be 8 bytes off alignment, as after a call. */
    pushq $(USER_DATA | 3)
    pushq $(STACK_TOP - 8)
    pushq $2
    pushq $(USER_CODE | 3)
    pushq $user_entry
    iretq

    /* The operands of LGDT and LIDT: limit and address. */
    .globl descriptor_tables
    .balign 16
descriptor_tables:
    .word DESCRIPTORS_SIZE - 1
    .quad DESCRIPTORS
    .balign 16
interrupt_table:
    .word INTERRUPTS_SIZE - 1
    .quad INTERRUPTS
