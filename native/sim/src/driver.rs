//! What a driver does around a member (../node in the product): its turn, its log thread.

use std::time::Duration;

use raft::eraftpb::MessageType;
use tinysns_member::{Action, Committed, Disk as DiskHealth, Event, Frame, NodeId, Write};

use crate::agenda::{Happening, Life};
use crate::check::{violated, Checked, Said};
use crate::disk::Disk;
use crate::host::Todo;
use crate::planted::Bug;
use crate::trace;
use crate::world::World;

/// So many turns without an event or an action, each wanted at once, are too many.
const MOST_IDLE_TURNS: u32 = 50;

impl World {
    /// The event loop of a process runs once.
    pub(crate) fn turn(&mut self, node: NodeId, life: Life) -> Checked {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(&node) else { return Ok(()) };
        let (local, all) = (host.clock.at(now), host.rng.chance(0.95));
        let some = host.rng.number();
        let Some(process) = host.alive(life) else { return Ok(()) };
        if process.turn_at != Some(now) || process.paused {
            return Ok(()); // it was put off, or there was one meanwhile
        }
        (process.turn_at, process.room_taken) = (None, 0);
        let count = if all { process.inbox.len() } else { some as usize % (process.inbox.len() + 1) };
        let events: Vec<Event> = process.inbox.drain(..count).collect();
        self.trace_events(node, &events);
        let process = self.process(node, life).expect("it runs");
        let idle = events.is_empty();
        let actions = process.member.step(local, events);
        let at_once = now - process.last_turn < Duration::from_millis(1);
        process.last_turn = now;
        process.busy_turns = if idle && actions.is_empty() && at_once { process.busy_turns + 1 } else { 0 };
        let die_after = process.die_after.filter(|_| !actions.is_empty());
        let die_after = die_after.map(|after| after as usize % (actions.len() + 1));
        let count = actions.len();
        for (done, action) in actions.into_iter().enumerate() {
            if die_after == Some(done) {
                return self.die_within_turn(node, done, count);
            }
            self.execute(node, life, action)?;
        }
        if die_after == Some(count) {
            return self.die_within_turn(node, count, count);
        }
        self.next_turn(node, life)
    }

    fn die_within_turn(&mut self, node: NodeId, done: usize, count: usize) -> Checked {
        self.trace.line(self.now, || format!("n{node} dies behind action {done} of {count} of a turn"));
        let down = self.rng.about(self.plan.fault_lasts);
        self.kill(node, false, Some(down))
    }

    fn next_turn(&mut self, node: NodeId, life: Life) -> Checked {
        let now = self.now;
        let host = self.hosts.get_mut(&node).expect("it has just been there");
        let late = if host.rng.chance(0.95) {
            Duration::from_micros(host.rng.below(300))
        } else {
            host.rng.about(Duration::from_millis(3))
        };
        let process = host.alive(life).expect("it has just run");
        if process.busy_turns > MOST_IDLE_TURNS {
            return violated("A member does not spin.", format!("n{node} wants a turn at once, again and again"));
        }
        let (deadline, more) = (process.member.deadline(), !process.inbox.is_empty());
        let at = host.clock.when(deadline).max(now + Duration::from_micros(5)) + late;
        self.wake(node, life, if more { now + Duration::from_micros(20) } else { at });
        Ok(())
    }

    fn execute(&mut self, node: NodeId, life: Life, action: Action) -> Checked {
        let now = self.now;
        self.trace.line(now, || trace::action(node, &action));
        match action {
            Action::Write(write) => self.hand_to_log(node, life, write),
            Action::Send { to, frame } => self.send(node, life, to, frame),
            Action::Commit(committed) => self.committed(node, life, committed),
            Action::Read { tickets, index } => self.read_confirmed(node, life, &tickets, index),
            Action::View(view) => {
                self.process(node, life).expect("it runs").view = view;
                if view.leads() {
                    self.checker.leads(node, life, view.term)?;
                }
                Ok(())
            }
            Action::FetchState { index } => {
                self.process(node, life).expect("it runs").fetching = Some(index);
                let takes = self.rng.about(Duration::from_millis(40));
                self.agenda.at(now + takes, Happening::Fetched { node, life });
                Ok(())
            }
            Action::DropLink { peer, why } => violated(
                "What an honest member says is never refused.",
                format!("n{node} drops the link of n{peer}: {why}"),
            ),
            Action::Isolate(isolated) => {
                self.process(node, life).expect("it runs").isolated = isolated;
                let ends = if isolated { self.network.ends_of(node) } else { Vec::new() };
                ends.into_iter().try_for_each(|(conn, end)| self.end_link(conn, end))
            }
            Action::Compacted | Action::Note(_) => Ok(()),
        }
    }

