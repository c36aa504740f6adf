//! What was handed out to be written, and what must wait for it: the order of persist and send (ARCHITECTURE.md, rule 2).
//!
//! raft-rs numbers what it hands out (`Ready`) and wants to hear of each when it is on disk. Most of them are a write; one
//! that brings nothing but a new commit index is none: it need not be on disk, and rides with the next write that must.

use std::collections::VecDeque;

use raft::eraftpb::{HardState, Message, MessageType, SnapshotMetadata};

use crate::event::Write;

/// Far more than a group has members; garbage must not fill the memory.
const MOST_EARLY_VOTES: usize = 64;

/// What raft hears when a write is on disk.
pub(crate) enum After {
    Ready { number: u64, last: u64, term: u64, restored: Option<SnapshotMetadata>, messages: Vec<Message> },
    Compaction { point: SnapshotMetadata },
}

pub(crate) struct Flights {
    queue: VecDeque<(u64, After)>,
    /// Order of the last write that was made, and of the last one that is on disk.
    made: u64,
    written: u64,
    /// A commit index that is not on disk and need not be.
    riding: Option<HardState>,
    /// The term on disk.
    term: u64,
    /// Order of the write that holds this member's own vote as candidate. The others are asked while it is under way; what
    /// they answer is counted once it is on disk, so nobody leads by a vote that a crash could take back.
    own_vote: u64,
    early_votes: Vec<Message>,
}

impl Flights {
    pub fn new(hard: &HardState) -> Flights {
        Flights {
            queue: VecDeque::new(),
            made: 0,
            written: 0,
            riding: None,
            term: hard.term,
            own_vote: 0,
            early_votes: Vec::new(),
        }
    }

    /// Nothing is on its way to the disk.
    pub fn landed(&self) -> bool {
        self.written == self.made
    }

    /// Gives the write its place in the order; what follows it waits for it.
    pub fn write(&mut self, write: &mut Write, after: After) {
        self.made += 1;
        write.order = self.made;
        if let Some(riding) = self.riding.take() {
            write.hard.get_or_insert(riding);
        }
        self.queue.push_back((self.made, after));
    }

    /// Nothing of it needs the disk: what follows waits only for the writes before it.
    pub fn no_write(&mut self, hard: Option<HardState>, after: After) {
        if hard.is_some() {
            self.riding = hard;
        }
        self.queue.push_back((self.made, after));
    }

    /// This member's own vote is in the write that was made last.
    pub fn own_vote(&mut self) {
        self.own_vote = self.made;
    }

    /// Keeps a vote that came before this member's own is on disk; gives it back if it may be counted now.
    pub fn count_vote(&mut self, vote: Message) -> Option<Message> {
        if self.written >= self.own_vote {
            return Some(vote);
        }
        if self.early_votes.len() < MOST_EARLY_VOTES {
            self.early_votes.push(vote);
        }
        None
    }

    /// Writes up to this order are on disk.
    pub fn landed_up_to(&mut self, order: u64) {
        assert!(order >= self.written && order <= self.made, "write {order} of {}", self.made);
        self.written = order;
    }

    /// The next thing that waits for nothing any more, in order.
    pub fn next(&mut self) -> Option<After> {
        let (order, _) = self.queue.front()?;
        if *order > self.written {
            return None;
        }
        let (_, after) = self.queue.pop_front()?;
        if let After::Ready { term, .. } = &after {
            self.term = *term;
        }
        Some(after)
    }

    /// Votes that came early and count now.
    pub fn early_votes(&mut self) -> Vec<Message> {
        if self.written >= self.own_vote {
            std::mem::take(&mut self.early_votes)
        } else {
            Vec::new()
        }
    }

    /// Of messages that raft lets wait for the disk, those that need not: they promise nothing that a crash could take
    /// back. `write`: what the same Ready has to write.
    ///
    /// - A question for a read index.
    /// - That a heartbeat was heard, of a term that is on disk: on a slow disk a leader must not take its followers for
    ///   dead. It says nothing of the log.
    /// - A candidate's request for votes, if the log that it speaks of is on disk: after a crash this member must not be
    ///   found with less than what the votes were given for. Its own vote is counted later (`own_vote`).
    pub fn need_not_wait(&self, write: &Write, messages: Vec<Message>) -> (Vec<Message>, Vec<Message>) {
        let log_landed = self.landed() && write.entries.is_empty() && write.restore.is_none();
        messages.into_iter().partition(|message| match message.get_msg_type() {
            MessageType::MsgReadIndex => true,
            MessageType::MsgHeartbeatResponse => message.term == self.term,
            MessageType::MsgRequestVote => log_landed,
            _ => false,
        })
    }
}
