//! Who is a member, and since which position: raft knows the membership of now, a compaction point needs that of then.

use protobuf::Message as _;
use raft::eraftpb::{
    ConfChange, ConfChangeSingle, ConfChangeType, ConfChangeV2, ConfState, Entry, EntryType, SnapshotMetadata,
};
use raft::RawNode;

use crate::event::Change;
use crate::store::Store;

/// The memberships since the compaction point, oldest first, each with the position that it holds from.
pub(crate) struct Memberships {
    since: Vec<(u64, ConfState)>,
}

impl Memberships {
    /// Nothing but what is in force at a compaction point, or at a snapshot from the leader.
    pub fn at_point(point: &SnapshotMetadata) -> Memberships {
        Memberships { since: vec![(point.index, point.get_conf_state().clone())] }
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

    /// `(voters, learners)` of now, each in ascending order. Who leaves by a joint change is a voter until that is over.
    pub fn now(&self) -> (Vec<u64>, Vec<u64>) {
        let ConfState { mut voters, mut learners, voters_outgoing, .. } = self.at(u64::MAX);
        voters.extend(voters_outgoing);
        voters.sort_unstable();
        voters.dedup();
        learners.sort_unstable();
        (voters, learners)
    }

    /// Applies a committed change of membership; it takes effect here, before the driver sees any later entry.
    pub fn apply(&mut self, node: &mut RawNode<Store>, entry: &Entry) {
        if self.since.last().is_some_and(|(since, _)| entry.index <= *since) {
            return; // the compaction point is behind it: it is in force already
        }
        const SCREENED: &str = "it was parsed before it came into the log (screen.rs)";
        let members = if entry.get_entry_type() == EntryType::EntryConfChange {
            node.apply_conf_change(&ConfChange::parse_from_bytes(&entry.data).expect(SCREENED))
        } else {
            node.apply_conf_change(&ConfChangeV2::parse_from_bytes(&entry.data).expect(SCREENED))
        };
        // One that the membership does not allow (removing the last voter) changes nothing, on every member alike.
        if let Ok(members) = members {
            self.since.push((entry.index, members));
        }
    }
}

/// The changes as raft proposes them. Several at once go through joint consensus.
pub(crate) fn proposal(changes: Vec<Change>) -> ConfChangeV2 {
    let mut proposal = ConfChangeV2::default();
    for change in changes {
        let (kind, node_id) = match change {
            Change::Voter(node) => (ConfChangeType::AddNode, node),
            Change::Learner(node) => (ConfChangeType::AddLearnerNode, node),
            Change::Remove(node) => (ConfChangeType::RemoveNode, node),
        };
        let mut change = ConfChangeSingle { node_id, ..ConfChangeSingle::default() };
        change.set_change_type(kind);
        proposal.mut_changes().push(change);
    }
    proposal
}
