//! `Group`: one member of one Raft group; TiKV's `RawNode` with its rules of order built in.
//!
//! Not locked: a group belongs to one thread (the owner's event loop).

use std::collections::HashSet;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use raft::eraftpb::{Entry, EntryType, Message, MessageType, SnapshotMetadata};
use raft::{Error, ProgressState, RawNode, SnapshotStatus, StateRole, Storage};

use crate::disk::{Compaction, Disk, Job};
use crate::members::{proposal, Members};
use crate::opening::{Opened, Opening};
use crate::packets::{pack, unpack, Packets};
use crate::ready::{After, Ready, Sequence, Write, CLOSED};
use crate::screen::{screen, PACKET_BYTES};
use crate::status::{role, Progress, Status};
use crate::store::Store;
use crate::{raft_error, Compacted, ProposalDropped, RaftError};

/// Far more than a group has members; garbage must not fill the memory.
const MOST_EARLY_VOTES: usize = 64;

#[pyclass(module = "raftlog")]
pub struct Group {
    id: u64,
    node: RawNode<Store>,
    members: Members,
    /// What raft has handed out to be applied.
    applied: u64,
    /// What the state had applied already when the group was opened; nothing up to here is handed out again.
    skip: u64,
    /// Snapshots that were handed out and are not on disk yet. Meanwhile this member starts no election: raft would look
    /// for the entries between what was applied and the snapshot, which are gone, and end the process.
    restoring: usize,
    /// Newest compaction point that was handed out to be written.
    compacted: u64,
    /// Number of the last write that was handed out, and of the last one that was reported persisted.
    handed_out: u64,
    persisted: u64,
    /// Number of the write that holds this member's own vote as candidate. The others are asked while it is under way;
    /// what they answer is counted once it is on disk, so nobody leads by a vote that a crash could take back.
    own_vote: u64,
    early_votes: Vec<Message>,
    sequence: Arc<Sequence>,
    /// The log's register of open groups, to leave it in the end.
    open: Arc<Mutex<HashSet<u64>>>,
}

impl Drop for Group {
    fn drop(&mut self) {
        self.sequence.taken.store(CLOSED, SeqCst);
        self.open.lock().expect("no panic is survived").remove(&self.id);
    }
}

impl Group {
    pub fn open(disk: &Arc<Disk>, opening: &Opening, open: Arc<Mutex<HashSet<u64>>>) -> PyResult<Group> {
        let Opened { node, applied, state } = opening.read(disk)?;
        Ok(Group {
            id: opening.id,
            members: Members::at_point(node.store().point()),
            compacted: node.store().point().index,
            node,
            applied,
            skip: state,
            restoring: 0,
            handed_out: 0,
            persisted: 0,
            own_vote: 0,
            early_votes: Vec::new(),
            sequence: Arc::default(),
            open,
        })
    }

    fn hand_out(&mut self, job: Job, after: After) -> Write {
        self.handed_out += 1;
        Write::new(self.handed_out, self.sequence.clone(), self.node.store().disk().clone(), job, after)
    }

    /// Takes what has to be written out of a raft Ready; the store has it from here on.
    fn job(&mut self, ready: &mut raft::Ready) -> Job {
        let mut job = Job { group: self.id, sync: ready.must_sync(), hard: ready.hs().cloned(), ..Job::default() };
        if !ready.snapshot().is_empty() {
            let start = ready.snapshot().get_metadata().clone();
            self.restore(&start);
            job.hard.get_or_insert_with(|| self.node.store().hard().clone()); // on disk a restore leaves nothing else
            job.sync = true;
            job.restore = Some(start);
        }
        job.entries = ready.take_entries();
        let store = self.node.mut_store();
        store.append(&job.entries);
        if let Some(hard) = &job.hard {
            store.set_hard(hard.clone());
        }
        job
    }

    /// A snapshot from the leader: from here on the log begins at it.
    fn restore(&mut self, start: &SnapshotMetadata) {
        self.node.mut_store().restore(start);
        self.members = Members::at_point(start);
        self.applied = start.index;
        self.compacted = start.index;
        self.restoring += 1;
    }