    fn send(&mut self, from: NodeId, life: Life, to: NodeId, frame: Frame) -> Checked {
        let process_of = |node: &NodeId| self.hosts.get(node).and_then(|host| host.process.as_ref());
        let mut leaders_log = None;
        if let Frame::Raft(message) = &frame {
            if message.get_msg_type() == MessageType::MsgAppendResponse {
                let leads = |view: tinysns_member::View| view.leads() && view.term == message.term;
                leaders_log = process_of(&to).filter(|leader| leads(leader.view)).map(|leader| &leader.handed_out);
            }
        }
        self.checker.said(&Said { by: from, life, frame: &frame, leaders_log })?;
        for frame in Bug::on_send(self, from, to, frame) {
            self.network.send(from, to, frame, self.now, &mut self.agenda);
        }
        Ok(())
    }

    fn committed(&mut self, node: NodeId, life: Life, committed: Committed) -> Checked {
        let process = self.hosts.get_mut(&node).and_then(|host| host.alive(life)).expect("it runs");
        self.checker.commit(node, process.next_commit, &committed)?;
        process.next_commit += 1;
        let mut own = Vec::new();
        for ticket in &committed.own {
            match process.proposed.remove(ticket) {
                Some(proposed) => own.push(proposed),
                None => {
                    return violated(
                        "A member's own proposal comes back once.",
                        format!("n{node} says that ticket {ticket:x} is in entry {}", committed.index),
                    )
                }
            }
        }
        process.todo.push_back(Todo::Entry(committed, own));
        self.apply_soon(node, life);
        Ok(())
    }

    // -- the log thread --------------------------------------------------------------------------------------------------

    fn hand_to_log(&mut self, node: NodeId, life: Life, write: Write) -> Checked {
        let process = self.hosts.get_mut(&node).and_then(|host| host.alive(life)).expect("it runs");
        if write.order != process.writes + 1 {
            let what = format!("n{node}: write {} behind {}", write.order, process.writes);
            return violated("Writes are counted from 1.", what);
        }
        process.writes = write.order;
        self.checker.write(node, &write, &process.handed_out)?;
        if let Err(what) = process.handed_out.execute(&write) {
            return violated("A write fits the log.", format!("n{node}, write {}: {what}", write.order));
        }
        process.log.queue.push_back(write);
        self.begin_write(node, life)
    }

    /// The log thread takes what waits, all at once, unless it is busy.
    fn begin_write(&mut self, node: NodeId, life: Life) -> Checked {
        let (now, stall_after) = (self.now, self.plan.timing.disk_stall);
        let host = self.hosts.get_mut(&node).expect("it is there");
        let Some(process) = host.alive(life) else { return Ok(()) };
        let log = &mut process.log;
        if !log.batch.is_empty() || log.queue.is_empty() {
            return Ok(());
        }
        log.batch = log.queue.drain(..).collect();
        (log.since, log.batches) = (now, log.batches + 1);
        let (batch, order) = (log.batches, log.batch.last().expect("not empty").order);
        let takes = host.fsync(&self.plan);
        self.agenda.at(now + takes, Happening::LogDone { node, life, batch });
        if takes > stall_after {
            self.agenda.at(now + stall_after, Happening::LogStalls { node, life, batch });
        }
        if self.bug == Some(Bug::AckBeforeFsync) {
            self.tell(node, Event::Written { order, took: Duration::from_micros(300) });
        }
        Ok(())
    }

    pub(crate) fn log_done(&mut self, node: NodeId, life: Life, batch: u64) -> Checked {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(&node) else { return Ok(()) };
        let disk = host.disk.clone();
        let scarce = if host.scarce { DiskHealth::Scarce } else { DiskHealth::Good };
        let Some(process) = host.alive(life) else { return Ok(()) };
        if process.log.batches != batch || process.log.batch.is_empty() {
            return Ok(()); // its stall was ended before
        }
        let (took, stalled) = (now - process.log.since, std::mem::take(&mut process.log.stalls));
        let writes = std::mem::take(&mut process.log.batch);
        for write in &writes {
            self.put_on_disk(node, &disk, write)?;
        }
        let order = writes.last().expect("not empty").order;
        let good_first = stalled && self.rng.chance(0.5);
        if good_first {
            self.tell(node, Event::Disk(scarce));
        }
        if self.bug != Some(Bug::AckBeforeFsync) {
            self.tell(node, Event::Written { order, took });
        }
        if stalled && !good_first {
            self.tell(node, Event::Disk(scarce));
        }
        self.begin_write(node, life)
    }

    pub(crate) fn log_stalls(&mut self, node: NodeId, life: Life, batch: u64) -> Checked {
        let Some(process) = self.process(node, life) else { return Ok(()) };
        if process.log.batches == batch && !process.log.batch.is_empty() {
            process.log.stalls = true;
            self.tell(node, Event::Disk(DiskHealth::Stalled));
        }
        Ok(())
    }

    /// A write is on disk from here on.
    pub(crate) fn put_on_disk(&mut self, node: NodeId, disk: &Disk, write: &Write) -> Checked {
        let mut platter = disk.platter();
        self.checker.durable(node, write)?;
        self.trace.line(self.now, || format!("n{node} disk {}", write.order));
        match platter.execute(write) {
            Ok(()) => Ok(()),
            Err(what) => violated("A write fits the log.", format!("n{node}, write {}: {what}", write.order)),
        }
    }
}
