//! What the node has for Python: a queue under a lock, and one write to an eventfd on its way from taken to not taken.
//!
//! It is bounded. Of committed entries that nobody takes only the range is kept beyond `UNTAKEN_BYTES`; they are on disk,
//! and are read from there when they are asked for. Of views and contacts the newest counts; notes are dropped.

mod output;
mod queue;

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use raft::eraftpb::{Entry, EntryType};
use rustix::event::{eventfd, EventfdFlags};
use tinysns_member::Archive;

pub use self::output::{DiskState, Health, Made, Output};
use self::queue::{entry_bytes, Next, Queue};
use crate::disk::fail_stop;
use crate::disk::log::Log;

/// Bytes of entries that are kept in memory for Python.
const UNTAKEN_BYTES: usize = 32 << 20;

/// See the module.
pub struct Outbox {
    queue: Mutex<Queue>,
    /// One at a time asks for events, so that they stay in order.
    polling: Mutex<()>,
    eventfd: OwnedFd,
    log: Arc<Log>,
    polls: AtomicU64,
    wakes: AtomicU64,
}

impl Outbox {
    pub fn new(log: Arc<Log>) -> std::io::Result<Outbox> {
        Outbox::with_limit(log, UNTAKEN_BYTES)
    }

    fn with_limit(log: Arc<Log>, most_bytes: usize) -> std::io::Result<Outbox> {
        Ok(Outbox {
            queue: Mutex::new(Queue::new(most_bytes)),
            polling: Mutex::default(),
            eventfd: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            log,
            polls: AtomicU64::new(0),
            wakes: AtomicU64::new(0),
        })
    }

    pub fn fileno(&self) -> RawFd {
        self.eventfd.as_raw_fd()
    }

    /// How often it was asked.
    pub fn polls(&self) -> u64 {
        self.polls.load(Relaxed)
    }

    /// How often its owner was woken.
    pub fn wakes(&self) -> u64 {
        self.wakes.load(Relaxed)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("no thread panics with it: nothing in here does")
    }

    /// For the event loop: hands over what a turn has made, and wakes Python if `wake` and it was not woken yet. Returns
    /// whether Python was woken and has not asked since.
    pub fn publish(&self, made: impl IntoIterator<Item = Made>, wake: bool) -> bool {
        let mut queue = self.queue();
        made.into_iter().for_each(|made| queue.push(made));
        if wake {
            self.signal_if_any(&mut queue);
        }
        queue.signalled
    }

    fn signal_if_any(&self, queue: &mut Queue) {
        if !queue.is_empty() && !queue.signalled {
            queue.signalled = true;
            self.wakes.fetch_add(1, Relaxed);
            rustix::io::write(&self.eventfd, &1u64.to_ne_bytes()).expect("an eventfd can be written");
        }
    }

    /// For Python's thread: events in order, with at most about so many bytes of entries but at least one. The signal
    /// goes down before the look, so what comes later signals again; so does what is left.
    pub fn poll(&self, max_bytes: usize) -> Vec<Output> {
        let _one_at_a_time = self.polling.lock().expect("no thread panics with it: nothing in here does");
        let _ = rustix::io::read(&self.eventfd, &mut [0u8; 8]); // an error: nobody has signalled
        self.polls.fetch_add(1, Relaxed);
        self.queue().signalled = false;
        let (mut taken, mut room) = (Vec::new(), max_bytes.max(1));
        loop {
            let next = self.queue().take(&mut room); // in a statement of its own: the lock must be free for the reading
            match next {
                Some(Next::Ready(output)) => taken.push(output),
                Some(Next::Read { low, high }) => taken.extend(self.read(low, high, &mut room)),
                None => break,
            }
        }
        self.signal_if_any(&mut self.queue());
        taken
    }

    /// Reads entries back, without the lock: the event loop must not wait for the disk.
    fn read(&self, low: u64, high: u64, room: &mut usize) -> Option<Output> {
        let void = self.queue().void;
        let found = self.log.entries(low, high + 1, *room);
        let mut queue = self.queue();
        if queue.void != void {
            return None; // another state has replaced the log meanwhile
        }
        let found = found.unwrap_or_else(|unusable| fail_stop(&unusable.0));
        let index = found.last().expect("at least one is found").index;
        queue.have_read(index);
        let ours = |entry: &Entry| entry.get_entry_type() == EntryType::EntryNormal && !entry.data.is_empty();
        let entries: Vec<_> = found.into_iter().filter(ours).map(|entry| (entry.index, entry.data)).collect();
        *room = room.saturating_sub(entries.iter().map(|(_, data)| entry_bytes(data)).sum());
        Some(Output::Committed { entries, index })
    }

    /// The log is about to be closed, and the event loop has ended: what would have to be read from it is dropped.
    pub fn close(&self) {
        let _not_while_reading = self.polling.lock().expect("no thread panics with it: nothing in here does");
        self.queue().forget_unread();
    }
}

#[cfg(test)]
mod tests {
    use tinysns_member::{Committed, Write};

    use super::*;
    use crate::tests::{entries, log_in, Folder};

    const ENTRY: usize = 10_000;

    fn commit(index: u64) -> Made {
        Made::Commit(Committed { index, term: 1, data: vec![index as u8; ENTRY].into(), own: vec![] })
    }

    #[test]
    fn what_is_too_much_for_the_memory_comes_from_the_log() {
        let folder = Folder::new();
        let log = log_in(&folder);
        log.found(&[1]).expect("it is new");
        log.write(&[Write { entries: entries(2..=60, ENTRY), ..Write::default() }]).expect("there is room");
        let outbox = Outbox::with_limit(log, 32 * ENTRY).expect("there is eventfd");
        assert!(outbox.publish((2..=60).map(commit), true));
        let (mut next, mut polls) = (2, 0);
        while next <= 60 {
            polls += 1;
            for output in outbox.poll(4 * ENTRY) {
                let Output::Committed { entries, index } = output else { panic!("{output:?}") };
                for (at, data) in entries {
                    assert_eq!((at, data), (next, vec![next as u8; ENTRY].into()));
                    next += 1;
                }
                assert_eq!(index, next - 1);
            }
        }
        assert!((13..30).contains(&polls), "{polls}");
        assert!(outbox.poll(1).is_empty());
        assert!(!outbox.publish([], true));
    }

    #[test]
    fn it_signals_once_until_it_was_polled_and_again_for_what_is_left() {
        let folder = Folder::new();
        let outbox = Outbox::new(log_in(&folder)).expect("there is eventfd");
        let readable = || rustix::io::read(&outbox.eventfd, &mut [0u8; 8]).is_ok();
        assert!(!outbox.publish([commit(1)], false) && !readable());
        assert!(outbox.publish([commit(2)], true) && readable());
        assert!(outbox.publish([commit(3)], true) && !readable());
        assert_eq!(outbox.poll(1).len(), 1);
        assert!(readable());
        assert_eq!((outbox.poll(usize::MAX).len(), readable(), outbox.wakes()), (1, false, 2));
    }
}
