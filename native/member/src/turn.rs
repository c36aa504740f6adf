//! What a turn does with raft, in this order, which must hold (ARCHITECTURE.md, rules 1-3):
//!
//! 1. notice a change of leader, so that what waits for the new one goes with its first entry into one write
//! 2. propose what queued
//! 3. for each Ready: send what may go before the disk, hand out its write, hand out what is committed
//! 4. once written (`Event::Written`): send what had to wait (votes, acknowledgements), and turn again

use bytes::Bytes;
use raft::eraftpb::{Entry, EntryType, Message, MessageType, SnapshotMetadata};
use raft::StateRole;

use crate::event::{Action, Committed, Frame, Role, View, Write};
use crate::flights::After;
use crate::member::{Fetching, Member};
use crate::proposals::{pieces, tickets_of};

impl Member {
    pub(crate) fn turn(&mut self) {
        if self.fetching.is_some() {
            return;
        }
        loop {
            self.notice_view();
            self.send_pending();
            self.propose();
            self.announce();
            self.ask_reads();
            if !self.raft.has_ready() {
                break;
            }
            self.take_ready();
            if self.fetching.is_some() {
                return;
            }
            self.complete();
        }
        self.hand_out_reads();
    }

    fn notice_view(&mut self) {
        let raft = &self.raft.raft;
        let view = View { role: role(raft.state), leader: raft.leader_id, term: raft.term };
        if view == self.view {
            return;
        }
        let old = std::mem::replace(&mut self.view, view);
        assert!(view.term >= old.term, "a term never goes back");
        self.queue.clear();
        self.gather_until = None;
        self.announced = 0;
        self.failover.role_is(view.role);
        if view.leader != 0 && (view.leader, view.term) != (old.leader, old.term) {
            self.pending.forget_sent();
            self.reads.ask_soon();
            self.leader_known();
        }
        self.out.push(Action::View(view));
    }

    // -- proposals ---------------------------------------------------------------------------------------------------

    /// Own proposals, to whoever leads.
    fn send_pending(&mut self) {
        if self.view.leads() {
            self.queue.extend(self.pending.next(self.limits.forward_bytes));
        } else if self.links.contains_key(&self.view.leader) {
            for items in pieces(self.pending.next(self.limits.forward_bytes), self.limits.frame_bytes) {
                let frame = Frame::Forward { term: self.view.term, items };
                self.out.push(Action::Send { to: self.view.leader, frame });
            }
        }
    }

    fn propose(&mut self) {
        let transferring = self.raft.raft.lead_transferee.is_some(); // raft takes nothing meanwhile
        if !self.view.leads() || self.queue.is_empty() || transferring || !self.gathered() {
            return;
        }
        let (entries, items) = self.queue.pack(&self.limits, self.now.unix_ns);
        let entries: Vec<Entry> = entries.into_iter().map(|data| Entry { data, ..Entry::default() }).collect();
        let mut message = Message { from: self.me, ..Message::default() };
        message.set_msg_type(MessageType::MsgPropose);
        message.set_entries(entries.into());
        // what raft does not take (too much is uncommitted) stays queued for a later turn
        if self.raft.step(message).is_ok() {
            let log = &self.raft.raft.raft_log;
            self.queue.proposed(items, log.last_index());
            self.announced = log.committed; // the appends carry it
        }
    }

    /// Whether a round may begin. A lone write never waits; while rounds are on their way, the next one waits a little so
    /// that it grows.
    fn gathered(&mut self) -> bool {
        let now = self.now.monotonic;
        if self.queue.rounds() == 0 {
            self.gather_until = None;
            return true;
        }
        if self.queue.rounds() >= self.limits.rounds {
            self.gather_until = None; // the end of a round is an event of its own
            return false;
        }
        if now < *self.gather_until.get_or_insert(now + self.timing.gather) {
            return false;
        }
        self.gather_until = None;
        true
    }

    /// As leader: tells the followers of a new commit index at once, unless the entries just proposed have carried it.
    fn announce(&mut self) {
        let committed = self.raft.raft.raft_log.committed;
        if self.view.leads() && committed > self.announced {
            self.announced = committed;
            self.raft.raft.bcast_append();
        }
    }

    // -- reads -------------------------------------------------------------------------------------------------------

    /// As leader not before it has committed in its own term: raft would drop the request.
    pub(crate) fn can_ask_reads(&self) -> bool {
        if self.view.leads() {
            self.raft.raft.commit_to_current_term()
        } else {
            self.links.contains_key(&self.view.leader)
        }
    }

    fn ask_reads(&mut self) {
        if self.can_ask_reads() {
            if let Some(context) = self.reads.due(self.now.monotonic, &self.timing) {
                self.raft.read_index(context);
            }
        }
    }

    fn hand_out_reads(&mut self) {
        for (index, tickets) in self.reads.ripe(self.handed_out()) {
            self.out.push(Action::Read { tickets, index });
        }
    }

    // -- ready -------------------------------------------------------------------------------------------------------

