//! What `Node.poll` returns, as Python sees it.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyType};
use tinysns_node::{DiskState, Output};

#[pyclass(frozen, module = "raftnode")]
pub struct Disk;

#[pymethods]
impl Disk {
    #[classattr]
    const GOOD: u8 = DiskState::Good as u8;
    #[classattr]
    const SCARCE: u8 = DiskState::Scarce as u8;
    #[classattr]
    const FULL: u8 = DiskState::Full as u8;
    #[classattr]
    const STALLED: u8 = DiskState::Stalled as u8;
}

#[pyclass(frozen, get_all, module = "raftnode")]
struct View {
    role: u8,
    leader: u64,
    term: u64,
}

#[pyclass(frozen, get_all, module = "raftnode")]
struct Committed {
    entries: Py<PyList>,
    index: u64,
}

#[pyclass(frozen, get_all, module = "raftnode")]
struct Reads {
    tickets: Vec<u64>,
    index: u64,
}

#[pyclass(frozen, get_all, module = "raftnode")]
struct StateWanted {
    index: u64,
}

#[pyclass(frozen, get_all, module = "raftnode")]
struct Health {
    disk: u8,
    stalled_seconds: f64,
    free_bytes: u64,
    free_inodes: u64,
}

#[pyclass(frozen, get_all, module = "raftnode")]
struct Contact {
    peer: u64,
    up: bool,
    incarnation: u64,
}

#[pyclass(frozen, module = "raftnode")]
struct Compacted;

#[pyclass(frozen, get_all, module = "raftnode")]
struct Note {
    text: String,
    warning: bool,
}

/// All of them, in the order of raftnode.pyi.
pub fn classes(py: Python<'_>) -> [Bound<'_, PyType>; 8] {
    [
        py.get_type::<View>(),
        py.get_type::<Committed>(),
        py.get_type::<Reads>(),
        py.get_type::<StateWanted>(),
        py.get_type::<Health>(),
        py.get_type::<Contact>(),
        py.get_type::<Compacted>(),
        py.get_type::<Note>(),
    ]
}

/// One event as an object of its class.
pub fn to_python(py: Python<'_>, output: Output) -> PyResult<Bound<'_, PyAny>> {
    Ok(match output {
        Output::View(view) => {
            Bound::new(py, View { role: view.role as u8, leader: view.leader, term: view.term })?.into_any()
        }
        Output::Committed { entries, index } => {
            let entries = entries.into_iter().map(|(index, data)| (index, PyBytes::new(py, &data)));
            let entries = PyList::new(py, entries.collect::<Vec<_>>())?.unbind();
            Bound::new(py, Committed { entries, index })?.into_any()
        }
        Output::Reads { tickets, index } => Bound::new(py, Reads { tickets, index })?.into_any(),
        Output::StateWanted { index } => Bound::new(py, StateWanted { index })?.into_any(),
        Output::Health(tinysns_node::Health { disk, stalled_seconds, free_bytes, free_inodes }) => {
            let disk = disk as u8;
            Bound::new(py, Health { disk, stalled_seconds, free_bytes, free_inodes })?.into_any()
        }
        Output::Contact { peer, up, incarnation } => Bound::new(py, Contact { peer, up, incarnation })?.into_any(),
        Output::Compacted => Bound::new(py, Compacted)?.into_any(),
        Output::Note { text, warning } => Bound::new(py, Note { text, warning })?.into_any(),
    })
}
