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
        let Some(Replacement { old, new, joint }) = self.replacement else { return Ok(()) };
        self.agenda.at(self.now + LOOKS_EVERY, Happening::Operator);
        let Some(leader) = self.leader() else { return Ok(()) };
        let process = self.hosts[&leader].process.as_ref().expect("it leads");
        let (voters, learners) = process.member.members();
        let commit = process.member.status().commit;
        let caught_up = |process: &crate::host::Process| process.next_commit + 20 > commit && process.next_commit > 1;
        let change = if voters.contains(&new) && !voters.contains(&old) {
            let behind =
                |host: &Host| host.process.as_ref().is_some_and(|process| process.member.members().0.contains(&old));
            if self.hosts.values().filter(|host| host.node != old).any(behind) {
                return Ok(()); // the old one may still be needed to tell the others
            }
            self.retire(old);
            self.order.retain(|node| *node != old);
            self.replacement = None;
            return Ok(());
        } else if voters.contains(&new) {
            vec![Change::Remove(old)]
        } else if !learners.contains(&new) {
            vec![Change::Learner(new)]
        } else if !self.hosts[&new].process.as_ref().is_some_and(caught_up) {
            return Ok(());
        } else if joint {
            vec![Change::Voter(new), Change::Remove(old)]
        } else {
            vec![Change::Voter(new)]
        };
        self.tell(leader, Event::Change(change));
        Ok(())
    }
}