    fn take_in(&mut self, message: Message) -> PyResult<()> {
        match self.node.step(message) {
            // not from a member, or dropped by a leader that is on its way out: the sender asks again
            Ok(()) | Err(Error::StepPeerNotFound | Error::StepLocalMsg | Error::ProposalDropped) => Ok(()),
            Err(error) => Err(raft_error(error)),
        }
    }

    /// A candidate's requests for votes need not wait for its own vote to be on disk (`own_vote`), if the log that they
    /// speak of is: after a crash this member must not be found with less than what the votes were given for.
    fn ask_early(&mut self, job: &Job, messages: &mut Vec<Message>, waiting: &mut Vec<Message>) {
        if self.persisted < self.handed_out || !job.entries.is_empty() || job.restore.is_some() {
            return;
        }
        let (requests, others) = std::mem::take(waiting)
            .into_iter()
            .partition(|message| message.get_msg_type() == MessageType::MsgRequestVote);
        *waiting = others;
        messages.extend::<Vec<Message>>(requests);
    }

    /// Takes committed entries over, in log order; returns those that are for the state machine.
    fn commit(&mut self, py: Python<'_>, entries: Vec<Entry>) -> PyResult<Vec<(u64, Py<PyBytes>)>> {
        let mut committed = Vec::with_capacity(entries.len());
        for entry in &entries {
            self.applied = entry.index;
            match entry.get_entry_type() {
                EntryType::EntryNormal if entry.data.is_empty() => {} // the first entry of a new leader
                EntryType::EntryNormal if entry.index <= self.skip => {}
                EntryType::EntryNormal => committed.push((entry.index, PyBytes::new(py, &entry.data).unbind())),
                _ => self.members.apply(&mut self.node, entry)?,
            }
        }
        if !entries.is_empty() {
            // raft needs this only to know which membership is in force, and that it now does
            self.node.advance_apply_to(self.applied);
        }
        Ok(committed)
    }
}

#[pymethods]
impl Group {
    #[classattr]
    const FOLLOWER: u8 = 0;
    #[classattr]
    const PRECANDIDATE: u8 = 1;
    #[classattr]
    const CANDIDATE: u8 = 2;
    #[classattr]
    const LEADER: u8 = 3;

    /// One tick has passed. True: look for a `ready`.
    fn tick(&mut self) -> bool {
        self.restoring == 0 && self.node.tick()
    }

    /// One packet from a peer. What cannot be is refused with RaftError; it is not taken for a broken invariant of this
    /// member, which would end the process. Proposals are never taken from peers: clients go to the leader.
    fn step(&mut self, packet: &[u8]) -> PyResult<()> {
        if packet.len() > PACKET_BYTES {
            return Err(PyValueError::new_err(format!("a packet has at most {PACKET_BYTES} bytes")));
        }
        for message in unpack(packet).map_err(|error| RaftError::new_err(format!("garbled packet: {error}")))? {
            let asks_to_campaign = message.get_msg_type() == MessageType::MsgTimeoutNow;
            if !screen(&message, &self.node.raft).map_err(RaftError::new_err)? || asks_to_campaign && self.restoring > 0
            {
                continue;
            }
            let vote = message.get_msg_type() == MessageType::MsgRequestVoteResponse;
            if vote && self.persisted < self.own_vote && self.early_votes.len() < MOST_EARLY_VOTES {
                self.early_votes.push(message);
            } else if !vote || self.persisted >= self.own_vote {
                self.take_in(message)?;
            }
        }
        Ok(())
    }

    /// Appends entries as leader. They get consecutive indexes; returns the first one and the term.
    fn propose(&mut self, batch: Vec<PyBackedBytes>) -> PyResult<(u64, u64)> {
        if batch.iter().any(|data| data.is_empty()) {
            return Err(PyValueError::new_err("an entry may not be empty"));
        }
        if batch.is_empty() || self.node.raft.state != StateRole::Leader {
            return Err(ProposalDropped::new_err("nothing to propose, or not the leader"));
        }
        let entries: Vec<Entry> =
            batch.iter().map(|data| Entry { data: data.to_vec().into(), ..Entry::default() }).collect();
        let mut message = Message { from: self.node.raft.id, ..Message::default() };
        message.set_msg_type(MessageType::MsgPropose);
        message.set_entries(entries.into());
        let first = self.node.raft.raft_log.last_index() + 1;
        self.node.raft.step(message).map_err(raft_error)?;
        Ok((first, self.node.raft.term))
    }

