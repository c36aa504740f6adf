//! Of committed entries: they are what a quorum has on disk, the same everywhere and for ever, in order, each once.

use bytes::Bytes;
use raft::eraftpb::ConfChangeType;
use tinysns_member::{Committed, NodeId};

use super::{violated, Checked, Checker, Fixed};
use crate::entry::{changes, digest, visible};
use crate::state::{Outcome, State};

/// Changes of membership back to which a leader may still judge by the one before: it counts by what it has applied.
const MEMBERSHIPS_BACK: usize = 3;

impl Checker {
    /// An entry is handed to the state machine of a member that expects `next`.
    pub fn commit(&mut self, node: NodeId, next: u64, entry: &Committed) -> Checked {
        let Committed { index, term, data, .. } = entry;
        if *index != next {
            return violated(
                "Committed entries come in log order, without gap or repetition in one life.",
                format!("n{node} is handed entry {index} instead of {next}"),
            );
        }
        self.on_own_disk(node, *index, *term, data)?;
        let said = Fixed { term: *term, data: digest(0, data), by: node };
        match self.committed.get(index) {
            Some(fixed) if (fixed.term, fixed.data) == (said.term, said.data) => Ok(()),
            Some(fixed) => violated(
                "A committed entry is the same at every member.",
                format!("entry {index} is of term {} at n{}, of term {term} at n{node}", fixed.term, fixed.by),
            ),
            None => {
                self.on_a_quorum(node, *index, *term)?;
                self.committed.insert(*index, said);
                self.execute(node, entry)
            }
        }
    }

    fn on_own_disk(&self, node: NodeId, index: u64, term: u64, data: &Bytes) -> Checked {
        let platter = self.disks[&node].platter();
        let entry = platter.entry(index);
        if !self.only_consequences && !entry.is_some_and(|entry| entry.term == term && visible(entry) == *data) {
            let (first, last) = (platter.base.index + 1, platter.last());
            return violated(
                "A member hands out as committed only what is on its own disk.",
                format!("n{node} hands out entry {index} of term {term}; its disk holds {first} to {last}"),
            );
        }
        Ok(())
    }

    /// Judged by the disks, whatever a leader believes to have been acknowledged.
    fn on_a_quorum(&self, node: NodeId, index: u64, term: u64) -> Checked {
        let holds = |member: &NodeId| self.disks.get(member).is_some_and(|disk| disk.platter().holds(index, term));
        let in_force = self.voters.iter().rev().filter(|(since, _)| *since < index).take(MEMBERSHIPS_BACK);
        let enough = |voters: &Vec<NodeId>| voters.iter().filter(|voter| holds(voter)).count() > voters.len() / 2;
        if !self.only_consequences && !in_force.clone().any(|(_, voters)| enough(voters)) {
            let holders: Vec<_> = self.disks.keys().filter(|member| holds(member)).collect();
            return violated(
                "An entry is committed when a quorum has it on disk.",
                format!("n{node} hands out entry {index} of term {term}, which only {holders:?} hold"),
            );
        }
        Ok(())
    }

    /// The first time that anybody hands it out.
    fn execute(&mut self, node: NodeId, entry: &Committed) -> Checked {
        if entry.index != self.state.position + 1 {
            return violated(
                "The log of the group has no gap.",
                format!("n{node} is the first with entry {}, the last one was {}", entry.index, self.state.position),
            );
        }
        let outcomes = match self.state.apply(entry) {
            Ok(outcomes) => outcomes,
            Err(what) => {
                return violated("An entry holds what was proposed.", format!("entry {}: {what}", entry.index))
            }
        };
        for (proposed, outcome) in outcomes {
            match outcome {
                Outcome::Retry => {}
                Outcome::Done => {
                    self.done.insert(proposed.command, entry.index);
                }
                Outcome::Gap { expected } => {
                    return violated(
                        "No proposal of a member overtakes an earlier one, however often they are sent again.",
                        format!("entry {}: {proposed:?}, but {expected} is next in its session", entry.index),
                    );
                }
            }
        }
        self.states.push(self.state.digest);
        self.change_members(node, entry.index);
        Ok(())
    }

    fn change_members(&mut self, node: NodeId, index: u64) {
        let platter = self.disks[&node].platter();
        let changes = platter.entry(index).map(changes).unwrap_or_default();
        if changes.is_empty() {
            return;
        }
        let mut voters = self.voters.last().expect("there are founders").1.clone();
        for change in changes {
            voters.retain(|voter| *voter != change.node_id);
            if change.get_change_type() == ConfChangeType::AddNode {
                voters.push(change.node_id);
            }
        }
        self.voters.push((index, voters));
    }

    /// A member's state machine stands here.
    pub fn state(&self, node: NodeId, state: &State) -> Checked {
        let expected = self.states.get(state.position as usize);
        if expected != Some(&state.digest) && state.position > 0 {
            return violated(
                "Every member executes the same writes in the same order.",
                format!("the state of n{node} at {} is another one", state.position),
            );
        }
        Ok(())
    }
}
