//! Threads of a node: without the process's signals, and never survived by the rest when they panic.

use std::io;
use std::mem::MaybeUninit;
use std::thread::{self, Builder, JoinHandle};

/// A thread whose panic ends the process: a broken invariant must not be outlived (in releases panics abort anyway).
pub fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.into()).spawn(|| {
        let _guard = AbortOnPanic;
        run();
    })
}

struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            std::process::abort();
        }
    }
}

/// While it lives, threads that are started get no signals: Python's main thread waits for those, and must be the one
/// that they interrupt.
pub struct Signals(libc::sigset_t);

impl Signals {
    pub fn block() -> Signals {
        let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: both sets are written before they are read, and a set that was filled is a valid argument.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            let failed = libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
            assert_eq!(failed, 0, "the arguments are valid");
            Signals(before.assume_init())
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // SAFETY: the set is the one that was in force before.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, std::ptr::null_mut()) };
    }
}
