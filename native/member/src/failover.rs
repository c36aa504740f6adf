//! What a member does from the moment its leader is lost until there is a new one, and what a bad disk means. The rule of
//! who campaigns is in succession.rs.
//!
//! A disk that cannot keep a leader's promises is a failure too, although everything looks alive: heartbeats need no disk,
//! and raft hands out only what is persisted here. So on a stalled disk leadership is handed over (that needs no disk),
//! and then the member looks dead to the others until the write returns (ARCHITECTURE.md, rule 12). A nearly full one
//! only follows.

use std::collections::BTreeSet;
use std::time::Duration;

use raft::eraftpb::{Message, MessageType};
use raft::StateRole;

use crate::event::{Action, Disk, Frame, LogEnd, NodeId, Role};
use crate::member::Member;
use crate::succession::{Succession, Verdict};
use crate::timing::Timing;

/// An election has about so many fsyncs in a row.
const FSYNCS_OF_AN_ELECTION: u32 = 4;
/// Patience does not grow beyond this: once the faults have ended there must be a leader soon.
const MOST_PATIENCE: f64 = 16.0;
/// Nor beyond this for elections that came to nothing: they say less than a slow disk does, for most of them were
/// disturbed by faults that are over by now.
const MOST_FOR_DISPUTES: f64 = 4.0;

pub(crate) struct Failover {
    succession: Succession,
    voters: Vec<NodeId>,
    me: NodeId,
    disk: Disk,
    isolate_at: Option<Duration>,
    isolated: bool,
    transfer_again_at: Duration,
    /// Whom leadership was offered to, in vain so far.
    offered_to: BTreeSet<NodeId>,
    /// What a write took lately, of the slow ones.
    usual_write: Duration,
    /// What the last three took, the newest behind.
    last_writes: [Duration; 3],
    /// Elections of this member since there was a leader.
    elections: i32,
    lost_at: Duration,
    story: Vec<String>,
}

impl Failover {
    pub fn new(me: NodeId) -> Failover {
        Failover {
            succession: Succession::new(me, Vec::new()),
            voters: Vec::new(),
            me,
            disk: Disk::Good,
            isolate_at: None,
            isolated: false,
            transfer_again_at: Duration::ZERO,
            offered_to: BTreeSet::new(),
            usual_write: Duration::ZERO,
            last_writes: [Duration::ZERO; 3],
            elections: 0,
            lost_at: Duration::ZERO,
            story: Vec::new(),
        }
    }

    pub fn set_voters(&mut self, voters: Vec<NodeId>) {
        self.succession.set_order(voters.clone());
        self.voters = voters;
    }

    pub fn disk(&self) -> Disk {
        self.disk
    }

    pub fn isolated(&self) -> bool {
        self.isolated
    }

    pub fn wrote(&mut self, took: Duration) {
        self.last_writes.rotate_left(1);
        self.last_writes[2] = took;
        let mut sorted = self.last_writes;
        sorted.sort_unstable();
        // a single one says little: it may have stalled, and then it would hold up elections long after that is over
        self.usual_write = sorted[1].max(self.usual_write.mul_f64(0.9));
    }

    pub fn role_is(&mut self, role: Role) {
        if role == Role::Candidate {
            self.elections += 1;
        }
    }

    /// The term of another candidate is known here, perhaps with this member's vote for it.
    pub fn another_campaigns(&mut self, now: Duration) {
        self.succession.put_off(now);
    }

    /// What happened before says nothing about how patient to be from now on.
    pub fn forgive(&mut self) {
        self.elections = 0;
    }

    /// How many times longer than on a quick disk, and undisturbed, to wait for an election to end.
    pub fn patience(&self, timing: &Timing) -> f64 {
        let disk = (self.usual_write * FSYNCS_OF_AN_ELECTION).as_secs_f64() / timing.election.as_secs_f64();
        let disputes = 2f64.powi(self.elections.saturating_sub(1)).min(MOST_FOR_DISPUTES);
        disk.max(disputes).clamp(1.0, MOST_PATIENCE)
    }

    /// When to fall silent, on a stalled disk.
    pub fn isolate_at(&self) -> Option<Duration> {
        self.isolate_at
    }

    /// When to ask for votes, unless there is a leader by then.
    pub fn campaign_at(&self) -> Option<Duration> {
        self.succession.deadline()
    }
}

impl Member {
    /// Whether this member could lead: it votes, its disk is good, and its log and state are whole.
    pub(crate) fn may_campaign(&self) -> bool {
        let failover = &self.failover;
        let whole = self.fetching.is_none() && self.restoring == 0;
        failover.disk == Disk::Good && whole && failover.voters.contains(&failover.me)
    }

    /// The link of `peer` ended, or others say so. Does nothing unless it leads as far as known here.
    pub(crate) fn leader_lost(&mut self, peer: NodeId, why: &str) {
        let term = self.view.term;
        let failover = &mut self.failover;
        if peer != self.view.leader || self.view.leads() || failover.succession.deals_with(peer, term) {
            return;
        }
        if self.fetching.is_some() || failover.isolated {
            return;
        }
        let now = self.now.monotonic;
        failover.lost_at = now;
        failover.story = vec![format!("leader {peer} of term {term} is lost ({why})")];
        let log = &self.raft.raft.raft_log;
        let (last_term, last_index) = (log.last_term(), log.last_index());
        let usual_write = failover.usual_write;
        failover.succession.begin((peer, term), (last_term, last_index), now, usual_write, &self.timing);
        // Votes are granted from now on, although the lease of that leader has not run out: in raft-rs a lease is in force
        // while `leader_id` is set, so this is all it takes.
        if self.raft.raft.leader_id == peer {
            self.raft.raft.leader_id = 0;
        }
        let said = LogEnd { lost_leader: peer, lost_term: term, last_term, last_index };
        for other in self.links.keys().filter(|other| **other != peer) {
            self.out.push(Action::Send { to: *other, frame: Frame::LogEnd(said) });
        }
        self.decide();
    }

