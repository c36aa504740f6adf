//! Who is a member, and since which position: raft knows the membership of now, a compaction point needs that of then.

use protobuf::Message as _;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use raft::eraftpb::{
    ConfChange, ConfChangeSingle, ConfChangeType, ConfChangeV2, ConfState, Entry, EntryType, SnapshotMetadata,
};
use raft::RawNode;

use crate::store::Store;
use crate::Corrupt;

/// The memberships since the compaction point, oldest first, each with the position that it holds from.
pub struct Members {
    since: Vec<(u64, ConfState)>,
}

impl Members {
    /// Nothing but what is in force at a compaction point, or at a snapshot from the leader.
    pub fn at_point(point: &SnapshotMetadata) -> Members {
        Members { since: vec![(point.index, point.get_conf_state().clone())] }
    }

    /// What is in force at this position.
    pub fn at(&self, index: u64) -> ConfState {
        let found = self.since.iter().rev().find(|(since, _)| *since <= index);
        found.map(|(_, members)| members.clone()).unwrap_or_default()
    }

    /// The log was compacted at this position: what was in force before it is not needed any more.
    pub fn forget_before(&mut self, index: u64) {
        let kept = self.since.iter().rposition(|(since, _)| *since <= index).unwrap_or(0);
        self.since.drain(..kept);
    }

    /// `(voters, learners)` of now, each in ascending order.
    pub fn now(&self) -> (Vec<u64>, Vec<u64>) {
        let ConfState { mut voters, mut learners, .. } = self.at(u64::MAX);
        voters.sort_unstable();
        learners.sort_unstable();
        (voters, learners)
    }

    /// Applies a committed change of membership; it takes effect here, before the owner sees any later entry.
    pub fn apply(&mut self, node: &mut RawNode<Store>, entry: &Entry) -> PyResult<()> {
        if self.since.last().is_some_and(|(since, _)| entry.index <= *since) {
            return Ok(()); // the compaction point is behind it: it is in force already
        }
        let garbled = |error| Corrupt::new_err(format!("membership change at {}: {error}", entry.index));
        let members = if entry.get_entry_type() == EntryType::EntryConfChange {
            node.apply_conf_change(&ConfChange::parse_from_bytes(&entry.data).map_err(garbled)?)
        } else {
            node.apply_conf_change(&ConfChangeV2::parse_from_bytes(&entry.data).map_err(garbled)?)
        };
        // One that the membership does not allow (removing the last voter) changes nothing, on every member alike.
        if let Ok(members) = members {
            self.since.push((entry.index, members));
        }
        Ok(())
    }
}

/// A proposal: `("voter" | "learner" | "remove", node)` each. Several at once go through joint consensus.
pub fn proposal(changes: Vec<(String, u64)>) -> PyResult<ConfChangeV2> {
    let mut proposal = ConfChangeV2::default();
    for (what, node_id) in changes {
        let mut change = ConfChangeSingle { node_id, ..ConfChangeSingle::default() };
        change.set_change_type(match what.as_str() {
            "voter" => ConfChangeType::AddNode,
            "learner" => ConfChangeType::AddLearnerNode,
            "remove" => ConfChangeType::RemoveNode,
            _ => return Err(PyValueError::new_err("a change is 'voter', 'learner' or 'remove'")),
        });
        proposal.mut_changes().push(change);
    }
    Ok(proposal)
}
