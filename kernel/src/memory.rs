//! `memcpy` and its kin, which the compiler calls and which no library brings:
//! the target's own would come from the C library.
//!
//! Each is a string instruction, which every processor of the last decade runs
//! at the width of its caches. They are written in assembly because a loop in
//! Rust would be recognised, and compiled into a call to the very function.
#![expect(unsafe_code, reason = "defines functions that the compiler calls")]

use core::arch::naked_asm;

/// Copies `count` bytes that do not overlap.
///
/// # Safety
///
/// As for C's `memcpy`.
// SAFETY: it does what the compiler expects of a function with this name.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn memcpy(target: *mut u8, source: *const u8, count: usize) -> *mut u8 {
    naked_asm!("mov rax, rdi", "mov rcx, rdx", "rep movsb", "ret")
}

/// Copies `count` bytes that may overlap.
///
/// # Safety
///
/// As for C's `memmove`.
// SAFETY: it does what the compiler expects of a function with this name.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn memmove(target: *mut u8, source: *const u8, count: usize) -> *mut u8 {
    naked_asm!(
        "mov rax, rdi",
        "mov rcx, rdx",
        // Forwards, unless the target starts inside the source.
        "sub rdi, rsi",
        "cmp rdi, rdx",
        "mov rdi, rax",
        "jb 2f",
        "rep movsb",
        "ret",
        // Backwards: eight bytes at a time, then the rest. String instructions
        // are slow in this direction, plain moves are not.
        "2:",
        "cmp rcx, 8",
        "jb 3f",
        "mov rdx, [rsi + rcx - 8]",
        "mov [rdi + rcx - 8], rdx",
        "sub rcx, 8",
        "jmp 2b",
        "3:",
        "test rcx, rcx",
        "jz 4f",
        "mov dl, [rsi + rcx - 1]",
        "mov [rdi + rcx - 1], dl",
        "dec rcx",
        "jmp 3b",
        "4:",
        "ret",
    )
}

/// Fills `count` bytes with a value.
///
/// # Safety
///
/// As for C's `memset`.
// SAFETY: it does what the compiler expects of a function with this name.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn memset(target: *mut u8, value: i32, count: usize) -> *mut u8 {
    naked_asm!("mov r8, rdi", "mov eax, esi", "mov rcx, rdx", "rep stosb", "mov rax, r8", "ret")
}

/// Compares `count` bytes: the difference of the first two that differ.
///
/// # Safety
///
/// As for C's `memcmp`.
// SAFETY: it does what the compiler expects of a function with this name.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    naked_asm!(
        "2:",
        // Eight bytes at a time while they are equal.
        "cmp rdx, 8",
        "jb 3f",
        "mov rax, [rdi]",
        "cmp rax, [rsi]",
        "jne 3f",
        "add rdi, 8",
        "add rsi, 8",
        "sub rdx, 8",
        "jmp 2b",
        "3:",
        "xor eax, eax",
        "test rdx, rdx",
        "jz 4f",
        "movzx eax, byte ptr [rdi]",
        "movzx ecx, byte ptr [rsi]",
        "inc rdi",
        "inc rsi",
        "dec rdx",
        "sub eax, ecx",
        "jz 3b",
        "4:",
        "ret",
    )
}

/// Compares `count` bytes: zero if they are equal.
///
/// # Safety
///
/// As for BSD's `bcmp`.
// SAFETY: it does what the compiler expects of a function with this name.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    // SAFETY: the caller's promise is the one that is asked for.
    unsafe { memcmp(left, right, count) }
}
