//! The way of a proposal into the log. `Pending`: at the member that took it from a client. `Queue`: at the leader.
//!
//! A proposal is pending until it is seen in this member's own committed log, whoever put it there. It is sent once to each
//! leader of a term over each link, in the order of the tickets, and all of them again whenever leader, term or link are
//! new: what was on its way may be lost then. It may so come into the log twice (the state machine knows: writes have a
//! session and a number), but never behind a later one for the first time: a Forward names the term its sender believes
//! in, and a leader drops those of another term, and everything queued when its own leadership ends.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};

use bytes::Bytes;
use prost::Message as _;
use tinysns_wire as wire;

use crate::event::{Item, NodeId, Ticket};
use crate::limits::Limits;

/// Own proposals that are not committed.
pub(crate) struct Pending {
    items: BTreeMap<Ticket, Item>,
    bytes: usize,
    /// The last one that was sent to the leader of now over the link of now, and the bytes that are on their way so.
    sent: Ticket,
    sent_bytes: usize,
}

impl Pending {
    pub fn new() -> Pending {
        Pending { items: BTreeMap::new(), bytes: 0, sent: 0, sent_bytes: 0 }
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn add(&mut self, item: Item) {
        let newest = self.items.last_key_value().map_or(self.sent, |(ticket, _)| (*ticket).max(self.sent));
        assert!(item.ticket > newest, "tickets only grow");
        self.bytes += item.bytes();
        self.items.insert(item.ticket, item);
    }

    /// It is committed. False: it was not pending (any more).
    pub fn settle(&mut self, ticket: Ticket) -> bool {
        let Some(item) = self.items.remove(&ticket) else { return false };
        self.bytes -= item.bytes();
        if ticket <= self.sent {
            self.sent_bytes -= item.bytes();
        }
        true
    }

    /// Leader, term or link are new: everything has to be sent again.
    pub fn forget_sent(&mut self) {
        (self.sent, self.sent_bytes) = (0, 0);
    }

    /// What may be sent now, in order, without more than `most_bytes` being on their way.
    pub fn next(&mut self, most_bytes: usize) -> Vec<Item> {
        let mut next = Vec::new();
        for (ticket, item) in self.items.range((Excluded(self.sent), Unbounded)) {
            if self.sent_bytes > 0 && self.sent_bytes + item.bytes() > most_bytes {
                break;
            }
            self.sent = *ticket;
            self.sent_bytes += item.bytes();
            next.push(item.clone());
        }
        next
    }
}

/// Cuts items into pieces of at most `most_bytes` (a larger single item is a piece of its own).
pub(crate) fn pieces(items: Vec<Item>, most_bytes: usize) -> Vec<Vec<Item>> {
    let mut pieces: Vec<Vec<Item>> = Vec::new();
    let mut size = 0;
    for item in items {
        size += item.bytes();
        match pieces.last_mut() {
            Some(piece) if size <= most_bytes => piece.push(item),
            _ => {
                size = item.bytes();
                pieces.push(vec![item]);
            }
        }
    }
    pieces
}

/// What a leader has to put into the log, its own and what others forwarded, as it came.
pub(crate) struct Queue {
    items: VecDeque<Item>,
    /// The last index of each round that is not committed yet.
    rounds: VecDeque<u64>,
}

impl Queue {
    pub fn new() -> Queue {
        Queue { items: VecDeque::new(), rounds: VecDeque::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub fn rounds(&self) -> usize {
        self.rounds.len()
    }

    pub fn extend(&mut self, items: impl IntoIterator<Item = Item>) {
        self.items.extend(items);
    }

    /// This member leads no longer, or in another term. What is its own is pending, the rest is pending at its origin.
    pub fn clear(&mut self) {
        self.items.clear();
        self.rounds.clear();
    }

    /// The link to `origin` is new: it sends everything again.
    pub fn forget(&mut self, origin: NodeId) {
        self.items.retain(|item| item.origin != origin);
    }

    /// The data of the entries of the next round, stamped with the time, and how many items they hold.
    pub fn pack(&self, limits: &Limits, unix_ns: u64) -> (Vec<Bytes>, usize) {
        let (mut items, mut round_bytes) = (Vec::new(), 0);
        for item in &self.items {
            round_bytes += item.bytes();
            if round_bytes > limits.round_bytes && !items.is_empty() {
                break;
            }
            items.push(item.clone());
        }
        let count = items.len();
        let entries = pieces(items, limits.entry_bytes).into_iter().map(|piece| {
            let items =
                piece.into_iter().map(|Item { origin, ticket, command }| wire::Item { origin, ticket, command });
            let entry = wire::Entry { time_unix_ns: unix_ns, items: items.collect(), ..wire::Entry::default() };
            Bytes::from(entry.encode_to_vec())
        });
        (entries.collect(), count)
    }

    /// The round that `pack` gave is in the log; its last entry stands at `last`.
    pub fn proposed(&mut self, items: usize, last: u64) {
        self.items.drain(..items);
        self.rounds.push_back(last);
    }

    /// Everything up to this index is committed.
    pub fn committed(&mut self, index: u64) {
        while self.rounds.front().is_some_and(|last| *last <= index) {
            self.rounds.pop_front();
        }
    }
}

/// Tickets of this node's items in an entry's data. Data that is none (it came from another release) has none.
pub(crate) fn tickets_of(me: NodeId, data: Bytes) -> Vec<Ticket> {
    let Ok(entry) = wire::Entry::decode(data) else { return Vec::new() };
    entry.items.iter().filter(|item| item.origin == me).map(|item| item.ticket).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(ticket: Ticket, bytes: usize) -> Item {
        Item { origin: 1, ticket, command: vec![7; bytes].into() }
    }

    fn tickets(items: &[Item]) -> Vec<Ticket> {
        items.iter().map(|item| item.ticket).collect()
    }

    #[test]
    fn each_is_sent_once_until_something_is_new() {
        let mut pending = Pending::new();
        pending.add(item(1, 10));
        pending.add(item(2, 10));
        assert_eq!(tickets(&pending.next(1000)), [1, 2]);
        assert_eq!(tickets(&pending.next(1000)), []);
        pending.add(item(3, 10));
        assert_eq!(tickets(&pending.next(1000)), [3]);
        assert!(pending.settle(1));
        pending.forget_sent();
        assert_eq!(tickets(&pending.next(1000)), [2, 3]);
    }

    #[test]
    fn what_is_on_its_way_is_bounded_and_never_stuck() {
        let mut pending = Pending::new();
        pending.add(item(1, 5000));
        pending.add(item(2, 10));
        assert_eq!(tickets(&pending.next(1000)), [1], "even a large one goes, alone");
        assert_eq!(tickets(&pending.next(1000)), []);
        pending.settle(1);
        assert_eq!(tickets(&pending.next(1000)), [2]);
        pending.settle(2);
        assert_eq!((pending.len(), pending.bytes(), pending.sent_bytes), (0, 0, 0));
    }

    #[test]
    #[should_panic(expected = "tickets only grow")]
    fn a_ticket_that_does_not_grow_is_a_mistake_of_the_driver() {
        let mut pending = Pending::new();
        pending.add(item(2, 1));
        pending.add(item(2, 1));
    }

    #[test]
    fn a_new_link_drops_what_its_origin_sends_again() {
        let mut queue = Queue::new();
        queue.extend([item(1, 1), Item { origin: 2, ..item(5, 1) }, item(2, 1)]);
        queue.forget(1);
        let (entries, count) = queue.pack(&Limits::default(), 9);
        assert_eq!((entries.len(), count), (1, 1));
        assert_eq!(tickets_of(2, entries[0].clone()), [5]);
        assert_eq!(tickets_of(1, entries[0].clone()), []);
    }

    #[test]
    fn entries_and_rounds_are_bounded() {
        let limits = Limits { entry_bytes: 300, round_bytes: 1000, ..Limits::default() };
        let mut queue = Queue::new();
        queue.extend((1..=30).map(|ticket| item(ticket, 76)));
        let (entries, count) = queue.pack(&limits, 9);
        assert_eq!((entries.len(), count), (4, 10), "ten of 100 bytes each, three to an entry");
        queue.proposed(count, 40);
        assert_eq!((queue.items.len(), queue.rounds()), (20, 1));
        queue.committed(39);
        assert_eq!(queue.rounds(), 1);
        queue.committed(40);
        assert_eq!(queue.rounds(), 0);
    }

    #[test]
    fn data_of_another_release_has_no_tickets() {
        assert_eq!(tickets_of(1, Bytes::from_static(b"\xff\xff\xff")), []);
        assert_eq!(tickets_of(1, Bytes::new()), []);
    }
}
