//! The thread that runs the member. One turn:
//!
//! ```text
//!   sleep until something is there or due
//!   sockets -> frames, inbox -> what was written, proposed, asked for            all of it becomes the member's events
//!   timers of links, disk and watchdog                                           behind the reading: they judge silence
//!   member.step                                                                  once
//!   its actions: writes to the log thread, frames into the links' buffers, the rest for Python
//!   one write for each socket
//!   status and room, events to Python and one wake-up if it needs one
//! ```
//!
//! It never takes Python's GIL and never waits for the disk, but to read old entries for a peer that is far behind.

use std::io::ErrorKind;
use std::sync::mpsc::Sender;
use std::sync::Arc;
use std::time::Duration;

use mio::{Events, Poll, Token};
use tinysns_member::{Action, Event, Member, Write};

use crate::clock::{self, AwakeTime};
use crate::disk::log_thread::Job;
use crate::disk::watch::DiskWatch;
use crate::inbox::Inbox;
use crate::lifeline::lifelines::Lifelines;
use crate::link::greeting::Peer;
use crate::link::links::Links;
use crate::outbox::{DiskState, Health, Made, Outbox, Output};
use crate::published::Published;
use crate::turn::Turn;
use crate::wake::{WakePolicy, Watchdog};

pub const WAKER: Token = Token(usize::MAX);
pub const LISTENER: Token = Token(usize::MAX - 1);
/// The kernel is asked for so many events at a time.
const EVENTS: usize = 64;

/// What the thread begins with.
pub struct EventLoop {
    pub poll: Poll,
    pub member: Member,
    pub links: Links,
    pub lifelines: Lifelines,
    pub jobs: Sender<Job>,
    pub disk: DiskWatch,
    pub inbox: Arc<Inbox>,
    pub outbox: Arc<Outbox>,
    pub published: Arc<Published>,
    pub watchdog: Watchdog,
}

/// How a turn went.
struct Running {
    this: EventLoop,
    turn: Turn,
    awake: AwakeTime,
    wake: WakePolicy,
    /// Python was woken and has not asked since.
    woken: bool,
}

impl EventLoop {
    /// Until the inbox says stop.
    pub fn run(self) {
        let now = clock::monotonic();
        let turn = Turn::starting(now);
        let mut running =
            Running { this: self, turn, awake: AwakeTime::starting(now), wake: WakePolicy::default(), woken: false };
        running.this.links.knock(&mut running.turn);
        let mut events = Events::with_capacity(EVENTS);
        while running.turn(&mut events) {}
    }
}

impl Running {
    /// False: it was the last one.
    fn turn(&mut self, events: &mut Events) -> bool {
        self.sleep(events);
        let now = clock::now();
        self.awake.turn(now.monotonic);
        (self.turn.now, self.turn.awake) = (now.monotonic, self.awake.now());
        self.read_sockets(events);
        if self.take_inbox() {
            return false;
        }
        self.timers();
        let heard = std::mem::take(&mut self.turn.events);
        let actions = self.this.member.step(now, heard);
        actions.into_iter().for_each(|action| self.act(action));
        self.this.links.flush(&mut self.turn); // a link that breaks here is an event of the next turn
        self.publish();
        true
    }

    fn sleep(&mut self, events: &mut Events) {
        let deadline =
            if !self.turn.events.is_empty() || self.this.links.has_unread() { self.turn.now } else { self.deadline() };
        self.awake.sleep_until(deadline);
        let timeout = deadline.saturating_sub(clock::monotonic());
        match self.this.poll.poll(events, Some(timeout)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => events.clear(),
            other => other.expect("epoll works on what was registered"),
        }
    }

    /// On the monotonic clock.
    fn deadline(&self) -> Duration {
        let EventLoop { member, links, lifelines, disk, watchdog, .. } = &self.this;
        let awake = [links.deadline(), lifelines.deadline(), disk.deadline(), watchdog.deadline()];
        let awake = awake.into_iter().flatten().map(|deadline| self.awake.on_the_clock(deadline));
        awake.chain(self.wake.deadline()).fold(member.deadline(), Duration::min)
    }

    // -- what has happened -------------------------------------------------------------------------------------------

