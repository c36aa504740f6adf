//! What the log thread notes of its own system calls, so that others need not guess whether its disk answers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::clock;

/// Begin and end of each call, noted by the thread that makes it. Only these say that a disk stalls: how long a write
/// takes as another thread sees it also holds that thread's own waiting for a processor.
///
/// Each value is read and judged alone, so no order between them is needed (`Relaxed`).
#[derive(Default)]
pub struct IoNotes {
    /// When the call that is in flight began, in nanoseconds of the monotonic clock; 0 if none is.
    began: AtomicU64,
    /// Time spent in all calls until now.
    spent: AtomicU64,
    fsyncs: AtomicU64,
    /// What a write took lately.
    usual: AtomicU64,
}

/// How much of what was usual remains with each write that takes less.
const USUAL_DECAY_TENTHS: u64 = 9;

impl IoNotes {
    /// Makes a system call and notes when it begins and ends.
    pub fn call<T>(&self, call: impl FnOnce() -> T) -> T {
        let began = nanoseconds(clock::monotonic());
        self.began.store(began.max(1), Relaxed);
        let result = call();
        self.began.store(0, Relaxed);
        self.spent.fetch_add(nanoseconds(clock::monotonic()).saturating_sub(began), Relaxed);
        result
    }

    /// As `call`, for one that brings data to the disk.
    pub fn fsync<T>(&self, call: impl FnOnce() -> T) -> T {
        self.fsyncs.fetch_add(1, Relaxed);
        self.call(call)
    }

    /// Since when the call that has not returned yet is in flight.
    pub fn in_flight_since(&self) -> Option<Duration> {
        let began = self.began.load(Relaxed);
        (began > 0).then(|| Duration::from_nanos(began))
    }

    /// Time spent in calls since the start.
    pub fn spent(&self) -> Duration {
        Duration::from_nanos(self.spent.load(Relaxed))
    }

    pub fn fsyncs(&self) -> u64 {
        self.fsyncs.load(Relaxed)
    }

    /// What a write to the log takes: the longest of late, forgotten slowly.
    pub fn usual(&self) -> Duration {
        Duration::from_nanos(self.usual.load(Relaxed))
    }

    /// A whole write took so long in its calls. For the log thread.
    pub fn note_write(&self, took: Duration) {
        let usual = self.usual.load(Relaxed);
        self.usual.store(nanoseconds(took).max(usual / 10 * USUAL_DECAY_TENTHS), Relaxed);
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("centuries after the start of the machine")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_in_flight_until_it_returns() {
        let notes = IoNotes::default();
        assert_eq!(notes.in_flight_since(), None);
        let before = clock::monotonic();
        notes.fsync(|| assert!(notes.in_flight_since() >= Some(before)));
        assert_eq!((notes.in_flight_since(), notes.fsyncs()), (None, 1));
    }

    #[test]
    fn a_slow_write_is_forgotten_slowly() {
        let notes = IoNotes::default();
        notes.note_write(Duration::from_millis(100));
        notes.note_write(Duration::from_millis(1));
        assert_eq!(notes.usual(), Duration::from_millis(90));
        notes.note_write(Duration::from_millis(200));
        assert_eq!(notes.usual(), Duration::from_millis(200));
    }
}
