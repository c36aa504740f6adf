//! What goes wrong, when, and for how long. A run's plan says which kinds occur.

use std::time::Duration;

use tinysns_member::{Event, NodeId};

use crate::agenda::{Happening, Undo};
use crate::check::Checked;
use crate::network::Latency;
use crate::plan::Fault;
use crate::world::World;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

impl World {
    /// The next fault, and when the one after it comes.
    pub(crate) fn fault(&mut self) -> Checked {
        if !self.faulty {
            return Ok(());
        }
        let next = self.now + self.rng.about(self.plan.fault_every) + ms(1);
        self.agenda.at(next, Happening::Fault);
        let fault = *self.rng.pick(&self.plan.faults);
        let running = self.running();
        if running.is_empty() {
            return Ok(());
        }
        // the leader is where it hurts
        let leader = self.leader().filter(|_| self.rng.chance(0.4));
        let node = leader.unwrap_or_else(|| *self.rng.pick(&running));
        self.inject(fault, node)
    }

    /// Lets this go wrong at this node (or around it), until a matching `Undo`.
    pub fn inject(&mut self, fault: Fault, node: NodeId) -> Checked {
        self.trace.line(self.now, || format!("fault: {fault:?}, n{node}"));
        let lasts = self.rng.about(self.plan.fault_lasts) + ms(1);
        match fault {
            Fault::Kill => self.kill(node, false, Some(lasts)),
            Fault::PowerCut => self.kill(node, true, Some(lasts + ms(20))),
            Fault::Blackout => self.blackout(lasts),
            Fault::CutOneWay | Fault::CutPair | Fault::Partition => {
                self.cut(fault, node, lasts);
                Ok(())
            }
            Fault::Reset => self.reset(node),
            Fault::Flap => {
                self.flap(node);
                Ok(())
            }
            Fault::Replace => {
                self.begin_replacement(node);
                Ok(())
            }
            _ => {
                self.disturb(fault, node, lasts);
                Ok(())
            }
        }
    }

    /// What leaves processes, connections and members where they are.
    fn disturb(&mut self, fault: Fault, node: NodeId, lasts: Duration) {
        let after = self.now + lasts;
        let host = self.hosts.get_mut(&node).expect("it runs");
        match fault {
            Fault::KillWithinTurn => {
                let Some(process) = &mut host.process else { return };
                process.die_after = Some(self.rng.below(12));
            }
            Fault::Pause => {
                let Some(process) = &mut host.process else { return };
                (process.paused, process.turn_at) = (true, None);
                let life = process.life;
                self.agenda.at(after, Happening::Undo(Undo::Pause { node, life }));
            }
            Fault::SlowDisk => {
                host.slow_fsync = Some(*self.rng.pick(&[ms(20), ms(100), ms(400)]));
                self.agenda.at(after, Happening::Undo(Undo::Slow(node)));
            }
            Fault::SlowDisks => {
                for (node, host) in &mut self.hosts {
                    host.slow_fsync = Some(ms(400));
                    self.agenda.at(after, Happening::Undo(Undo::Slow(*node)));
                }
            }
            Fault::Stall => host.stall = Some(self.rng.span(ms(600), ms(4000))),
            Fault::Scarce => {
                host.scarce = true;
                let health = host.health();
                self.tell(node, Event::Disk(health));
                self.agenda.at(after, Happening::Undo(Undo::Scarce(node)));
            }
            Fault::SlowApplier => {
                host.slow_apply = Some(*self.rng.pick(&[ms(50), ms(300), ms(1500)]));
                self.agenda.at(after, Happening::Undo(Undo::Applier(node)));
            }
            Fault::WallClock => host.clock.set_wall(&mut self.rng),
            Fault::Transfer => self.tell(node, Event::Transfer),
            Fault::Latency => {
                self.network.latency = Latency { least: ms(5), jitter: *self.rng.pick(&[ms(10), ms(60)]) };
                self.agenda.at(after, Happening::Undo(Undo::Latency));
            }
            other => unreachable!("{other:?} is another function's"),
        }
    }

    fn blackout(&mut self, lasts: Duration) -> Checked {
        let mut nodes = self.running();
        self.rng.shuffle(&mut nodes);
        let count = self.rng.between(nodes.len() as u64 / 2, nodes.len() as u64) as usize;
        for node in nodes.into_iter().take(count) {
            let down = lasts + self.rng.span(ms(1), ms(300));
            self.kill(node, true, Some(down))?;
        }
        Ok(())
    }

