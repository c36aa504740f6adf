//! `Member`: its parts, how it is opened, and its turn. What a turn does with raft is in turn.rs, what the loss of a leader
//! or of the disk means in failover.rs.

use std::collections::BTreeMap;
use std::time::Duration;

use raft::eraftpb::{Message, MessageType, SnapshotMetadata};
use raft::{Config, Error, ProgressState, RawNode, SnapshotStatus};

use crate::archive::{Archive, Records, Unusable};
use crate::event::{Action, Compaction, Disk, Event, Frame, Item, NodeId, Now, Status, View, Write};
use crate::failover::Failover;
use crate::flights::{After, Flights};
use crate::limits::Limits;
use crate::memberships::{proposal, Memberships};
use crate::proposals::{Pending, Queue};
use crate::reads::Reads;
use crate::screen::screen;
use crate::store::Store;
use crate::timing::Timing;

/// How a member is opened.
pub struct Opening {
    pub me: NodeId,
    /// Greater with each start of this member.
    pub incarnation: u64,
    /// All members as configured, in the order of succession.
    pub order: Vec<NodeId>,
    /// What the log holds.
    pub records: Records,
    pub archive: Box<dyn Archive + Send>,
    /// What the state machine has applied.
    pub applied: u64,
    /// Where the copy stood from which the state began; 0 if it began empty.
    pub installed: u64,
    pub timing: Timing,
    pub limits: Limits,
}

/// A state that is being fetched, and the write that says so in the log: it may be made only afterwards (rule 5).
pub(crate) struct Fetching {
    pub index: u64,
    pub write: Write,
}

/// One member of the group.
pub struct Member {
    pub(crate) me: NodeId,
    pub(crate) timing: Timing,
    pub(crate) limits: Limits,
    pub(crate) now: Now,
    pub(crate) raft: RawNode<Store>,
    pub(crate) memberships: Memberships,
    /// All members as configured, in the order of succession.
    pub(crate) order: Vec<NodeId>,
    /// Peers that are linked, with their incarnations.
    pub(crate) links: BTreeMap<NodeId, u64>,
    pub(crate) view: View,
    pub(crate) flights: Flights,
    pub(crate) pending: Pending,
    pub(crate) queue: Queue,
    /// While a round is on its way, until when the next one waits for company.
    pub(crate) gather_until: Option<Duration>,
    pub(crate) reads: Reads,
    pub(crate) failover: Failover,
    /// What raft has handed out; it walks over entries that the state has already, for the memberships in them.
    pub(crate) walked: u64,
    /// What the state has, from the start or from another member: nothing up to here is handed out.
    pub(crate) skip: u64,
    pub(crate) fetching: Option<Fetching>,
    /// Snapshots that were taken and are not on disk yet. Meanwhile this member starts no election: raft would look for
    /// the entries between what was applied and the snapshot, which are gone, and end the process.
    pub(crate) restoring: usize,
    compacting: bool,
    compacted: u64,
    /// The commit index that the followers know.
    pub(crate) announced: u64,
    /// The last acknowledgement that went over each link: (term, index).
    pub(crate) acknowledged: BTreeMap<NodeId, (u64, u64)>,
    next_tick: Duration,
    pub(crate) out: Vec<Action>,
    local: u64,
    forwarded: u64,
}

impl Member {
    /// Reads the member back; raft starts where replay has to start. Err: it must not vote.
    pub fn open(opening: Opening, now: Now) -> Result<Member, Unusable> {
        let Opening { me, incarnation, order, records, archive, applied, installed, timing, limits } = opening;
        timing.validate().map_err(Unusable)?;
        let skip = state_position(&records, applied, installed)?;
        let store = Store::new(records, archive, limits.cache_bytes);
        // Raft starts no later than the compaction point: who is a member is known there, and what has changed since is
        // found again by walking over the entries in between, although the state needs them no more.
        let walked = skip.min(store.point().index).min(store.hard().commit);
        let memberships = Memberships::at_point(store.point());
        let (compacted, flights) = (store.point().index, Flights::new(store.hard()));
        let rank = order.iter().position(|member| *member == me).unwrap_or(order.len());
        let config = raft_config(me, rank, walked, &timing);
        let unusable = |error: Error| Unusable(format!("raft cannot start from this log: {error}"));
        config.validate().map_err(unusable)?;
        let quiet = slog::Logger::root(slog::Discard, slog::o!());
        let mut raft = RawNode::new(&config, store, &quiet).map_err(unusable)?;
        raft.skip_bcast_commit(true); // see `announce`
        let mut member = Member {
            me,
            failover: Failover::new(me),
            reads: Reads::new(me, incarnation),
            timing,
            limits,
            now,
            raft,
            memberships,
            order,
            links: BTreeMap::new(),
            view: View::default(),
            flights,
            pending: Pending::new(),
            queue: Queue::new(),
            gather_until: None,
            walked,
            skip,
            fetching: None,
            restoring: 0,
            compacting: false,
            compacted,
            announced: 0,
            acknowledged: BTreeMap::new(),
            next_tick: now.monotonic + timing.tick,
            out: Vec::new(),
            local: 0,
            forwarded: 0,
        };
        member.note_membership();
        Ok(member)
    }

