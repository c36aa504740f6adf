//! What will happen and when: the queue of events over virtual time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use tinysns_member::NodeId;

use crate::network::{ConnId, End};

/// A start of a member's process; greater with each one.
pub type Life = u64;

/// Something that happens at a moment of virtual time. What names a life that is over means nothing any more.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// The event loop of this process runs once.
    Turn { node: NodeId, life: Life },
    /// The next frame of a connection is there for this end.
    Arrive { conn: ConnId, end: End },
    /// The handshake of a connection is complete at this end.
    Established { conn: ConnId, end: End },
    /// This end of a connection learns that it is over.
    Ended { conn: ConnId, end: End },
    /// All links are looked at: silent ones end, missing ones are dialled.
    LinkWatch,
    /// The log thread has returned from its system calls.
    LogDone { node: NodeId, life: Life, batch: u64 },
    /// The log thread has been in its system calls for `Timing::disk_stall`.
    LogStalls { node: NodeId, life: Life, batch: u64 },
    /// The applier takes what waits for it.
    Apply { node: NodeId, life: Life },
    /// The state machine asks for a compaction.
    Compact { node: NodeId, life: Life },
    /// A copy of another member's state has come in.
    Fetched { node: NodeId, life: Life },
    /// A client has time for its next operation.
    Client(usize),
    /// The next fault.
    Fault,
    /// Whoever leads is asked to hand leadership over.
    Transfer,
    /// The end of a fault.
    Undo(Undo),
    /// A dead process is started.
    Start { node: NodeId },
    /// The person who replaces a member looks again.
    Operator,
}

/// How a fault ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Undo {
    /// The network carries everything again from one of these to the other.
    Cut(Vec<(NodeId, NodeId)>),
    /// This process gets the processor again.
    Pause { node: NodeId, life: Life },
    /// Fsyncs of this host take their usual time.
    Slow(NodeId),
    /// There is room on this disk again.
    Scarce(NodeId),
    /// The applier of this host is as fast as before.
    Applier(NodeId),
    /// Messages take their usual time.
    Latency,
}

/// One entry; order of entry decides between those of the same moment.
struct Entry(Reverse<(Duration, u64)>, Happening);

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.0 == other.0
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

/// The queue.
#[derive(Default)]
pub struct Agenda {
    queue: BinaryHeap<Entry>,
    entered: u64,
}

impl Agenda {
    /// Enters something at a moment.
    pub fn at(&mut self, moment: Duration, happening: Happening) {
        self.entered += 1;
        self.queue.push(Entry(Reverse((moment, self.entered)), happening));
    }

    /// The next one.
    pub fn pop(&mut self) -> Option<(Duration, Happening)> {
        self.queue.pop().map(|Entry(Reverse((moment, _)), happening)| (moment, happening))
    }

    /// When the next one is.
    pub fn next_at(&self) -> Option<Duration> {
        self.queue.peek().map(|Entry(Reverse((moment, _)), _)| *moment)
    }
}