    fn take_ready(&mut self) {
        let mut ready = self.raft.ready();
        let must_write = ready.must_sync();
        let mut write = Write { hard: ready.hs().cloned(), entries: ready.take_entries(), ..Write::default() };
        if !ready.snapshot().is_empty() {
            let start = ready.snapshot().get_metadata().clone();
            self.restore(&start);
            write.hard.get_or_insert_with(|| self.raft.store().hard().clone()); // a restore leaves nothing else on disk
            write.restore = Some(start);
        }
        let store = self.raft.mut_store();
        store.append(&write.entries);
        if let Some(hard) = &write.hard {
            if hard.term > store.hard().term && hard.vote != self.me {
                self.failover.another_campaigns(self.now.monotonic);
            }
            store.set_hard(hard.clone());
        }
        for message in ready.take_messages() {
            self.send(message);
        }
        for read in ready.take_read_states() {
            self.reads.confirmed(&read.request_ctx, read.index);
        }
        let (early, waiting) = self.flights.need_not_wait(&write, ready.take_persisted_messages());
        for message in early {
            self.send(message);
        }
        let after = After::Ready {
            number: ready.number(),
            last: write.entries.last().map_or(0, |entry| entry.index),
            term: self.raft.store().hard().term,
            restored: write.restore.clone(),
            messages: waiting,
        };
        let committed = ready.take_committed_entries();
        self.raft.advance_append_async(ready); // from here on raft reads what is in the write from the store
        self.hand_out_write(must_write, write, after);
        self.commit(committed);
    }

    fn hand_out_write(&mut self, must_write: bool, mut write: Write, after: After) {
        if !must_write {
            return self.flights.no_write(write.hard, after);
        }
        let votes = write.hard.is_some() && self.raft.raft.state == StateRole::Candidate;
        self.flights.write(&mut write, after);
        if votes {
            self.flights.own_vote();
        }
        match write.restore.as_ref().map(|start| start.index) {
            Some(index) if index > self.skip => {
                self.out.push(Action::FetchState { index });
                self.fetching = Some(Fetching { index, write });
            }
            _ => self.out.push(Action::Write(write)),
        }
    }

    /// What waited for writes that are on disk now, in order.
    pub(crate) fn complete(&mut self) {
        while let Some(after) = self.flights.next() {
            match after {
                After::Compaction { point } => self.compaction_landed(point),
                After::Ready { number, last, restored, messages, .. } => {
                    self.raft.on_persist_ready(number);
                    if let Some(start) = restored {
                        self.restoring -= 1;
                        self.raft.mut_store().set_point(start);
                        // Not before: raft ends the process if a snapshot counts as applied that is not durable (rule 4);
                        // there may be a second one behind this, and `walked` is that one's then.
                        if self.restoring == 0 {
                            self.raft.advance_apply_to(self.walked);
                        }
                    }
                    if last > 0 && self.raft.raft.raft_log.persisted >= last {
                        self.raft.mut_store().set_durable(last);
                    }
                    for message in messages {
                        self.send(message);
                    }
                }
            }
        }
        for vote in self.flights.early_votes() {
            let _ = self.tell_raft(vote); // it was screened when it came
        }
    }

    fn send(&mut self, message: Message) {
        if !self.links.contains_key(&message.to) || self.is_echo(&message) {
            return;
        }
        self.out.push(Action::Send { to: message.to, frame: Frame::Raft(message) });
    }

    /// An acknowledgement that this link has carried already: it answers a mere notice of commit.
    fn is_echo(&mut self, message: &Message) -> bool {
        if message.get_msg_type() != MessageType::MsgAppendResponse {
            return false;
        }
        if message.reject {
            self.acknowledged.remove(&message.to); // the leader probes, and waits for an answer again
            return false;
        }
        let what = (message.term, message.index);
        self.acknowledged.insert(message.to, what) == Some(what)
    }

    /// Hands committed entries out, in log order.
    fn commit(&mut self, entries: Vec<Entry>) {
        let Some(last) = entries.last().map(|entry| entry.index) else { return };
        for entry in entries {
            assert!(entry.index == self.walked + 1, "entry {} behind {}", entry.index, self.walked);
            self.walked = entry.index;
            if entry.get_entry_type() != EntryType::EntryNormal {
                self.memberships.apply(&mut self.raft, &entry);
                self.note_membership();
                let (index, term) = (entry.index, entry.term);
                let mut changed = SnapshotMetadata { index, term, ..SnapshotMetadata::default() };
                changed.set_conf_state(self.memberships.at(index));
                self.raft.mut_store().set_changed(changed);
            }
            if entry.index > self.skip {
                self.hand_out(entry);
            }
        }
        self.queue.committed(last);
        // raft needs this only to know which membership is in force, and that it now is
        self.raft.advance_apply_to(last);
        self.step_down_if_removed();
    }

    /// A leader that has been removed, or made a learner, stops leading once that is committed (raft thesis 4.2.2); raft-rs
    /// leaves it to us, and would look for itself among the members. It says first that its removal is committed.
    fn step_down_if_removed(&mut self) {
        let raft = &mut self.raft.raft;
        if raft.state == StateRole::Leader && !raft.promotable() {
            raft.bcast_append();
            raft.become_follower(raft.term, 0);
        }
    }

    fn hand_out(&mut self, entry: Entry) {
        let Entry { index, term, .. } = entry;
        let (data, own) = match entry.get_entry_type() {
            EntryType::EntryNormal => {
                let mut own = tickets_of(self.me, entry.data.clone());
                own.retain(|ticket| self.pending.settle(*ticket));
                (entry.data, own)
            }
            _ => (Bytes::new(), Vec::new()),
        };
        self.out.push(Action::Commit(Committed { index, term, data, own }));
    }
}

fn role(state: StateRole) -> Role {
    match state {
        StateRole::Follower => Role::Follower,
        StateRole::PreCandidate => Role::PreCandidate,
        StateRole::Candidate => Role::Candidate,
        StateRole::Leader => Role::Leader,
    }
}