    /// One turn: takes in what has happened, in this order, and then the time; returns what to do, in this order.
    /// Call it with no events when `deadline` has come.
    pub fn step(&mut self, now: Now, events: impl IntoIterator<Item = Event>) -> Vec<Action> {
        self.now = now;
        for event in events {
            self.take_in(event);
        }
        self.pass_time();
        self.turn();
        std::mem::take(&mut self.out)
    }

    /// When the member wants to be called at the latest, on `Now::monotonic`.
    pub fn deadline(&self) -> Duration {
        let mut deadlines = vec![self.failover.isolate_at()];
        if !self.stands_still() {
            deadlines.push(self.failover.campaign_at());
            let proposes = !self.queue.is_empty() && self.raft.raft.lead_transferee.is_none();
            deadlines.push(self.gather_until.filter(|_| proposes));
            deadlines.push(self.reads.deadline().filter(|_| self.can_ask_reads()));
        }
        deadlines.into_iter().flatten().fold(self.next_tick, Duration::min)
    }

    /// How many bytes of proposals (`Item::bytes`) are welcome now; clients are refused what is beyond it.
    pub fn room(&self) -> usize {
        self.limits.pending_bytes.saturating_sub(self.pending.bytes())
    }

    pub fn status(&self) -> Status {
        let log = &self.raft.raft.raft_log;
        Status {
            view: self.view,
            first: self.raft.store().base().index + 1,
            last: log.last_index(),
            commit: log.committed,
            handed_out: self.handed_out(),
            pending: self.pending.len() as u64,
            pending_bytes: self.pending.bytes() as u64,
            local: self.local,
            forwarded: self.forwarded,
            fetching: self.fetching.is_some(),
        }
    }

    /// `(voters, learners)` in force, each in ascending order.
    pub fn members(&self) -> (Vec<NodeId>, Vec<NodeId>) {
        self.memberships.now()
    }

    /// What the state machine stands at once it has applied all that was handed out.
    pub(crate) fn handed_out(&self) -> u64 {
        self.walked.max(self.skip)
    }

    fn take_in(&mut self, event: Event) {
        match event {
            Event::LinkUp { peer, incarnation } => self.link_up(peer, incarnation),
            Event::LinkLost { peer } => self.link_lost(peer),
            Event::Frame { from, frame } => self.hear(from, frame),
            Event::Propose { ticket, command } => {
                *(if self.view.leads() { &mut self.local } else { &mut self.forwarded }) += 1;
                self.pending.add(Item { origin: self.me, ticket, command });
            }
            Event::Read { ticket } => self.reads.add(ticket),
            Event::Written { order, took } => {
                self.failover.wrote(took);
                self.flights.landed_up_to(order);
                self.complete();
            }
            Event::Installed { index } => self.installed(index),
            Event::Compact { index, keep } => self.compact(index, keep),
            Event::Transfer => {
                if !self.transfer() {
                    self.transfer(); // all were asked before: the best one again
                }
            }
            Event::Disk(disk) => self.disk_is(disk),
            Event::Change(changes) => {
                // one that raft does not take now (not the leader, another one under way) is asked for again by a person
                let _ = self.raft.propose_conf_change(vec![], proposal(changes));
            }
        }
    }

    // -- links -------------------------------------------------------------------------------------------------------

