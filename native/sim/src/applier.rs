//! The state machine of a host: it applies behind the member, as slowly as it likes, answers, and is copied to others.

use std::time::Duration;

use tinysns_member::{Event, NodeId, Ticket};

use crate::agenda::{Happening, Life};
use crate::check::{violated, Checked};
use crate::host::Todo;
use crate::world::World;

impl World {
    /// There is something to apply.
    pub(crate) fn apply_soon(&mut self, node: NodeId, life: Life) {
        let (now, usual) = (self.now, self.plan.apply);
        let Some(host) = self.hosts.get_mut(&node) else { return };
        let delay = host.slow_apply.unwrap_or(usual);
        let delay = host.rng.about(delay);
        let Some(process) = host.alive(life) else { return };
        if !process.applying && !process.todo.is_empty() {
            process.applying = true;
            self.agenda.at(now + delay, Happening::Apply { node, life });
        }
    }

    /// The applier takes what waits, or a part of it; answers follow.
    pub(crate) fn apply(&mut self, node: NodeId, life: Life) -> Checked {
        let checkpoint = self.plan.checkpoint;
        let Some(host) = self.hosts.get_mut(&node) else { return Ok(()) };
        let (part, number, checkpoint) = (host.rng.chance(0.2), host.rng.number(), host.rng.chance(checkpoint));
        let Some(process) = host.alive(life) else { return Ok(()) };
        process.applying = false;
        let waits = process.todo.len();
        let count = if part { 1 + number as usize % waits.max(1) } else { waits };
        for _ in 0..count.min(waits) {
            let process = self.process(node, life).expect("it runs");
            match process.todo.pop_front().expect("counted") {
                Todo::Entry(committed, own) => {
                    // what came with a copied state is applied already
                    if committed.index > process.state.position {
                        if let Err(what) = process.state.apply(&committed) {
                            return violated("Entries are applied in log order.", format!("n{node}: {what}"));
                        }
                    }
                    for (client, command) in own {
                        self.checker.acknowledged(node, command)?;
                        self.clients[client].acknowledged(command.number, self.now);
                    }
                }
                Todo::Answer(reads) => {
                    let position = process.state.position;
                    for read in reads {
                        self.checker.answered(node, read.floor, position)?;
                    }
                }
            }
        }
        let host = self.hosts.get_mut(&node).expect("it is there");
        let process = host.process.as_ref().expect("it runs");
        self.checker.state(node, &process.state)?;
        if checkpoint {
            host.checkpoint = process.state.clone();
        }
        self.apply_soon(node, life);
        Ok(())
    }

    /// A quorum has confirmed that these reads may follow what is handed out.
    pub(crate) fn read_confirmed(&mut self, node: NodeId, life: Life, tickets: &[Ticket], index: u64) -> Checked {
        let process = self.process(node, life).expect("it runs");
        let mut reads = Vec::new();
        for ticket in tickets {
            match process.reads.remove(ticket) {
                Some(read) => reads.push(read),
                None => return violated("A read comes back once.", format!("n{node}, ticket {ticket:x}")),
            }
        }
        let handed_out = process.next_commit - 1;
        process.todo.push_back(Todo::Answer(reads.clone()));
        if index > handed_out {
            return violated(
                "A read is confirmed behind all that it must see.",
                format!("n{node} confirms at {index}, but has handed out {handed_out} only"),
            );
        }
        for read in reads {
            if index < read.floor {
                return violated(
                    "A read sees every write that was acknowledged, and all that any read saw, before it was asked for.",
                    format!("n{node} confirms it at {index}; {} was known when it was asked", read.floor),
                );
            }
        }
        self.apply_soon(node, life);
        Ok(())
    }

    /// The state machine of this member wants the log to become shorter.
    pub(crate) fn compact(&mut self, node: NodeId, life: Life) -> Checked {
        let (now, every, keep) = (self.now, self.plan.compact_every, self.plan.keep);
        let Some(host) = self.hosts.get_mut(&node) else { return Ok(()) };
        let (delay, keep) = (host.rng.about(every), host.rng.between(0, keep));
        let index = host.checkpoint.position;
        if host.alive(life).is_some() {
            if index > 0 {
                self.tell(node, Event::Compact { index, keep });
            }
            self.agenda.at(now + delay + Duration::from_millis(1), Happening::Compact { node, life });
        }
        Ok(())
    }

    /// A state has come from another member, if there is one that is far enough; else there is another try.
    pub(crate) fn fetched(&mut self, node: NodeId, life: Life) -> Checked {
        let now = self.now;
        let Some(index) = self.process(node, life).and_then(|process| process.fetching) else { return Ok(()) };
        let fits = |other: &NodeId| {
            let process = self.hosts[other].process.as_ref();
            let far = process.is_some_and(|process| process.state.position >= index && process.fetching.is_none());
            far && *other != node && self.network.open(*other, node) && self.network.open(node, *other)
        };
        let sources: Vec<NodeId> = self.hosts.keys().copied().filter(fits).collect();
        if sources.is_empty() || self.rng.chance(0.2) {
            let again = self.rng.about(Duration::from_millis(30));
            self.agenda.at(now + again, Happening::Fetched { node, life });
            return Ok(());
        }
        let source = *self.rng.pick(&sources);
        let state = self.hosts[&source].process.as_ref().expect("it fits").state.clone();
        let position = state.position;
        self.trace.line(now, || format!("n{node} has the state of n{source} at {position}"));
        let host = self.hosts.get_mut(&node).expect("it is there");
        (host.checkpoint, host.installed) = (state.clone(), position);
        let process = host.alive(life).expect("it runs");
        (process.fetching, process.next_commit) = (None, process.next_commit.max(position + 1));
        process.state = state;
        self.tell(node, Event::Installed { index: position });
        Ok(())
    }
}
