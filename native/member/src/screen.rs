//! What may come from a peer.
//!
//! raft-rs takes its peers at their word: a message that contradicts this member's log ends the process, and one broken
//! peer could end them all. Here such a message is refused before raft sees it. Each rule names what raft would do.
//! This is no defence against a member that lies within the rules; Raft has none.

use std::collections::HashSet;

use protobuf::Message as _;
use raft::eraftpb::{ConfChange, ConfChangeV2, ConfState, Entry, EntryType, Message, MessageType, Snapshot};
use raft::{Raft, StateRole};

use crate::store::Store;

/// Terms and indexes never come near this; sums of them must not overflow.
const SANE: u64 = 1 << 48;

/// True: raft may have it. False: it is not for this member, or not for now; drop it. Err: it cannot be true. `from` was
/// held against the link that it came over before.
pub(crate) fn screen(message: &Message, raft: &Raft<Store>) -> Result<bool, &'static str> {
    if message.to != raft.id {
        return Ok(false);
    }
    let Message { from, term, log_term, index, commit, commit_term, reject_hint, .. } = *message;
    if from == 0 || from == raft.id {
        return Err("it names no peer as its sender");
    }
    if [term, log_term, index, commit, commit_term, reject_hint].iter().any(|number| *number >= SANE) {
        return Err("a number in it is beyond all terms and positions");
    }
    let leads = raft.state == StateRole::Leader;
    match message.get_msg_type() {
        MessageType::MsgPropose => Ok(false), // clients go to the leader
        // a follower would pass these two on, and that ends the process if they carry a term (`send` in raft.rs)
        MessageType::MsgTransferLeader => Ok(leads),
        MessageType::MsgReadIndex => Ok(leads && term == 0 && message.entries.len() == 1),
        _ if term == 0 => Err("it has no term"), // raft would take it for a message of its own
        _ if term < raft.term => Ok(true),       // raft drops it, or answers with its own term
        _ => check_current(message, raft).map(|()| true),
    }
}

/// What raft will act upon: a message of its term, or of a later one.
fn check_current(message: &Message, raft: &Raft<Store>) -> Result<(), &'static str> {
    let last = raft.raft_log.last_index();
    let answers_leader = raft.state == StateRole::Leader && message.term == raft.term;
    match message.get_msg_type() {
        MessageType::MsgAppend => check_append(message, raft),
        MessageType::MsgSnapshot => check_snapshot(message.get_snapshot(), message.term),
        MessageType::MsgHeartbeat if message.commit > last => Err("it commits what this log does not have"),
        MessageType::MsgAppendResponse if message.request_snapshot != 0 => Err("no member asks for snapshots"),
        MessageType::MsgAppendResponse if answers_leader && message.index.max(message.reject_hint) > last => {
            Err("it acknowledges what was never sent")
        }
        _ => Ok(()),
    }
}

/// Entries follow each other, and the log up to its commit index is never contradicted.
fn check_append(message: &Message, raft: &Raft<Store>) -> Result<(), &'static str> {
    let committed = raft.raft_log.committed;
    let committed_term = raft.raft_log.term(committed).unwrap_or(0);
    if message.index >= committed && message.log_term < committed_term {
        return Err("it contradicts what is committed");
    }
    let (mut index, mut term) = (message.index, message.log_term);
    for entry in message.get_entries() {
        if entry.index != index + 1 || entry.term < term || entry.term > message.term {
            return Err("its entries do not follow each other");
        }
        check_change(entry)?;
        (index, term) = (entry.index, entry.term);
    }
    Ok(())
}

/// A change of membership must be one: it is read only when it is committed, and then it is too late to refuse it.
fn check_change(entry: &Entry) -> Result<(), &'static str> {
    let parsed = match entry.get_entry_type() {
        EntryType::EntryNormal => true,
        EntryType::EntryConfChange => ConfChange::parse_from_bytes(&entry.data).is_ok(),
        EntryType::EntryConfChangeV2 => ConfChangeV2::parse_from_bytes(&entry.data).is_ok(),
    };
    if parsed {
        Ok(())
    } else {
        Err("a change of membership in it is garbled")
    }
}

/// A snapshot names a position and a membership that can exist; raft ends the process at one that cannot.
fn check_snapshot(snapshot: &Snapshot, term: u64) -> Result<(), &'static str> {
    let start = snapshot.get_metadata();
    if start.index == 0 || start.index >= SANE || start.term == 0 || start.term > term {
        return Err("its position cannot exist");
    }
    if !snapshot.data.is_empty() {
        return Err("it brings data, but states travel outside of raft");
    }
    if is_membership(start.get_conf_state()) {
        Ok(())
    } else {
        Err("its membership cannot exist")
    }
}

/// The invariants of a membership (`check_invariants` of raft-rs, raft thesis 4.3).
fn is_membership(members: &ConfState) -> bool {
    let ConfState { voters, learners, voters_outgoing, learners_next, .. } = members;
    let lists = [voters, learners, voters_outgoing, learners_next];
    let distinct = |list: &Vec<u64>| !list.contains(&0) && list.iter().collect::<HashSet<_>>().len() == list.len();
    let apart = |one: &[u64], other: &[u64]| one.iter().all(|id| !other.contains(id));
    !voters.is_empty()
        && lists.into_iter().all(distinct)
        && apart(learners, voters)
        && apart(learners, voters_outgoing)
        && apart(learners_next, learners)
        && apart(learners_next, voters)
        && learners_next.iter().all(|id| voters_outgoing.contains(id))
        && (!members.auto_leave || !voters_outgoing.is_empty())
}