    fn link_up(&mut self, peer: NodeId, incarnation: u64) {
        if self.links.contains_key(&peer) {
            self.link_lost(peer);
        }
        self.links.insert(peer, incarnation);
        self.probe_again(peer);
        if self.view.leads() {
            self.raft.ping(); // so that it knows at once who leads
        } else if peer == self.view.leader {
            self.pending.forget_sent();
            self.reads.ask_soon();
        }
    }

    fn link_lost(&mut self, peer: NodeId) {
        if self.links.remove(&peer).is_none() {
            return;
        }
        self.acknowledged.remove(&peer);
        self.queue.forget(peer);
        self.probe_again(peer);
        self.leader_lost(peer, "its link ended");
        self.decide();
    }

    /// Messages to this peer may have been lost: probe it, and tell it again if it was told to fetch the state.
    fn probe_again(&mut self, peer: NodeId) {
        self.raft.report_unreachable(peer);
        let progress = self.raft.raft.prs().get(peer);
        if progress.is_some_and(|progress| progress.state == ProgressState::Snapshot) {
            self.raft.report_snapshot(peer, SnapshotStatus::Failure);
        }
    }

    fn hear(&mut self, from: NodeId, frame: Frame) {
        if !self.links.contains_key(&from) || self.fetching.is_some() || self.failover.isolated() {
            return; // of a link that is gone, or not the time to listen
        }
        match frame {
            Frame::Raft(message) => {
                if let Err(why) = self.hear_raft(from, message) {
                    self.out.push(Action::DropLink { peer: from, why });
                }
            }
            Frame::Forward { term, items } => {
                // Of the term that its sender believes in, or a later proposal could overtake a lost one.
                if self.view.leads() && self.raft.raft.term == term && items.iter().all(|item| item.origin == from) {
                    self.queue.extend(items);
                }
            }
            Frame::LogEnd(said) => self.hear_log_end(from, &said),
        }
    }

    fn hear_raft(&mut self, from: NodeId, message: Message) -> Result<(), &'static str> {
        if message.from != from {
            return Err("it speaks for another member");
        }
        if !screen(&message, &self.raft.raft)? {
            return Ok(());
        }
        match message.get_msg_type() {
            MessageType::MsgTimeoutNow if !self.may_campaign() => Ok(()),
            MessageType::MsgRequestVoteResponse => match self.flights.count_vote(message) {
                Some(vote) => self.tell_raft(vote),
                None => Ok(()),
            },
            _ => self.tell_raft(message),
        }
    }

    pub(crate) fn tell_raft(&mut self, message: Message) -> Result<(), &'static str> {
        match self.raft.step(message) {
            // not from a member, or dropped by a leader that is on its way out: the sender asks again
            Ok(()) | Err(Error::StepPeerNotFound | Error::StepLocalMsg | Error::ProposalDropped) => Ok(()),
            Err(_) => Err("raft refuses it"),
        }
    }

    // -- time --------------------------------------------------------------------------------------------------------

    fn pass_time(&mut self) {
        self.pass_disk_time();
        if self.stands_still() {
            self.next_tick = self.now.monotonic + self.timing.tick;
            return;
        }
        self.pass_succession_time();
        if self.now.monotonic >= self.next_tick {
            // What was missed is not made up for: this process was not run, so it cannot judge who was silent.
            let interval = self.tick_interval();
            self.next_tick = (self.next_tick + interval).max(self.now.monotonic + interval / 2);
            self.raft.tick();
        }
    }

    /// Whether raft's clock stands still: this member cannot take part in an election now.
    fn stands_still(&self) -> bool {
        self.failover.disk() == Disk::Stalled || self.fetching.is_some() || self.restoring > 0
    }

    /// Without a leader, patience grows with the disk and with each election that came to nothing: an election has fsyncs
    /// in a row, and whoever starts another one meanwhile takes the votes away from it.
    fn tick_interval(&self) -> Duration {
        if self.view.leader == 0 && !self.view.leads() {
            self.timing.tick.mul_f64(self.failover.patience(&self.timing))
        } else {
            self.timing.tick
        }
    }

    // -- log and state -----------------------------------------------------------------------------------------------

    /// The state is durable up to `index`: entries up to `keep` before it go. Nothing happens if that is not possible now;
    /// the driver asks again and again.
    fn compact(&mut self, index: u64, keep: u64) {
        // a state that came from another member may be ahead of what raft has walked over
        let index = index.min(self.walked);
        if self.fetching.is_some() || self.restoring > 0 || self.compacting || index <= self.compacted {
            return;
        }
        let store = self.raft.store();
        let at = |index| {
            let term =
                raft::Storage::term(store, index).expect("it was walked over, and is behind the last compaction");
            SnapshotMetadata { index, term, ..SnapshotMetadata::default() }
        };
        let mut point = at(index);
        let base = at(index.saturating_sub(keep).max(store.base().index));
        point.set_conf_state(self.memberships.at(index));
        self.raft.mut_store().truncate(&base);
        (self.compacting, self.compacted) = (true, index);
        let mut write = Write { compact: Some(Compaction { point: point.clone(), base }), ..Write::default() };
        self.flights.write(&mut write, After::Compaction { point });
        self.out.push(Action::Write(write));
    }

    pub(crate) fn compaction_landed(&mut self, point: SnapshotMetadata) {
        self.memberships.forget_before(point.index);
        self.raft.mut_store().set_point(point);
        self.compacting = false;
        self.out.push(Action::Compacted);
    }

    /// The state that was wanted is in place: now the log may say so (rule 5), and what is pending here may have been in
    /// what came with the state.
    fn installed(&mut self, index: u64) {
        let Some(fetching) = self.fetching.take() else { return };
        assert!(index >= fetching.index, "a state at {index} where one at {} was wanted", fetching.index);
        self.skip = self.skip.max(index);
        self.out.push(Action::Write(fetching.write));
        self.pending.forget_sent();
        self.failover.forgive();
    }

    /// A snapshot from the leader: from here on the log begins at it.
    pub(crate) fn restore(&mut self, start: &SnapshotMetadata) {
        self.raft.mut_store().restore(start);
        self.memberships = Memberships::at_point(start);
        self.walked = start.index;
        self.compacted = start.index;
        self.restoring += 1;
        self.note_membership();
    }

    /// The membership may be another one now: voters come first in succession as they stand in the configuration.
    pub(crate) fn note_membership(&mut self) {
        let (mut voters, _) = self.memberships.now();
        let place = |member: &NodeId| self.order.iter().position(|other| other == member).unwrap_or(self.order.len());
        voters.sort_by_key(|member| (place(member), *member));
        self.failover.set_voters(voters);
    }
}