    pub(crate) fn hear_log_end(&mut self, from: NodeId, said: &LogEnd) {
        let no_quorum_left = self.failover.succession.heard(from, said, self.now.monotonic, &self.timing);
        if no_quorum_left && said.lost_term == self.view.term {
            self.leader_lost(said.lost_leader, "the others have lost it");
        }
        self.decide();
    }

    pub(crate) fn decide(&mut self) {
        let linked = self.links.keys().copied();
        if self.failover.succession.decide(linked, self.now.monotonic) == Verdict::CampaignNow {
            self.campaign(true);
        }
    }

    pub(crate) fn pass_succession_time(&mut self) {
        if self.failover.succession.pass_time(self.now.monotonic) == Verdict::Campaign {
            self.campaign(false);
        }
    }

    /// `now`: without pre-vote, and voters ignore the leader's lease. Safe at any time (one vote per term, and only for a
    /// log that is complete), but it deposes a live leader: only if a quorum has lost it.
    fn campaign(&mut self, now: bool) {
        if !self.may_campaign() || self.raft.raft.state == StateRole::Leader {
            return;
        }
        let after = (self.now.monotonic - self.failover.lost_at).as_secs_f64() * 1000.0;
        let last = self.raft.raft.raft_log.last_index();
        self.failover.story.push(format!("after {after:.1} ms: campaign, the log ends at {last}"));
        let raft = &mut self.raft.raft;
        if !now {
            let _ = self.raft.campaign(); // refused while a change of membership is not applied: the clock tries again
            return;
        }
        if raft.state != StateRole::Follower {
            raft.become_follower(raft.term, 0); // only a follower listens to MsgTimeoutNow
        }
        let mut message = Message { from: raft.id, to: raft.id, term: raft.term, ..Message::default() };
        message.set_msg_type(MessageType::MsgTimeoutNow);
        let _ = raft.step(message);
    }

    pub(crate) fn leader_known(&mut self) {
        let failover = &mut self.failover;
        failover.succession.end();
        failover.offered_to.clear();
        failover.elections = 0;
        let mut story = std::mem::take(&mut failover.story);
        let after = (self.now.monotonic - failover.lost_at).as_secs_f64() * 1000.0;
        let when = if story.is_empty() { String::new() } else { format!("after {after:.1} ms: ") };
        let itself = if self.view.leads() { " (this member)" } else { "" };
        story.push(format!("{when}leader {}{itself} in term {}", self.view.leader, self.view.term));
        self.out.push(Action::Note(story.join("; ")));
    }

    // -- leadership that has to go ------------------------------------------------------------------------------------

    /// Hands leadership to the best other voter that is linked. Its disk may be no better, and then it does not
    /// take it: so the next offer goes to the next best, and when all were asked to the best again. False: to nobody now.
    pub(crate) fn transfer(&mut self) -> bool {
        // as raft sees it: it may have stepped down in this very turn, and would pass the offer on in another one's name
        if self.raft.raft.state != StateRole::Leader {
            return false;
        }
        let failover = &self.failover;
        let others = self.raft.raft.prs().iter().filter(|(peer, _)| {
            let votes = **peer != self.me && failover.voters.contains(peer);
            votes && self.links.contains_key(peer) && !failover.offered_to.contains(peer)
        });
        // the least id among equals, so that a run can be repeated
        let best = others.max_by_key(|(peer, progress)| (progress.matched, std::cmp::Reverse(**peer)));
        let Some(peer) = best.map(|(peer, _)| *peer) else {
            self.failover.offered_to.clear();
            return false;
        };
        self.failover.offered_to.insert(peer);
        self.raft.transfer_leader(peer);
        true
    }

    pub(crate) fn disk_is(&mut self, disk: Disk) {
        let old = std::mem::replace(&mut self.failover.disk, disk);
        if disk == old {
            return;
        }
        self.failover.transfer_again_at = self.now.monotonic;
        if disk == Disk::Stalled {
            // the message that hands leadership over goes first
            self.failover.isolate_at = Some(self.now.monotonic + self.timing.isolate);
        } else {
            self.failover.isolate_at = None;
            if std::mem::take(&mut self.failover.isolated) {
                self.out.push(Action::Isolate(false));
            }
        }
    }

    pub(crate) fn pass_disk_time(&mut self) {
        let now = self.now.monotonic;
        if self.failover.disk != Disk::Good && self.view.leads() && now >= self.failover.transfer_again_at {
            // raft gives an offer up after an election timeout, and takes no proposals meanwhile
            let pause = if self.transfer() { self.timing.election } else { self.timing.transfer_again };
            self.failover.transfer_again_at = now + pause;
        }
        if self.failover.isolate_at.is_some_and(|at| now >= at) {
            self.failover.isolate_at = None;
            self.failover.isolated = true;
            self.out.push(Action::Isolate(true));
        }
    }
}