    fn read_sockets(&mut self, events: &Events) {
        let EventLoop { links, lifelines, .. } = &mut self.this;
        links.read_on(&mut self.turn);
        for event in events {
            let closed = event.is_read_closed() || event.is_error();
            match event.token() {
                WAKER => {}
                LISTENER => links.accept(&mut self.turn),
                Token(token) if Lifelines::owns(token) => {
                    if let Some(peer) = lifelines.ready(token, links.identity()) {
                        links.ended(peer, &mut self.turn);
                    }
                }
                Token(token) => links.ready(token, closed, &mut self.turn),
            }
        }
    }

    /// True: stop.
    fn take_inbox(&mut self) -> bool {
        let Some(mail) = self.this.inbox.take() else { return false };
        if let Some((order, took)) = mail.written {
            self.this.disk.returned(order, self.turn.awake);
            self.turn.events.push(Event::Written { order, took });
        }
        self.turn.events.extend(mail.events);
        self.turn.made.extend((0..mail.purged).map(|_| Made::Output(Output::Compacted)));
        if let Some(lazy) = mail.lazy {
            self.wake.set_lazy(lazy, self.turn.now);
        }
        mail.stop
    }

    fn timers(&mut self) {
        let Turn { now, awake, .. } = self.turn;
        self.this.links.clock(&mut self.turn);
        let EventLoop { links, lifelines, disk, watchdog, outbox, .. } = &mut self.this;
        let linked = |peer: Peer| links.address(peer.node).map(|address| (peer, address));
        lifelines.clock(&links.linked().filter_map(linked).collect::<Vec<_>>(), awake);
        if let Some(health) = disk.look(now, awake) {
            self.turn.events.push(Event::Disk(health.disk.for_member()));
            self.turn.made.push(Made::Output(Output::Health(health)));
            match health.disk {
                DiskState::Good => self.turn.journal.note(describe(&health)),
                _ => self.turn.journal.warn(describe(&health)),
            }
        }
        if let Some(waited) = watchdog.look(self.woken, outbox.polls(), awake) {
            self.turn.events.push(Event::Transfer);
            let seconds = waited.as_secs_f64();
            self.turn.journal.warn(format!("Python has not asked for events for {seconds:.1} s: it must not lead"));
        }
    }

    // -- what to do --------------------------------------------------------------------------------------------------

    fn act(&mut self, action: Action) {
        let made = match action {
            Action::Write(write) => return self.write(write),
            Action::Send { to, frame } => return self.this.links.send(to, &frame),
            Action::Commit(entry) => Made::Commit(entry),
            Action::Read { tickets, index } => Made::Output(Output::Reads { tickets, index }),
            Action::View(view) => Made::Output(Output::View(view)),
            Action::FetchState { index } => Made::Output(Output::StateWanted { index }),
            Action::Compacted => return self.job(Job::Purge),
            Action::DropLink { peer, why } => return self.this.links.drop_link(peer, why, &mut self.turn),
            Action::Isolate(isolated) => return self.this.links.isolate(isolated, &mut self.turn),
            Action::Note(text) => return self.turn.journal.note(text),
        };
        self.turn.made.push(made);
    }

    fn write(&mut self, write: Write) {
        if write.restore.is_some() {
            self.turn.made.push(Made::ForgetCommitted);
        }
        self.this.disk.handed_over(write.order, self.turn.awake);
        self.job(Job::Write(Box::new(write)));
    }

    fn job(&self, job: Job) {
        self.this.jobs.send(job).expect("the log thread ends behind this one, or with the process");
    }

    fn publish(&mut self) {
        let EventLoop { member, inbox, outbox, published, .. } = &self.this;
        published.set(member);
        inbox.set_room(member.room());
        let mut made = std::mem::take(&mut self.turn.made);
        made.extend(self.turn.journal.take());
        let wake = self.wake.decide(&made, self.turn.now);
        if wake || !made.is_empty() || self.woken {
            self.woken = outbox.publish(made, wake);
        }
    }
}

fn describe(health: &Health) -> String {
    let free = health.free_bytes >> 20;
    match health.disk {
        DiskState::Good => format!("the data disk is good again ({free} MiB free)"),
        DiskState::Scarce => format!("the data disk is nearly full ({free} MiB free): this member only follows"),
        DiskState::Full => format!("the data disk is full ({free} MiB free): nothing may be written any more"),
        DiskState::Stalled => {
            format!("a write to the log has not returned for {:.1} s: this disk cannot lead", health.stalled_seconds)
        }
    }
}
