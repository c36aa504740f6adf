//! The person who replaces a member: a fresh one joins as a learner under an id that was never used, becomes a voter when
//! it has caught up, and the old one goes. They look every now and then, and ask again for what did not happen.

use std::time::Duration;

use tinysns_member::{Change, Event, NodeId};

use crate::agenda::Happening;
use crate::check::Checked;
use crate::host::Host;
use crate::world::World;

const LOOKS_EVERY: Duration = Duration::from_millis(150);

/// A replacement on its way.
#[derive(Clone, Copy, Debug)]
pub struct Replacement {
    /// Who goes.
    pub old: NodeId,
    /// Who comes.
    pub new: NodeId,
    /// Whether voter and removal are one change (joint consensus) or two.
    joint: bool,
}

impl World {
    /// A member is to be replaced; one at a time. Perhaps its host is gone already.
    pub(crate) fn begin_replacement(&mut self, old: NodeId) {
        if self.replacement.is_some() {
            return;
        }
        let new = self.next_node;
        self.next_node += 1;
        let host = Host::new(new, Vec::new(), &self.plan, &mut self.rng);
        self.checker.add_disk(new, host.disk.clone());
        self.hosts.insert(new, host);
        let place = self.order.iter().position(|node| *node == old).expect("it is configured");
        self.order.insert(place, new);
        let (gone, joint) = (self.rng.chance(0.5), self.rng.chance(0.5));
        self.trace
            .line(self.now, || format!("n{new} is to replace n{old}{}", if gone { ", which is gone" } else { "" }));
        self.replacement = Some(Replacement { old, new, joint });
        if gone {
            self.retire(old);
        }
        self.agenda.at(self.now, Happening::Start { node: new });
        self.agenda.at(self.now + LOOKS_EVERY, Happening::Operator);
    }

    /// This host is there no longer.
    fn retire(&mut self, node: NodeId) {
        let _ = self.kill(node, true, None);
        self.hosts.remove(&node);
    }

    /// The operator looks.
    pub(crate) fn operate(&mut self) -> Checked {
        let Some(replacement) = self.replacement else { return Ok(()) };
        self.agenda.at(self.now + LOOKS_EVERY, Happening::Operator);
        let Some(leader) = self.leader() else { return Ok(()) };
        let (voters, learners) = self.members_at(leader).expect("it leads");
        let Replacement { old, new, joint } = replacement;
        let change = match (voters.contains(&new), voters.contains(&old)) {
            (true, false) => {
                if self.all_know_that_it_left(old) {
                    self.retire(old);
                    self.order.retain(|node| *node != old);
                    self.replacement = None;
                }
                return Ok(());
            }
            (true, true) => vec![Change::Remove(old)],
            (false, _) if !learners.contains(&new) => vec![Change::Learner(new)],
            (false, _) if !self.has_caught_up(new, leader) => return Ok(()),
            (false, _) if joint => vec![Change::Voter(new), Change::Remove(old)],
            (false, _) => vec![Change::Voter(new)],
        };
        self.tell(leader, Event::Change(change));
        Ok(())
    }

    fn members_at(&self, node: NodeId) -> Option<(Vec<NodeId>, Vec<NodeId>)> {
        self.hosts[&node].process.as_ref().map(|process| process.member.members())
    }

    /// raft-rs counts by the membership that is applied: who has not applied the change, or is down, may need the old
    /// member for a quorum yet.
    fn all_know_that_it_left(&self, old: NodeId) -> bool {
        let knows = |node: &NodeId| self.members_at(*node).is_some_and(|(voters, _)| !voters.contains(&old));
        self.hosts.keys().filter(|node| **node != old).all(knows)
    }

    fn has_caught_up(&self, new: NodeId, leader: NodeId) -> bool {
        let next = |node: NodeId| self.hosts[&node].process.as_ref().map_or(0, |process| process.next_commit);
        next(new) > 1 && next(new) + 20 > next(leader)
    }
}