    /// Proposes a change of membership as leader: `[("voter" | "learner" | "remove", node)]`. Several at once go through
    /// joint consensus.
    fn propose_conf(&mut self, changes: Vec<(String, u64)>) -> PyResult<()> {
        self.node.propose_conf_change(vec![], proposal(changes)?).map_err(raft_error)
    }

    /// Starts an election with pre-vote: it asks whether it could win, and deposes nobody if it could not.
    fn campaign(&mut self) -> PyResult<()> {
        if self.restoring > 0 {
            return Ok(());
        }
        self.node.campaign().map_err(raft_error)
    }

    /// Starts an election without pre-vote, in which voters ignore the leader's lease. Safe at any time (one vote per
    /// term, and only for a log that is complete), but it deposes a live leader: only for one that is known to be dead
    /// (ARCHITECTURE.md, rule 11).
    fn campaign_now(&mut self) -> PyResult<()> {
        let raft = &mut self.node.raft;
        if raft.state == StateRole::Leader || self.restoring > 0 {
            return Ok(());
        }
        if raft.state != StateRole::Follower {
            raft.become_follower(raft.term, 0); // only a follower listens to MsgTimeoutNow
        }
        let mut message = Message { from: raft.id, to: raft.id, term: raft.term, ..Message::default() };
        message.set_msg_type(MessageType::MsgTimeoutNow);
        raft.step(message).map_err(raft_error)
    }

    /// Forgets `leader` if it is the one: this member then grants votes before the lease has run out. In raft-rs a lease
    /// is in force while `leader_id` is set, so this is all it takes.
    fn forget_leader(&mut self, leader: u64) {
        let raft = &mut self.node.raft;
        if raft.state != StateRole::Leader && raft.leader_id == leader {
            raft.leader_id = 0;
        }
    }

    /// As leader, hands leadership to `to` once it has the whole log; needs no disk on this side.
    fn transfer_leader(&mut self, to: u64) {
        self.node.transfer_leader(to);
    }

    /// Asks for a read point; it comes back in `Ready.reads`. False: nothing was asked, try again later. True is no
    /// promise: a change of leader loses the request (ARCHITECTURE.md, rule 10).
    fn read_index(&mut self, context: &[u8]) -> bool {
        let raft = &self.node.raft;
        let possible = match raft.state {
            // before that, raft drops it silently: what was committed before is not known yet (raft paper, 8)
            StateRole::Leader => raft.commit_to_current_term(),
            _ => raft.leader_id != 0,
        };
        if possible {
            self.node.read_index(context.to_vec());
        }
        possible
    }

    /// Packets to this peer may have been lost: probe it again, and tell it again if it was told to fetch the state.
    fn unreachable(&mut self, peer: u64) {
        self.node.report_unreachable(peer);
        let progress = self.node.raft.prs().get(peer);
        if progress.is_some_and(|progress| progress.state == ProgressState::Snapshot) {
            self.node.report_snapshot(peer, SnapshotStatus::Failure);
        }
    }

    /// What there is to do now, None if nothing. Call it until it says None.
    fn ready(&mut self, py: Python<'_>) -> PyResult<Option<Ready>> {
        if !self.node.has_ready() {
            return Ok(None);
        }
        let mut ready = self.node.ready();
        let job = self.job(&mut ready);
        let (mut messages, reads, entries) =
            (ready.take_messages(), ready.take_read_states(), ready.take_committed_entries());
        let mut waiting = ready.take_persisted_messages();
        self.ask_early(&job, &mut messages, &mut waiting);
        let after = After::Ready {
            number: ready.number(),
            last: job.entries.last().map_or(0, |entry| entry.index),
            restored: job.restore.clone(),
            messages: waiting,
        };
        let restored = job.restore.as_ref().map(|start| start.index);
        self.node.advance_append_async(ready); // from here on raft reads what is in the job from the store
        let committed = self.commit(py, entries)?;
        let votes = job.hard.is_some() && self.node.raft.state == StateRole::Candidate;
        let write = self.hand_out(job, after);
        if votes {
            self.own_vote = write.order;
        }
        let raft = &self.node.raft;
        Ok(Some(Ready {
            role: role(raft.state),
            leader: raft.leader_id,
            term: raft.term,
            messages: pack(py, messages),
            snapshot: restored.filter(|index| *index > self.skip),
            committed,
            applied: self.applied.max(self.skip),
            reads: reads.into_iter().map(|r| (PyBytes::new(py, &r.request_ctx).unbind(), r.index)).collect(),
            write: Py::new(py, write)?,
        }))
    }