    fn cut(&mut self, fault: Fault, node: NodeId, lasts: Duration) {
        let mut others: Vec<NodeId> = self.hosts.keys().copied().filter(|other| *other != node).collect();
        if others.is_empty() {
            return;
        }
        self.rng.shuffle(&mut others);
        let cut: Vec<(NodeId, NodeId)> = match fault {
            Fault::CutOneWay if self.rng.chance(0.5) => vec![(node, others[0])],
            Fault::CutOneWay => vec![(others[0], node)],
            Fault::CutPair => vec![(node, others[0]), (others[0], node)],
            _ => {
                let with = self.rng.below(2.min(others.len() as u64)) as usize;
                let (group, rest) = others.split_at(with);
                let group = group.iter().chain([&node]);
                group
                    .flat_map(|inside| rest.iter().flat_map(|outside| [(*inside, *outside), (*outside, *inside)]))
                    .collect()
            }
        };
        cut.iter().for_each(|(from, to)| self.network.cut(*from, *to));
        self.agenda.at(self.now + lasts, Happening::Undo(Undo::Cut(cut)));
    }

    /// A follower that does not hear the leader still speaks to it, and believes in a leadership that came and went.
    fn flap(&mut self, node: NodeId) {
        if self.rng.chance(0.7) {
            let deaf = *self.rng.pick(&self.running());
            if deaf != node {
                self.network.cut(node, deaf);
                let after = self.now + self.rng.span(ms(10), ms(300));
                self.agenda.at(after, Happening::Undo(Undo::Cut(vec![(node, deaf)])));
            }
        }
        let mut at = self.now;
        for _ in 0..self.rng.between(2, 6) {
            at += self.rng.span(ms(2), ms(30));
            self.agenda.at(at, Happening::Transfer);
        }
    }

    fn reset(&mut self, node: NodeId) -> Checked {
        let ends = self.network.ends_of(node);
        if ends.is_empty() {
            return Ok(());
        }
        let (conn, end) = *self.rng.pick(&ends);
        self.end_link(conn, end)
    }

    /// A fault is over.
    pub(crate) fn undo(&mut self, undo: Undo) -> Checked {
        let (now, latency) = (self.now, self.plan.latency);
        self.trace.line(now, || format!("over: {undo:?}"));
        match undo {
            Undo::Cut(cut) => cut.into_iter().for_each(|(from, to)| self.network.heal(from, to, now, &mut self.agenda)),
            Undo::Pause { node, life } => {
                if let Some(process) = self.process(node, life) {
                    process.paused = false;
                    self.wake(node, life, now + Duration::from_micros(50));
                }
            }
            Undo::Slow(node) => drop(self.hosts.get_mut(&node).map(|host| host.slow_fsync = None)),
            Undo::Applier(node) => drop(self.hosts.get_mut(&node).map(|host| host.slow_apply = None)),
            Undo::Scarce(node) => {
                let Some(host) = self.hosts.get_mut(&node) else { return Ok(()) };
                host.scarce = false;
                let health = host.health();
                self.tell(node, Event::Disk(health));
            }
            Undo::Latency => self.network.latency = latency,
        }
        Ok(())
    }

    /// All faults are over now, and no new one comes.
    pub fn heal(&mut self) -> Checked {
        self.faulty = false;
        let now = self.now;
        self.undo(Undo::Cut(self.network.cuts()))?;
        self.undo(Undo::Latency)?;
        let nodes: Vec<NodeId> = self.hosts.keys().copied().collect();
        for node in nodes {
            self.undo(Undo::Slow(node))?;
            self.undo(Undo::Applier(node))?;
            if self.hosts[&node].scarce {
                self.undo(Undo::Scarce(node))?;
            }
            let host = self.hosts.get_mut(&node).expect("it is there");
            host.stall = None;
            let Some(process) = &mut host.process else {
                self.agenda.at(now + self.rng.span(ms(1), ms(20)), Happening::Start { node });
                continue;
            };
            (process.die_after, process.applying) = (None, false);
            let (life, batch, writes) = (process.life, process.log.batches, !process.log.batch.is_empty());
            self.undo(Undo::Pause { node, life })?;
            self.apply_soon(node, life); // however slow it was
            if writes {
                // a stalled write returns now; what follows of it is known by its number
                self.agenda.at(now + ms(1), Happening::LogDone { node, life, batch });
            }
        }
        Ok(())
    }
}
