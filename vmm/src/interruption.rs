//! SIGINT and SIGTERM: the program says so, and ends at once.
//!
//! Its threads may wait for a pipe, a slow disk or a guest, so none of them is asked. New
//! files have no name, and are gone with the program. What would be left of it is undone
//! here: files with a name of their own in the meantime, and QEMU.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};
use vmm_sys_util::eventfd::EventFd;
use vmm_sys_util::signal::register_signal_handler;

/// What wakes the thread that ends the program.
static WAKER: OnceLock<EventFd> = OnceLock::new();

/// A signal has come.
static IS_UNDER_WAY: AtomicBool = AtomicBool::new(false);

static STATE: Mutex<State> = Mutex::new(State { undo: Vec::new(), next: 0, is_too_late: false });

struct State {
    /// What is to be undone, with numbers.
    undo: Vec<(u64, Undo)>,
    next: u64,
    /// What is made is about to appear under its name.
    is_too_late: bool,
}

/// What is undone if the program is interrupted.
#[derive(Debug)]
enum Undo {
    /// A file gets removed.
    File(PathBuf),
    /// A process gets killed and waited for.
    Process(OwnedFd),
}

/// Keeps something on the list of what is to be undone.
#[derive(Debug)]
pub struct Undoing(u64);

impl Drop for Undoing {
    fn drop(&mut self) {
        lock().undo.retain(|(number, _)| *number != self.0);
    }
}

fn lock() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn add(undo: Undo) -> Undoing {
    let mut state = lock();
    let number = state.next;
    state.next += 1;
    state.undo.push((number, undo));
    Undoing(number)
}

/// Removes a file if the program is interrupted.
#[must_use]
pub fn undo_file(path: PathBuf) -> Undoing {
    add(Undo::File(path))
}

/// Kills a process if the program is interrupted, unless the kernel is too old for that.
#[must_use]
pub fn undo_process(child: &Child) -> Option<Undoing> {
    let process = rustix::process::pidfd_open(Pid::from_child(child), PidfdFlags::empty());
    Some(add(Undo::Process(process.ok()?)))
}

/// From now on there is nothing to interrupt: what was made gets its name.
pub fn set_too_late() {
    lock().is_too_late = true;
}

/// Waits for the end if the program is being interrupted. What else goes wrong meanwhile is
/// because of that, and not worth a word.
pub fn let_it_happen() {
    if IS_UNDER_WAY.load(Ordering::Acquire) && !lock().is_too_late {
        loop {
            std::thread::park();
        }
    }
}

/// Has the program end when it is interrupted, with `say` saying so. Only the first call
/// counts.
pub fn watch(say: impl FnOnce() + Send + 'static) {
    extern "C" fn wake(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
        // Nothing here may allocate or wait.
        IS_UNDER_WAY.store(true, Ordering::Release);
        if let Some(waker) = WAKER.get() {
            let _ = waker.write(1);
        }
    }

    // If one of these fails, the signals do what they do by themselves.
    let Ok(waker) = EventFd::new(0) else { return };
    if WAKER.set(waker).is_err() {
        return;
    }
    let thread = std::thread::Builder::new().name("interruption".into());
    if thread.spawn(|| wait_for_it(say)).is_ok() {
        for signal in [libc::SIGINT, libc::SIGTERM] {
            let _ = register_signal_handler(signal, wake);
        }
    }
}

#[expect(clippy::exit, reason = "other threads may wait for something that does not come")]
fn wait_for_it(say: impl FnOnce()) {
    // It does not fail, but may be interrupted.
    while WAKER.get().is_some_and(|waker| waker.read().is_err()) {}
    // Nothing is added or published from here on.
    let state = lock();
    if state.is_too_late {
        return;
    }
    for (_, undo) in &state.undo {
        // What fails is gone already.
        match undo {
            Undo::File(path) => {
                let _ = std::fs::remove_file(path);
            }
            Undo::Process(process) => {
                let _ = rustix::process::pidfd_send_signal(process, Signal::KILL);
                let ended = WaitId::PidFd(std::os::fd::AsFd::as_fd(process));
                let _ = rustix::process::waitid(ended, WaitIdOptions::EXITED);
            }
        }
    }
    say();
    std::process::exit(1);
}
