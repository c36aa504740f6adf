//! Where a group and its followers stand, as plain values.

use pyo3::prelude::*;
use raft::{ProgressState, StateRole};

/// The number that Python sees for a role; `Group` names them.
pub fn role(state: StateRole) -> u8 {
    match state {
        StateRole::Follower => 0,
        StateRole::PreCandidate => 1,
        StateRole::Candidate => 2,
        StateRole::Leader => 3,
    }
}

/// Where this member stands.
#[pyclass(frozen, get_all, module = "raftlog")]
pub struct Status {
    pub role: u8,
    /// 0 while none is known.
    pub leader: u64,
    pub term: u64,
    pub commit: u64,
    /// What was handed out to be applied, or what the state had applied already when the group was opened.
    pub applied: u64,
    /// First entry in the log.
    pub first: u64,
    pub last: u64,
}

#[pymethods]
impl Status {
    fn __repr__(&self) -> String {
        let Status { role, leader, term, commit, applied, first, last } = self;
        format!(
            "Status(role={role}, leader={leader}, term={term}, commit={commit}, applied={applied}, \
             first={first}, last={last})"
        )
    }
}

/// Where one follower stands, as its leader sees it.
#[pyclass(frozen, get_all, module = "raftlog")]
pub struct Progress {
    pub peer: u64,
    /// The last entry that it is known to have on disk.
    pub matched: u64,
    /// It was heard of within the last election timeout.
    pub recently_active: bool,
    /// 'probe', 'replicate', or 'snapshot' while it is being told to fetch the state.
    pub state: &'static str,
}

impl Progress {
    pub fn new(peer: u64, progress: &raft::Progress) -> Progress {
        let state = match progress.state {
            ProgressState::Probe => "probe",
            ProgressState::Replicate => "replicate",
            ProgressState::Snapshot => "snapshot",
        };
        Progress { peer, matched: progress.matched, recently_active: progress.recent_active, state }
    }
}

#[pymethods]
impl Progress {
    fn __repr__(&self) -> String {
        let Progress { peer, matched, recently_active, state } = self;
        let active = if *recently_active { "True" } else { "False" };
        format!("Progress(peer={peer}, matched={matched}, recently_active={active}, state='{state}')")
    }
}
