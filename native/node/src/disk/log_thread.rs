//! The thread that writes the log: the only one of a node that waits for the disk.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::Arc;
use std::time::Duration;

use tinysns_member::Write;

use super::fail_stop;
use super::log::Log;
use super::space::{Room, Space, SpaceNote};
use crate::clock;
use crate::inbox::Inbox;

/// What the log thread is asked to do, in order.
pub enum Job {
    Write(Box<Write>),
    /// A compaction is on disk: files that hold nothing else can be used again or go.
    Purge,
}

/// Free space is measured so often while there are writes, and while there are none.
const MEASURE_BUSY: Duration = Duration::from_millis(200);
const MEASURE_IDLE: Duration = Duration::from_secs(1);
/// Of entries in one append. What waits beyond it makes the next one.
const APPEND_BYTES: usize = 16 << 20;

/// See the module.
pub struct LogThread {
    pub log: Arc<Log>,
    pub path: PathBuf,
    pub reserve_bytes: u64,
    pub jobs: Receiver<Job>,
    pub inbox: Arc<Inbox>,
    pub space: Arc<SpaceNote>,
}

impl LogThread {
    /// Until the other end of `jobs` is dropped and all of them are done.
    pub fn run(self) {
        let mut measured = clock::monotonic();
        let mut room = self.space.get().judge(self.reserve_bytes);
        loop {
            match self.jobs.recv_timeout(MEASURE_IDLE) {
                Ok(Job::Purge) => self.purge(),
                Ok(Job::Write(first)) => {
                    if self.write(*first) {
                        self.purge();
                    }
                    if clock::monotonic() < measured + MEASURE_BUSY {
                        continue;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            measured = clock::monotonic();
            self.measure(&mut room);
        }
    }

    /// Everything that waits goes into one append and one fsync. True: a purge was asked for behind it.
    fn write(&self, first: Write) -> bool {
        let mut bytes = data_bytes(&first);
        let mut writes = vec![first];
        let mut purge = false;
        while bytes < APPEND_BYTES && !purge {
            match self.jobs.try_recv() {
                Ok(Job::Write(write)) => {
                    bytes += data_bytes(&write);
                    writes.push(*write);
                }
                Ok(Job::Purge) => purge = true,
                Err(_) => break,
            }
        }
        let before = self.log.notes.spent();
        if let Err(error) = self.log.write(&writes) {
            fail_stop(&format!("the log in {} cannot be written ({error})", self.path.display()));
        }
        let took = self.log.notes.spent() - before;
        self.log.notes.note_write(took);
        self.inbox.written(writes.last().expect("there is the first").order, took);
        purge
    }

    fn purge(&self) {
        if let Err(error) = self.log.purge() {
            fail_stop(&format!("the log in {} cannot be compacted ({error})", self.path.display()));
        }
        self.inbox.purged();
    }

    /// Wakes the event loop only if the disk became better or worse.
    fn measure(&self, room: &mut Room) {
        let Ok(space) = Space::of(&self.path) else { return }; // as before, then
        self.space.set(space);
        let judged = space.judge(self.reserve_bytes);
        if judged != std::mem::replace(room, judged) {
            self.inbox.wake();
        }
    }
}

fn data_bytes(write: &Write) -> usize {
    write.entries.iter().map(|entry| entry.data.len()).sum()
}
