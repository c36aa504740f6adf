//! What a node has to tell Python.

use bytes::Bytes;
use tinysns_member::{Committed, NodeId, Ticket, View};

/// What Python sees. Its meaning is told in raftnode.pyi.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    View(View),
    Committed { entries: Vec<(u64, Bytes)>, index: u64 },
    Reads { tickets: Vec<Ticket>, index: u64 },
    StateWanted { index: u64 },
    Health(Health),
    Contact { peer: NodeId, up: bool, incarnation: u64 },
    Compacted,
    Note { text: String, warning: bool },
}

/// What the data disk is good for. Numbers as in raftnode.Disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiskState {
    #[default]
    Good = 0,
    Scarce = 1,
    Full = 2,
    Stalled = 3,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Health {
    pub disk: DiskState,
    /// How long the write that does not return has been in flight.
    pub stalled_seconds: f64,
    pub free_bytes: u64,
    pub free_inodes: u64,
}

/// What a turn of the event loop has made for Python.
#[derive(Clone, Debug, PartialEq)]
pub enum Made {
    Output(Output),
    Commit(Committed),
    /// Another state replaces the log: whatever is committed and was not taken is void.
    ForgetCommitted,
}