    /// Tells raft that this write is on disk; returns the packets that had to wait for it.
    fn persisted(&mut self, py: Python<'_>, write: Py<Write>) -> PyResult<Packets> {
        let write = write.get();
        let next = Arc::ptr_eq(&write.sequence, &self.sequence) && write.order == self.persisted + 1;
        let after = if next { write.take_after() } else { None };
        let after = after.ok_or_else(|| PyRuntimeError::new_err("persisted: not written yet, or out of order"))?;
        self.persisted = write.order;
        match after {
            After::Ready { number, last, restored, messages } => {
                self.node.on_persist_ready(number);
                if let Some(start) = restored {
                    self.restoring -= 1;
                    self.node.mut_store().set_point(start);
                    // not before: raft ends the process if a snapshot counts as applied that is not durable (rule 4)
                    self.node.advance_apply_to(self.applied);
                }
                if last > 0 && self.node.raft.raft_log.persisted >= last {
                    self.node.mut_store().set_durable(last);
                }
                if self.persisted >= self.own_vote {
                    for vote in std::mem::take(&mut self.early_votes) {
                        self.take_in(vote)?;
                    }
                }
                Ok(pack(py, messages))
            }
            After::Compaction { point } => {
                self.members.forget_before(point.index);
                self.node.mut_store().set_point(point);
                Ok(vec![])
            }
        }
    }

    /// The state machine is durable up to `index`: a follower that needs older entries than the `keep` ones before it is
    /// told to fetch the state instead, and those entries go. The write is passed on like that of a `Ready`.
    #[pyo3(signature = (index, keep = 1000))]
    fn compact(&mut self, index: u64, keep: u64) -> PyResult<Write> {
        if index <= self.compacted {
            return Err(Compacted::new_err(format!("the log is compacted at {} already", self.compacted)));
        }
        if index > self.applied {
            return Err(PyValueError::new_err(format!("{index} is not applied yet, {} is", self.applied)));
        }
        let store = self.node.store();
        let at = |index| Ok(SnapshotMetadata { index, term: store.term(index)?, ..SnapshotMetadata::default() });
        let mut point = at(index).map_err(raft_error)?;
        let base = at(index.saturating_sub(keep).max(store.base().index)).map_err(raft_error)?;
        point.set_conf_state(self.members.at(index));
        self.node.mut_store().truncate(&base);
        self.compacted = index;
        let compact = Some(Compaction { point: point.clone(), base });
        let job = Job { group: self.id, sync: true, compact, ..Job::default() };
        Ok(self.hand_out(job, After::Compaction { point }))
    }

    fn status(&self) -> Status {
        let raft = &self.node.raft;
        Status {
            role: role(raft.state),
            leader: raft.leader_id,
            term: raft.term,
            commit: raft.raft_log.committed,
            applied: self.applied.max(self.skip),
            first: self.node.store().base().index + 1,
            last: raft.raft_log.last_index(),
        }
    }

    /// `(term, index)` of the last entry: of two members the one with the greater can win an election over the other.
    fn last(&self) -> (u64, u64) {
        (self.node.raft.raft_log.last_term(), self.node.raft.raft_log.last_index())
    }

    /// Where each member is; known to the leader only.
    fn progress(&self) -> Vec<Progress> {
        self.node.raft.prs().iter().map(|(peer, progress)| Progress::new(*peer, progress)).collect()
    }

    /// `(voters, learners)` in force, each in ascending order.
    fn members(&self) -> (Vec<u64>, Vec<u64>) {
        self.members.now()
    }
}
