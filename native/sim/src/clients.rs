//! Clients: each has a session, numbers its writes, has several on their way through one member, and sends all that are
//! not acknowledged through another one, in order, when that member dies or keeps it waiting.

use std::time::Duration;

use tinysns_member::{Event, NodeId};

use crate::agenda::{Happening, Life};
use crate::check::Checked;
use crate::entry::Command;
use crate::host::Read;
use crate::planted::Bug;
use crate::rng::Rng;
use crate::world::World;

/// A client between two operations.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its session.
    pub session: u64,
    /// Writes that it wants done: 1 to this.
    pub wanted: u64,
    /// Of those, what it gave to the member of now.
    pub sent: u64,
    /// Of those, what it was told is done.
    pub done: u64,
    /// The member of now, and its life.
    home: (NodeId, Life),
    /// Since when it waits for the oldest one.
    waits_since: Duration,
    rng: Rng,
}

impl Client {
    /// One that has not found a member yet.
    pub fn new(number: usize, rng: &mut Rng) -> Client {
        let (session, home, rng) = (number as u64 + 1, (0, 0), rng.fork());
        Client { session, wanted: 0, sent: 0, done: 0, home, waits_since: Duration::ZERO, rng }
    }

    /// It is told that all up to this write are done.
    pub fn acknowledged(&mut self, number: u64, now: Duration) {
        if number > self.done {
            self.done = number;
            self.sent = self.sent.max(number);
            self.waits_since = now;
        }
    }

    fn waits(&self) -> bool {
        self.done < self.sent
    }
}

impl World {
    /// A client has time for its next operation.
    pub(crate) fn client(&mut self, number: usize) -> Checked {
        self.find_home(number);
        let (reads, window, open) = (self.plan.reads, self.plan.window, self.open);
        let client = &mut self.clients[number];
        let (mut read, mut writes) = (false, 0);
        if open {
            read = client.rng.chance(reads);
            writes = if read { 0 } else { client.rng.between(1, 1 + window / 4) };
        }
        client.wanted = (client.wanted + writes).min(client.done + window).max(client.wanted);
        let think = client.rng.about(self.plan.think);
        self.submit(number);
        if read {
            self.read(number)?;
        }
        self.agenda.at(self.now + think + Duration::from_micros(50), Happening::Client(number));
        Ok(())
    }

    /// Goes to another member if the one of now is dead, or has kept the client waiting for too long.
    fn find_home(&mut self, number: usize) {
        let running = self.running();
        let (now, patience) = (self.now, self.plan.patience);
        let (home, life) = self.clients[number].home;
        let lives = self.process(home, life).is_some();
        let client = &mut self.clients[number];
        let patient = !client.waits() || now - client.waits_since < patience;
        if lives && patient || running.is_empty() {
            return;
        }
        let others: Vec<NodeId> = running.iter().copied().filter(|node| *node != home).collect();
        let home = *client.rng.pick(if others.is_empty() { &running } else { &others });
        client.home = (home, self.hosts[&home].lives);
        (client.sent, client.waits_since) = (client.done, now);
        let (session, done) = (client.session, client.done);
        self.trace.line(now, || format!("client {session} goes to n{home}, with all behind {done}"));
    }

    /// Gives its member what that one has room for, in order.
    fn submit(&mut self, number: usize) {
        let now = self.now;
        loop {
            let client = &mut self.clients[number];
            if client.sent >= client.wanted {
                return;
            }
            let (home, life) = client.home;
            let command = Command { session: client.session, number: client.sent + 1 };
            let bytes = command.encode(client.rng.between(0, self.plan.command_bytes) as usize);
            let Some(process) = self.hosts.get_mut(&home).and_then(|host| host.alive(life)) else { return };
            // what a member counts for an item: its command and a little more
            if process.member.room() < process.room_taken + bytes.len() + 24 {
                return; // refused, definitely: it tries again with this one
            }
            process.room_taken += bytes.len() + 24;
            let ticket = process.ticket();
            process.proposed.insert(ticket, (number, command));
            let client = &mut self.clients[number];
            if !client.waits() {
                client.waits_since = now;
            }
            client.sent += 1;
            self.trace
                .line(now, || format!("client {} writes {} at n{home}: {ticket:x}", command.session, command.number));
            self.tell(home, Event::Propose { ticket, command: bytes });
        }
    }

    /// Reads through its own member, or through any.
    fn read(&mut self, number: usize) -> Checked {
        let running = self.running();
        let (floor, asked, bug) = (self.checker.revealed(), self.now, self.bug);
        let client = &mut self.clients[number];
        let home =
            if client.rng.chance(0.5) || running.is_empty() { client.home.0 } else { *client.rng.pick(&running) };
        let Some(process) = self.hosts.get_mut(&home).and_then(|host| host.process.as_mut()) else { return Ok(()) };
        if Bug::answers_at_once(bug, process) {
            let position = process.state.position;
            return self.checker.answered(home, floor, position);
        }
        let ticket = process.ticket();
        process.reads.insert(ticket, Read { floor, asked });
        self.trace.line(asked, || format!("client {} reads at n{home}: {ticket:x}", number + 1));
        self.tell(home, Event::Read { ticket });
        Ok(())
    }
}