/// Where the state machine stands (ARCHITECTURE.md, rule 6): the log must reach down to it, and up to it. A log that ends
/// below the state has lost its end, and with it perhaps a vote or an acknowledged entry that others count on. Only a
/// state that came from another member may be ahead of this member's log.
fn state_position(records: &Records, applied: u64, installed: u64) -> Result<u64, Unusable> {
    let (before, last) = (records.base.index, records.last);
    // a group that was founded with voters begins at index 1, which stands for the empty state
    let applied = if before == 1 { applied.max(1) } else { applied };
    if applied < before {
        return Err(Unusable(format!("the state is at {applied} but the log begins at {}", before + 1)));
    }
    if applied > last.max(installed) {
        let what = format!("the log ends at {last} but the state had applied {applied}: the log lost its end");
        return Err(Unusable(what));
    }
    Ok(applied)
}

fn raft_config(me: NodeId, rank: usize, applied: u64, timing: &Timing) -> Config {
    let election = timing.ticks(timing.election);
    let own_election = election + rank * timing.ticks(timing.election_per_rank);
    Config {
        id: me,
        election_tick: election,
        // exactly one choice each, another one for each member: raft's own dice would make no run repeatable
        min_election_tick: own_election,
        max_election_tick: own_election + 1,
        heartbeat_tick: timing.ticks(timing.heartbeat),
        applied,
        pre_vote: true,            // a false alarm deposes nobody
        check_quorum: true,        // a leader that is cut off steps down
        max_size_per_msg: 1 << 20, // raft's own default, 0, means one entry per message
        batch_append: false,       // it joins messages without any limit: megabytes for a follower that fell behind
        max_inflight_msgs: 256,
        max_committed_size_per_ready: 4 << 20,
        max_uncommitted_size: 256 << 20, // beyond it proposals wait; `Limits` keep it from coming to that
        ..Config::default()
    }
}
