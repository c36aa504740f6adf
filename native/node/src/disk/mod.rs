//! The log on disk: its records, the thread that writes them, and what that thread notes of the disk.

pub mod file_system;
pub mod io_notes;
pub mod log;
pub mod log_thread;
pub mod space;
pub mod stall;
pub mod watch;

#[cfg(test)]
mod tests;

/// A promise cannot be kept any more: the process ends, at once and with a sentence for people. What it had not
/// acknowledged was not promised; its supervisor starts it anew from what is on the disk.
pub fn fail_stop(sentence: &str) -> ! {
    eprintln!("tinysns: {sentence}; this process ends itself, because it must not promise what it cannot keep");
    std::process::abort();
}
