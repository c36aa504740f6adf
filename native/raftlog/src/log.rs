//! `Log`: the directory that the groups of a process share, with its files, its lock and its fsyncs.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use raft_engine::RecoveryMode;

use crate::disk::Disk;
use crate::group::Group;
use crate::opening::Opening;
use crate::ready::{Sequence, Write};
use crate::{disk_error, NotFounded, RaftError};

/// One shared log directory.
#[pyclass(frozen, module = "raftlog")]
pub struct Log {
    disk: Arc<Disk>,
    /// Held while writing: a log is written by one thread at a time.
    writing: Mutex<()>,
    /// Groups that are in use.
    open: Arc<Mutex<HashSet<u64>>>,
}

#[pymethods]
impl Log {
    /// Opens a log directory, or makes one. `recovery`: "tail" drops the torn end that a crash leaves in the newest
    /// file; "strict" refuses even that, and with it most logs of killed processes.
    #[staticmethod]
    #[pyo3(signature = (path, recovery = "tail", file_mb = 64, keep_mb = 256))]
    fn open(py: Python<'_>, path: &str, recovery: &str, file_mb: u64, keep_mb: u64) -> PyResult<Log> {
        let mode = match recovery {
            "tail" => RecoveryMode::TolerateTailCorruption,
            "strict" => RecoveryMode::AbsoluteConsistency,
            _ => return Err(PyValueError::new_err("recovery is 'tail' or 'strict'")),
        };
        let disk = py.detach(|| Disk::open(path, mode, file_mb, keep_mb)).map_err(disk_error)?;
        Ok(Log { disk: Arc::new(disk), writing: Mutex::default(), open: Arc::default() })
    }

    /// Founds a group, durably and once: the same voters on every founding member, none on a member that joins later.
    /// This is never done by opening: a member that lost its disk must not vote again (ARCHITECTURE.md, rules 7 and 13).
    fn found(&self, py: Python<'_>, id: u64, voters: Vec<u64>) -> PyResult<()> {
        if voters.contains(&0) || voters.iter().collect::<HashSet<_>>().len() != voters.len() {
            return Err(PyValueError::new_err("voters are distinct numbers from 1 on"));
        }
        let _writing = self.lock()?;
        if self.disk.has(id) {
            return Err(RaftError::new_err(format!("group {id} is in this log already: a group is founded once")));
        }
        py.detach(|| self.disk.found(id, voters)).map_err(disk_error)
    }

    /// Opens group `id` as member `node`. Time is in ticks. `applied` is what the state machine has applied durably;
    /// `installed` the position at which its state came from another member, if it did.
    #[pyo3(signature = (id, node, *, election = 30, heartbeat = 5, applied = 0, installed = 0))]
    #[allow(clippy::too_many_arguments)] // named in Python
    fn group(
        &self,
        py: Python<'_>,
        id: u64,
        node: u64,
        election: usize,
        heartbeat: usize,
        applied: u64,
        installed: u64,
    ) -> PyResult<Group> {
        if !self.disk.has(id) {
            return Err(NotFounded::new_err(format!(
                "group {id} is not in this log: found it first, or the log is lost"
            )));
        }
        if !self.open.lock().expect("no panic is survived").insert(id) {
            return Err(PyRuntimeError::new_err(format!("group {id} is open already")));
        }
        let opening = Opening { id, node, election, heartbeat, applied, installed };
        let opened = py.detach(|| Group::open(&self.disk, &opening, self.open.clone()));
        if opened.is_err() {
            self.open.lock().expect("no panic is survived").remove(&id);
        }
        opened
    }

    /// Puts these writes on disk: one append, and one fsync unless none of them needs it. Releases the GIL. An error of
    /// the disk is final; all later writes fail too.
    fn write(&self, py: Python<'_>, writes: Vec<Py<Write>>) -> PyResult<()> {
        let _writing = self.lock()?;
        self.check_order(&writes)?;
        let jobs: Vec<_> = writes.iter().map(|write| write.get().take_job()).collect();
        for write in writes.iter().map(Py::get) {
            write.sequence.taken.store(write.order, SeqCst);
        }
        py.detach(|| self.disk.write(&jobs)).map_err(disk_error)?;
        writes.iter().for_each(|write| write.get().set_written());
        Ok(())
    }

    /// Gives the space of compacted entries back to the file system; slow, for a worker thread. Returns the groups that
    /// hold old files and should compact.
    fn purge(&self, py: Python<'_>) -> PyResult<Vec<u64>> {
        py.detach(|| self.disk.engine.purge_expired_files()).map_err(disk_error)
    }

    /// Bytes of the log's files in use.
    #[getter]
    fn size(&self) -> usize {
        self.disk.engine.get_used_size()
    }
}

impl Log {
    fn lock(&self) -> PyResult<std::sync::MutexGuard<'_, ()>> {
        self.writing.try_lock().map_err(|_| PyRuntimeError::new_err("a log is written by one thread at a time"))
    }

    /// All or nothing: a refused call has taken no write.
    fn check_order(&self, writes: &[Py<Write>]) -> PyResult<()> {
        let mut taken: HashMap<*const Sequence, u64> = HashMap::new();
        for write in writes.iter().map(Py::get) {
            if !Arc::ptr_eq(&write.disk, &self.disk) {
                return Err(PyRuntimeError::new_err("this write belongs to another log"));
            }
            let last = taken.entry(Arc::as_ptr(&write.sequence)).or_insert(write.sequence.taken.load(SeqCst));
            if last.checked_add(1) != Some(write.order) {
                return Err(PyRuntimeError::new_err("a write is written once and in order, while its group is open"));
            }
            *last = write.order;
        }
        Ok(())
    }
}
