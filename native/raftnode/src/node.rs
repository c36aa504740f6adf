//! `Node` and `found`, as Python sees them.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyList, PyMapping};
use tinysns_node::{timing, Change, Limits, Settings, StartError, COMMAND_BYTES};

use crate::events::to_python;
use crate::{CannotListen, InUse, Overloaded, Unusable};

/// Of entries that one `poll` returns.
const POLL_BYTES: usize = 4 << 20;

impl From<NotStarted> for PyErr {
    fn from(NotStarted(error): NotStarted) -> PyErr {
        let sentence = error.to_string();
        match error {
            StartError::Invalid(_) => PyValueError::new_err(sentence),
            StartError::Unusable(_) => Unusable::new_err(sentence),
            StartError::InUse(_) => InUse::new_err(sentence),
            StartError::CannotListen(_) => CannotListen::new_err(sentence),
            StartError::NoResources(_) => PyOSError::new_err(sentence),
        }
    }
}

/// A foreign type becomes a foreign error by way of one of ours.
struct NotStarted(StartError);

#[pyfunction]
pub fn found(py: Python<'_>, path: PathBuf, voters: Vec<u64>) -> PyResult<()> {
    Ok(py.detach(|| tinysns_node::found(&path, &voters)).map_err(NotStarted)?)
}

#[pyclass(frozen, module = "raftnode")]
pub struct Node {
    node: tinysns_node::Node,
}

#[pymethods]
impl Node {
    #[new]
    #[pyo3(signature = (path, node, listen, peers, cluster_id, incarnation, applied, installed, *, reserve_bytes = 0,
                        stuck_seconds = 30.0, durations_ms = None, file_mb = 16, keep_mb = 64))]
    #[allow(clippy::too_many_arguments)] // named in Python
    fn new(
        py: Python<'_>,
        path: PathBuf,
        node: u64,
        listen: &str,
        peers: &Bound<'_, PyMapping>,
        cluster_id: String,
        incarnation: u64,
        applied: u64,
        installed: u64,
        reserve_bytes: u64,
        stuck_seconds: f64,
        durations_ms: Option<&Bound<'_, PyMapping>>,
        file_mb: u64,
        keep_mb: u64,
    ) -> PyResult<Node> {
        let peers = items::<u64, String>(peers)?.into_iter().map(|(node, at)| Ok((node, address(&at)?)));
        let durations = durations_ms.map(items::<String, f64>).transpose()?.unwrap_or_default();
        let durations = durations.iter().map(|(name, ms)| Ok((name.as_str(), seconds(name, ms / 1000.0)?)));
        let settings = Settings {
            path,
            node,
            listen: address(listen)?,
            peers: peers.collect::<PyResult<_>>()?,
            cluster_id,
            incarnation,
            applied,
            installed,
            reserve_bytes,
            stuck: seconds("stuck_seconds", stuck_seconds)?,
            timing: timing(durations.collect::<PyResult<Vec<_>>>()?).map_err(PyValueError::new_err)?,
            limits: Limits::default(),
            file_mb,
            keep_mb,
        };
        let node = py.detach(|| tinysns_node::Node::start(settings)).map_err(NotStarted)?;
        Ok(Node { node })
    }

    fn fileno(&self) -> i32 {
        self.node.fileno()
    }

    #[pyo3(signature = (max_bytes = POLL_BYTES))]
    fn poll<'py>(&self, py: Python<'py>, max_bytes: usize) -> PyResult<Bound<'py, PyList>> {
        let events = PyList::empty(py);
        for output in py.detach(|| self.node.poll(max_bytes)) {
            events.append(to_python(py, output)?)?;
        }
        Ok(events)
    }

    fn propose(&self, commands: Vec<PyBackedBytes>) -> PyResult<()> {
        if let Some(long) = commands.iter().find(|command| command.len() > COMMAND_BYTES) {
            let (long, most) = (long.len(), COMMAND_BYTES);
            return Err(PyValueError::new_err(format!("a command of {long} bytes; {most} are the most")));
        }
        // copied: the threads that drop them must not need the GIL for it
        let commands = commands.iter().map(|command| Bytes::copy_from_slice(command)).collect();
        self.node.propose(commands).map_err(|refused| {
            let (asked, room) = (refused.asked_bytes, refused.room_bytes);
            Overloaded::new_err(format!("too much waits for the log: {asked} bytes were asked for, {room} are free"))
        })
    }

    fn read_index(&self) -> u64 {
        self.node.read_index()
    }

    fn lazy(&self, milliseconds: f64) -> PyResult<()> {
        self.node.lazy(seconds("lazy", milliseconds / 1000.0)?);
        Ok(())
    }

    fn installed(&self, index: u64) {
        self.node.installed(index);
    }

    fn compact(&self, index: u64, keep: u64) {
        self.node.compact(index, keep);
    }

    fn transfer(&self) {
        self.node.transfer();
    }

    fn change(&self, changes: Vec<(String, u64)>) -> PyResult<()> {
        let change = |(what, node): (String, u64)| match what.as_str() {
            "voter" => Ok(Change::Voter(node)),
            "learner" => Ok(Change::Learner(node)),
            "remove" => Ok(Change::Remove(node)),
            _ => Err(PyValueError::new_err("a change is 'voter', 'learner' or 'remove'")),
        };
        self.node.change(changes.into_iter().map(change).collect::<PyResult<_>>()?);
        Ok(())
    }

    fn members(&self) -> (Vec<u64>, Vec<u64>) {
        self.node.members()
    }

    fn status(&self) -> Status {
        let (status, counters) = (self.node.status(), self.node.counters());
        Status {
            role: status.view.role as u8,
            leader: status.view.leader,
            term: status.view.term,
            first: status.first,
            last: status.last,
            commit: status.commit,
            handed_out: status.handed_out,
            pending: status.pending,
            pending_bytes: status.pending_bytes,
            local: status.local,
            forwarded: status.forwarded,
            fsyncs: counters.fsyncs,
            turns: counters.turns,
            wakes: counters.wakes,
            fsync_usual_ms: counters.usual_write.as_secs_f64() * 1000.0,
            log_bytes: counters.log_bytes,
            free_bytes: counters.space.free_bytes,
            free_inodes: counters.space.free_inodes.unwrap_or(u64::MAX),
        }
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.node.stop());
    }
}

#[pyclass(frozen, get_all, module = "raftnode")]
pub struct Status {
    role: u8,
    leader: u64,
    term: u64,
    first: u64,
    last: u64,
    commit: u64,
    handed_out: u64,
    pending: u64,
    pending_bytes: u64,
    local: u64,
    forwarded: u64,
    fsyncs: u64,
    turns: u64,
    wakes: u64,
    fsync_usual_ms: f64,
    log_bytes: u64,
    free_bytes: u64,
    free_inodes: u64,
}

/// In the order of the mapping.
fn items<K, V>(mapping: &Bound<'_, PyMapping>) -> PyResult<Vec<(K, V)>>
where
    (K, V): for<'a, 'py> FromPyObject<'a, 'py, Error = PyErr>,
{
    mapping.items()?.iter().map(|item| item.extract()).collect()
}

fn address(text: &str) -> PyResult<std::net::SocketAddr> {
    text.parse().map_err(|_| PyValueError::new_err(format!("'{text}' is not an address and port, like 10.0.0.1:3020")))
}

fn seconds(name: &str, seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|_| PyValueError::new_err(format!("{name} is not a length of time")))
}
