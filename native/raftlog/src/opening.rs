//! Opening a group: where its state, its log and raft itself stand, and whether they fit.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use raft::{Config, RawNode};

use crate::disk::Disk;
use crate::store::Store;
use crate::{disk_error, raft_error, Corrupt};

/// How a group is opened; see `Log.group`.
pub struct Opening {
    pub id: u64,
    pub node: u64,
    pub election: usize,
    pub heartbeat: usize,
    pub applied: u64,
    pub installed: u64,
}

/// A group that was read back.
pub struct Opened {
    pub node: RawNode<Store>,
    /// What raft will not hand out again.
    pub applied: u64,
    /// What the state machine has applied.
    pub state: u64,
}

impl Opening {
    /// Reads the group back and starts raft where replay has to start.
    pub fn read(&self, disk: &Arc<Disk>) -> PyResult<Opened> {
        let store = Store::open(disk.clone(), self.id).map_err(disk_error)?;
        let state = self.state_position(&store).map_err(Corrupt::new_err)?;
        // Raft starts no later than the compaction point: who is a member is known there, and what has changed since
        // is found again by walking over the entries in between, although the state needs them no more.
        let applied = state.min(store.point().index).min(store.hard().commit);
        let config = self.config(applied);
        config.validate().map_err(|error| PyValueError::new_err(error.to_string()))?;
        let quiet = slog::Logger::root(slog::Discard, slog::o!());
        Ok(Opened { node: RawNode::new(&config, store, &quiet).map_err(raft_error)?, applied, state })
    }

    /// Where the state machine stands (ARCHITECTURE.md, rule 6): the log must reach down to it, and up to it. A log that ends
    /// below the state has lost its end, and with it perhaps a vote or an acknowledged entry that others count on. Only
    /// a state that came from another member may be ahead of this member's log.
    fn state_position(&self, store: &Store) -> Result<u64, String> {
        let (before, last) = (store.base().index, store.last());
        // a group that was founded with voters begins at index 1, which stands for the empty state
        let applied = if before == 1 { self.applied.max(1) } else { self.applied };
        if applied < before {
            return Err(format!("the state is at {applied} but the log begins at {}", before + 1));
        }
        if applied > last.max(self.installed) {
            return Err(format!("the log ends at {last} but the state had applied {applied}: the log lost its end"));
        }
        Ok(applied)
    }

    fn config(&self, applied: u64) -> Config {
        Config {
            id: self.node,
            election_tick: self.election,
            heartbeat_tick: self.heartbeat,
            applied,
            pre_vote: true,            // a false alarm deposes nobody
            check_quorum: true,        // a leader that is cut off steps down
            max_size_per_msg: 1 << 20, // raft's own default, 0, means one entry per message
            batch_append: false,       // it joins messages without any limit: megabytes for a follower that fell behind
            max_inflight_msgs: 256,
            max_committed_size_per_ready: 4 << 20,
            max_uncommitted_size: 256 << 20, // beyond it proposals are dropped
            ..Config::default()
        }
    }
}
