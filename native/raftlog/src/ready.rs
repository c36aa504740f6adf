//! What a group hands out: a `Ready`, and in it the `Write` that must reach the disk before the rest may follow.

use std::sync::atomic::{AtomicU64, AtomicU8, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use raft::eraftpb::{Message, SnapshotMetadata};

use crate::disk::{Disk, Job};
use crate::packets::Packets;

/// What the owner has to do now. The fields say when.
#[pyclass(frozen, get_all, module = "raftlog")]
pub struct Ready {
    pub role: u8,
    /// 0 while none is known.
    pub leader: u64,
    pub term: u64,
    /// May leave at once, before `write` is on disk: a leader's (raft thesis, 10.2.1), and requests for votes, which are
    /// counted only once this member's own is on disk.
    pub messages: Packets,
    /// The leader has compacted what this member lacks: get a state at this index or later from another member, make it
    /// durable, and only then write `write`. None if there is nothing to get.
    pub snapshot: Option<u64>,
    /// `(index, data)` in log order, to be applied after `snapshot`. Empty entries and changes of membership are not in
    /// it, nor is what the state had applied already when the group was opened.
    pub committed: Vec<(u64, Py<PyBytes>)>,
    /// The position that the state machine stands at after `committed`.
    pub applied: u64,
    /// `(context, index)`: a read asked for with this context is linearizable once the state has reached that index.
    pub reads: Vec<(Py<PyBytes>, u64)>,
    /// To be passed to `Log.write`, always, and then to `Group.persisted`.
    pub write: Py<Write>,
}

/// The numbers of a group's writes; shared by the group, its writes and the thread that writes them.
#[derive(Default)]
pub struct Sequence {
    /// The last one that was given to the disk. `CLOSED` when the group is gone: what it left behind must not be
    /// written after the writes of the one that opens it next.
    pub taken: AtomicU64,
}

pub const CLOSED: u64 = u64::MAX;

/// What raft hears when a write is on disk.
pub enum After {
    Ready { number: u64, last: u64, restored: Option<SnapshotMetadata>, messages: Vec<Message> },
    Compaction { point: SnapshotMetadata },
}

#[derive(PartialEq)]
#[repr(u8)]
enum Stage {
    New,
    Written,
    Persisted,
}

/// What one `ready` (or one compaction) has to put on disk. Opaque; each is written once, and in order.
#[pyclass(frozen, module = "raftlog")]
pub struct Write {
    pub order: u64,
    pub sequence: Arc<Sequence>,
    pub disk: Arc<Disk>,
    /// False: nothing in it needs an fsync. Pass it to `Log.write` all the same: the order counts.
    #[pyo3(get)]
    sync: bool,
    /// How many entries it appends.
    #[pyo3(get)]
    entries: usize,
    stage: AtomicU8,
    job: Mutex<Option<Job>>,
    after: Mutex<Option<After>>,
}

impl Write {
    pub fn new(order: u64, sequence: Arc<Sequence>, disk: Arc<Disk>, job: Job, after: After) -> Write {
        Write {
            order,
            sequence,
            disk,
            sync: job.sync,
            entries: job.entries.len(),
            stage: AtomicU8::new(Stage::New as u8),
            job: Mutex::new(Some(job)),
            after: Mutex::new(Some(after)),
        }
    }

    /// The job, once.
    pub fn take_job(&self) -> Job {
        self.job.lock().expect("no panic is survived").take().expect("its order was checked")
    }

    pub fn set_written(&self) {
        self.stage.store(Stage::Written as u8, SeqCst);
    }

    /// What follows, once, and only after the write; None otherwise.
    pub fn take_after(&self) -> Option<After> {
        let written = (Stage::Written as u8, Stage::Persisted as u8);
        self.stage.compare_exchange(written.0, written.1, SeqCst, SeqCst).ok()?;
        self.after.lock().expect("no panic is survived").take()
    }
}
