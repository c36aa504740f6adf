//! Liveness: once faults have ended, there is a leader soon, everything that was asked for is done, and all stand at one
//! position.

use std::time::Duration;

use crate::check::{violated, Checked};
use crate::plan::Fault;
use crate::world::World;

/// After the end of all faults, one member leads and all know it. Most of it is the silence after which a link that a cut
/// network has swallowed is replaced, and the election timeout.
pub const LEADER_WITHIN: Duration = Duration::from_millis(3500);
/// The same if disks were slow or stalled: patience with elections grows with what the last writes took.
pub const LEADER_WITHIN_AFTER_SLOW_DISKS: Duration = Duration::from_millis(9000);
/// After that and the end of all new operations, nothing is left to do: so long, and for each write that waits then (a
/// run may allow one at a time).
pub const SETTLED_WITHIN: Duration = Duration::from_millis(3000);
/// See `SETTLED_WITHIN`.
pub const PER_WRITE: Duration = Duration::from_millis(60);
/// A replacement that had begun is complete.
pub const REPLACED_WITHIN: Duration = Duration::from_millis(8000);
/// Clients go on for so long once there is a leader.
const SERVICE: Duration = Duration::from_millis(300);
const LOOKS_EVERY: Duration = Duration::from_millis(10);

impl World {
    /// Ends all faults and holds the members to what must follow.
    pub fn settle(&mut self) -> Checked {
        self.heal()?;
        let healed = self.now;
        let slow = |fault: &Fault| matches!(fault, Fault::SlowDisk | Fault::SlowDisks | Fault::Stall);
        let slow = self.plan.faults.iter().any(slow);
        let bound = if slow { LEADER_WITHIN_AFTER_SLOW_DISKS } else { LEADER_WITHIN };
        self.within(bound, "Once faults end there is a leader soon, and all know it.", World::no_leader_why)?;
        self.led_after = Some(self.now - healed);
        self.run_until(self.now + SERVICE)?;
        let what = "Once faults end a replacement that had begun comes to its end.";
        self.within(REPLACED_WITHIN, what, |world| {
            world.replacement.map(|replacement| format!("{replacement:?} is not complete"))
        })?;
        self.open = false;
        let what = "Once faults end every write and read comes back, and all members stand at one position.";
        let wanted: u64 = self.clients.iter().map(|client| client.wanted - client.sent).sum();
        let processes = self.hosts.values().filter_map(|host| host.process.as_ref());
        let wait = wanted as usize + processes.map(|process| process.proposed.len()).sum::<usize>();
        let bound = SETTLED_WITHIN + PER_WRITE * u32::try_from(wait).expect("windows are small");
        self.within(bound, what, World::unsettled_why)?;
        self.all_done()
    }

    /// Lets time pass until there is nothing to complain of, for so long at most.
    pub fn within(
        &mut self,
        bound: Duration,
        invariant: &'static str,
        complaint: impl Fn(&World) -> Option<String>,
    ) -> Checked {
        let (began, end) = (self.now, self.now + bound);
        while self.now < end {
            self.run_until(self.now + LOOKS_EVERY)?;
            if complaint(self).is_none() {
                let took = self.now - began;
                self.trace.line(self.now, || format!("after {took:?}: {invariant}"));
                return Ok(());
            }
        }
        let what = complaint(self).unwrap_or_default();
        violated(invariant, format!("{} ms later: {what}", bound.as_millis()))
    }

    /// Why there is no leader that all know; None if there is one.
    pub fn no_leader_why(&self) -> Option<String> {
        let leader = match self.leader() {
            Some(leader) => leader,
            None => return Some(format!("nobody leads; {}", self.views())),
        };
        let knows =
            |host: &crate::host::Host| host.process.as_ref().is_some_and(|process| process.view.leader == leader);
        let configured =
            |host: &&crate::host::Host| self.replacement.is_none_or(|it| it.old != host.node && it.new != host.node);
        let unaware: Vec<_> =
            self.hosts.values().filter(configured).filter(|host| !knows(host)).map(|host| host.node).collect();
        (!unaware.is_empty()).then(|| format!("{unaware:?} do not know that n{leader} leads; {}", self.views()))
    }

    fn views(&self) -> String {
        let view = |host: &crate::host::Host| match &host.process {
            Some(process) => {
                let status = process.member.status();
                let view = status.view;
                format!(
                    "n{}: {:?} of term {}, leader {}, log to {}",
                    host.node, view.role, view.term, view.leader, status.last
                )
            }
            None => format!("n{}: dead", host.node),
        };
        self.hosts.values().map(view).collect::<Vec<_>>().join("; ")
    }

    /// What is left to do; None if nothing is.
    pub fn unsettled_why(&self) -> Option<String> {
        if let Some(client) = self.clients.iter().find(|client| client.done < client.wanted) {
            return Some(format!("client {} waits for {} to {}", client.session, client.done + 1, client.wanted));
        }
        let last = self.checker.last_committed();
        for host in self.hosts.values() {
            let node = host.node;
            let Some(process) = &host.process else { return Some(format!("n{node} is dead")) };
            if let Some((ticket, _)) = process.reads.first_key_value() {
                return Some(format!("n{node} owes {} reads, the first is {ticket:x}", process.reads.len()));
            }
            if let Some((ticket, _)) = process.proposed.first_key_value() {
                return Some(format!("n{node} owes {} writes, the first is {ticket:x}", process.proposed.len()));
            }
            if process.state.position != last {
                return Some(format!("n{node} has applied {}, and {last} is committed", process.state.position));
            }
            let status = process.member.status();
            if (status.pending, status.pending_bytes, status.handed_out) != (0, 0, last) {
                return Some(format!("n{node} says {status:?}, and {last} is committed"));
            }
        }
        None
    }

    /// Exactly once: each session was executed as far as its client wanted, and no further.
    fn all_done(&self) -> Checked {
        for client in &self.clients {
            let executed = self.checker.executed(client.session);
            if executed != client.wanted {
                return violated(
                    "Every write takes effect exactly once.",
                    format!("client {} wanted {}, {executed} were executed", client.session, client.wanted),
                );
            }
        }
        Ok(())
    }
}
