//! `raftlog`: consensus for Python without a socket, a thread or a clock of its own.
//!
//! Python owns the network, the ticks and the state machine; this extension owns the protocol (TiKV's `raft`) and the
//! durable log (TiKV's `raft-engine`). It adds no consensus algorithm, only the order in which the two are driven.
//!
//! ```text
//! r = group.ready()                      # owner's thread; None when there is nothing to do
//! send(r.messages)                       # may leave before the disk (only a leader has any)
//! apply(r.committed)                     # on the disks of a quorum, this one included
//! log.write([r.write, ...])              # any ONE thread at a time, in order; fsyncs without the GIL
//! send(group.persisted(r.write))         # owner's thread, in order; votes and acknowledgements leave only now
//! ```
//!
//! Between `ready` and `persisted` the owner may tick, step, propose and take further readies: fsyncs pipeline. This is
//! the asynchronous Ready of raft-rs (`RawNode::advance_append_async`, `RawNode::on_persist_ready`).
//!
//! A panic ends the process (`panic = "abort"`): a member whose invariants are broken must not go on to vote.

mod disk;
mod group;
mod log;
mod members;
mod opening;
mod packets;
mod ready;
mod screen;
mod status;
mod store;

use pyo3::exceptions::{PyException, PyOSError};
use pyo3::prelude::*;
use raft::StorageError;

pyo3::create_exception!(raftlog, RaftError, PyException, "Raft refused this call or this packet.");
pyo3::create_exception!(
    raftlog,
    ProposalDropped,
    RaftError,
    "Not the leader, a transfer is running, or too much is uncommitted. Nothing was appended."
);
pyo3::create_exception!(raftlog, Compacted, RaftError, "The log was compacted at or beyond this index already.");
pyo3::create_exception!(
    raftlog,
    NotFounded,
    RaftError,
    "The group is not in this log: it was never founded here, or the log was lost."
);
pyo3::create_exception!(raftlog, Corrupt, RaftError, "The log cannot be trusted; this member must not vote.");

/// An error of the protocol core, as Python sees it.
fn raft_error(error: raft::Error) -> PyErr {
    match error {
        raft::Error::ProposalDropped => ProposalDropped::new_err("the proposal was dropped: no leader, or overloaded"),
        raft::Error::Store(StorageError::Compacted) => Compacted::new_err(error.to_string()),
        error => RaftError::new_err(error.to_string()),
    }
}

/// An error of the log on disk, as Python sees it.
fn disk_error(error: raft_engine::Error) -> PyErr {
    match error {
        raft_engine::Error::Io(error) => PyOSError::new_err(error.to_string()),
        // the only name that raft-engine has for it
        raft_engine::Error::Other(error) if error.to_string().contains("Failed to lock file") => {
            PyOSError::new_err("the log directory is in use: another process, or another Log of this one, holds it")
        }
        raft_engine::Error::Other(error) => PyOSError::new_err(error.to_string()),
        error => Corrupt::new_err(error.to_string()),
    }
}

#[pymodule]
fn raftlog(py: Python<'_>, module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<log::Log>()?;
    module.add_class::<group::Group>()?;
    module.add_class::<ready::Ready>()?;
    module.add_class::<ready::Write>()?;
    module.add_class::<status::Status>()?;
    module.add_class::<status::Progress>()?;
    module.add("FSYNC", disk::FSYNC)?;
    module.add("RaftError", py.get_type::<RaftError>())?;
    module.add("ProposalDropped", py.get_type::<ProposalDropped>())?;
    module.add("Compacted", py.get_type::<Compacted>())?;
    module.add("NotFounded", py.get_type::<NotFounded>())?;
    module.add("Corrupt", py.get_type::<Corrupt>())
}
