//! `raftnode`: a consensus member with threads of its own, for Python. What everything means is told in raftnode.pyi; what
//! it does, in ../node. Here is only the translation.

mod events;
mod node;

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use tinysns_node::{Role, FSYNC};

pyo3::create_exception!(raftnode, Unusable, PyException, "Log or state cannot be used as they are; must not vote.");
pyo3::create_exception!(raftnode, InUse, PyException, "Another process has this log open.");
pyo3::create_exception!(raftnode, CannotListen, PyException, "The address of the links is taken or not this host's.");
pyo3::create_exception!(raftnode, Overloaded, PyException, "So much waits already that this is refused; no effect.");

#[pymodule]
fn raftnode(py: Python<'_>, module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("FSYNC", FSYNC)?;
    module.add("FOLLOWER", Role::Follower as u8)?;
    module.add("PRE_CANDIDATE", Role::PreCandidate as u8)?;
    module.add("CANDIDATE", Role::Candidate as u8)?;
    module.add("LEADER", Role::Leader as u8)?;
    module.add("Unusable", py.get_type::<Unusable>())?;
    module.add("InUse", py.get_type::<InUse>())?;
    module.add("CannotListen", py.get_type::<CannotListen>())?;
    module.add("Overloaded", py.get_type::<Overloaded>())?;
    module.add_function(wrap_pyfunction!(node::found, module)?)?;
    module.add_class::<node::Node>()?;
    module.add_class::<node::Status>()?;
    module.add_class::<events::Disk>()?;
    let mut event: Option<Bound<'_, PyAny>> = None;
    for class in events::classes(py) {
        module.add(class.name()?, &class)?;
        event = Some(match event {
            Some(others) => others.bitor(class)?,
            None => class.into_any(),
        });
    }
    module.add("Event", event)
}
