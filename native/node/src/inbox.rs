//! What other threads have for the event loop: a list under a lock, and one wake-up on its way from empty to not empty,
//! so that a burst costs one system call.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use mio::Waker;
use tinysns_member::{Event, Ticket};

/// What the event loop finds in its inbox.
#[derive(Default)]
pub struct Mail {
    /// For the member, in the order in which they came.
    pub events: Vec<Event>,
    /// All writes up to this order are on disk; what the last one took.
    pub written: Option<(u64, Duration)>,
    /// So many purges were done.
    pub purged: usize,
    /// How long committed entries may wait before Python is woken for them.
    pub lazy: Option<Duration>,
    pub stop: bool,
}

struct State {
    mail: Mail,
    last_ticket: Ticket,
    /// What the member said at the end of its last turn, and the bytes that came since: those in the mail, and those
    /// that the turn of now has taken.
    room: usize,
    in_mail: usize,
    in_turn: usize,
}

/// See the module.
pub struct Inbox {
    state: Mutex<State>,
    waker: Waker,
    woken: AtomicBool,
}

/// So much waits already that this is refused. It has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overloaded {
    pub asked_bytes: usize,
    pub room_bytes: usize,
}

impl Inbox {
    /// `last_ticket`: the next one follows it.
    pub fn new(waker: Waker, last_ticket: Ticket, room: usize) -> Inbox {
        let state = State { mail: Mail::default(), last_ticket, room, in_mail: 0, in_turn: 0 };
        Inbox { state: Mutex::new(state), waker, woken: AtomicBool::new(false) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics with it: nothing in here does")
    }

    /// Wakes the event loop, unless it was woken already and has not looked yet.
    pub fn wake(&self) {
        if !self.woken.swap(true, SeqCst) {
            self.waker.wake().expect("an eventfd can be written");
        }
    }

    fn put(&self, put: impl FnOnce(&mut Mail)) {
        put(&mut self.state().mail);
        self.wake();
    }

    /// All of these, in this order and behind all earlier ones, or none.
    pub fn propose(&self, commands: Vec<Bytes>) -> Result<(), Overloaded> {
        if commands.is_empty() {
            return Ok(());
        }
        let asked_bytes = commands.iter().map(|command| command.len() + ITEM_BYTES).sum();
        let mut state = self.state();
        let room_bytes = state.room.saturating_sub(state.in_mail + state.in_turn);
        if asked_bytes > room_bytes {
            return Err(Overloaded { asked_bytes, room_bytes });
        }
        state.in_mail += asked_bytes;
        for command in commands {
            state.last_ticket += 1;
            let ticket = state.last_ticket;
            state.mail.events.push(Event::Propose { ticket, command });
        }
        drop(state);
        self.wake();
        Ok(())
    }

    /// Asks for a linearizable read; returns its ticket.
    pub fn read(&self) -> Ticket {
        let mut state = self.state();
        state.last_ticket += 1;
        let ticket = state.last_ticket;
        state.mail.events.push(Event::Read { ticket });
        drop(state);
        self.wake();
        ticket
    }

    /// Anything else for the member.
    pub fn event(&self, event: Event) {
        self.put(|mail| mail.events.push(event));
    }

    pub fn lazy(&self, lazy: Duration) {
        self.put(|mail| mail.lazy = Some(lazy));
    }

    pub fn stop(&self) {
        self.put(|mail| mail.stop = true);
    }

    pub fn written(&self, order: u64, took: Duration) {
        self.put(|mail| mail.written = Some((order, took)));
    }

    pub fn purged(&self) {
        self.put(|mail| mail.purged += 1);
    }

    /// For the event loop: takes what is there, if it was woken. The flag goes down before the look, so that nothing
    /// that is put later is slept over.
    pub fn take(&self) -> Option<Mail> {
        if !self.woken.swap(false, SeqCst) {
            return None;
        }
        let mut state = self.state();
        state.in_turn += std::mem::take(&mut state.in_mail);
        Some(std::mem::take(&mut state.mail))
    }

    /// For the event loop, behind each step: what the member has room for, with everything in it that was taken.
    pub fn set_room(&self, room: usize) {
        let mut state = self.state();
        state.room = room;
        state.in_turn = 0;
    }
}

/// What a proposal costs beside its command (`tinysns_member::Item::bytes`).
const ITEM_BYTES: usize = 24;

#[cfg(test)]
mod tests {
    use mio::{Poll, Token};
    use tinysns_member::Item;

    use super::*;

    fn inbox(room: usize) -> (Poll, Inbox) {
        let poll = Poll::new().expect("there is epoll");
        let waker = Waker::new(poll.registry(), Token(0)).expect("there is eventfd");
        (poll, Inbox::new(waker, 7 << 32, room))
    }

    fn commands(sizes: &[usize]) -> Vec<Bytes> {
        sizes.iter().map(|size| vec![0; *size].into()).collect()
    }

    #[test]
    fn an_item_costs_what_the_member_says() {
        let item = Item { origin: 1, ticket: 1, command: Bytes::from_static(b"12345") };
        assert_eq!(item.bytes(), 5 + ITEM_BYTES);
    }

    #[test]
    fn a_proposal_that_does_not_fit_is_refused_whole() {
        let (_poll, inbox) = inbox(1000);
        assert_eq!(inbox.propose(commands(&[400, 600])), Err(Overloaded { asked_bytes: 1048, room_bytes: 1000 }));
        assert_eq!(inbox.propose(commands(&[400, 552])), Ok(()));
        assert_eq!(inbox.propose(commands(&[0])), Err(Overloaded { asked_bytes: 24, room_bytes: 0 }));
        let tickets: Vec<_> = inbox.take().expect("it was woken").events.iter().map(ticket).collect();
        assert_eq!(tickets, [(7 << 32) + 1, (7 << 32) + 2]);
    }

    fn ticket(event: &Event) -> Ticket {
        match event {
            Event::Propose { ticket, .. } | Event::Read { ticket } => *ticket,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_a_turn_has_taken_counts_until_the_member_has_counted_it() {
        let (_poll, inbox) = inbox(1000);
        inbox.propose(commands(&[900])).expect("it fits");
        inbox.take().expect("it was woken");
        assert!(inbox.propose(commands(&[100])).is_err());
        inbox.set_room(1000 - 924);
        assert!(inbox.propose(commands(&[100])).is_err());
        inbox.set_room(1000);
        assert!(inbox.propose(commands(&[100])).is_ok());
    }

    #[test]
    fn tickets_of_writes_and_reads_are_of_one_kind() {
        let (_poll, inbox) = inbox(1000);
        inbox.propose(commands(&[1])).expect("it fits");
        assert_eq!(inbox.read(), (7 << 32) + 2);
    }

    #[test]
    fn it_is_empty_until_somebody_puts_something_in() {
        let (_poll, inbox) = inbox(0);
        assert!(inbox.take().is_none());
        inbox.stop();
        assert!(inbox.take().expect("it was woken").stop);
        assert!(inbox.take().is_none());
    }
}
