//! What a member hears (`Event`), and what it wants to have done (`Action`). All that passes its border is here.

use std::time::Duration;

use bytes::Bytes;
use raft::eraftpb::{Entry, HardState, Message, SnapshotMetadata};

/// A member of the group: from 1, never used again for another one.
pub type NodeId = u64;

/// Names one proposal or read of the member that took it. Greater than all before it, those of earlier lives included
/// (the driver puts the incarnation into its upper half).
pub type Ticket = u64;

/// The time, as the driver reads it before each step.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Now {
    /// On a clock that never goes back, since some fixed moment.
    pub monotonic: Duration,
    /// On the wall clock, Unix nanoseconds. For display only (design.md G6): it is stamped on entries, nothing reads it.
    pub unix_ns: u64,
}

/// A proposal on its way into the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The member that took it from a client.
    pub origin: NodeId,
    pub ticket: Ticket,
    /// Opaque here: the state machine knows what it means.
    pub command: Bytes,
}

impl Item {
    /// About what it costs to carry and to keep.
    pub fn bytes(&self) -> usize {
        self.command.len() + 24
    }
}

/// What members say to each other. The driver brings it over a link in order, or loses it with the link.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    Raft(Message),
    /// Proposals for the leader. `term` is the one in which the sender believes the receiver to lead: in any other they
    /// are dropped there, so that a later proposal can never overtake a lost one.
    Forward {
        term: u64,
        items: Vec<Item>,
    },
    /// "The leader of that term is lost to me, and my log ends here" (succession.rs).
    LogEnd(LogEnd),
}

/// Where a survivor's log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEnd {
    pub lost_leader: NodeId,
    pub lost_term: u64,
    pub last_term: u64,
    pub last_index: u64,
}

/// What the disk of this member is good for, as the driver judges it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disk {
    #[default]
    Good,
    /// Nearly full: the member follows, but must not lead.
    Scarce,
    /// A write has been in its system call for `Timing::disk_stall` (as its own thread noted, never as a loop sees it).
    Stalled,
}

/// How a member's part in the group changes; several at once go through joint consensus (raft thesis 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Voter(NodeId),
    Learner(NodeId),
    Remove(NodeId),
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A link to this peer is there (again); what was sent on an older one may be lost. `incarnation`: of its hello.
    LinkUp { peer: NodeId, incarnation: u64 },
    /// The link to this peer, or its lifeline, has ended or fallen silent. No proof of death (ARCHITECTURE.md, rule 11).
    LinkLost { peer: NodeId },
    /// A peer said this.
    Frame { from: NodeId, frame: Frame },
    /// A client of this member wants this in the log. Comes back in `Committed::own`.
    /// A driver that respects `Member::room` keeps within `Limits::pending_bytes`.
    Propose { ticket: Ticket, command: Bytes },
    /// A client wants to read. Comes back in `Action::Read`, behind all that the read must see.
    Read { ticket: Ticket },
    /// All writes up to this order are on disk. `took`: how long the last one was in its system calls.
    Written { order: u64, took: Duration },
    /// The state that `Action::FetchState` asked for is durable, at this index or later.
    Installed { index: u64 },
    /// The state machine is durable up to `index`: the log may go, but for `keep` entries before it.
    Compact { index: u64, keep: u64 },
    /// Leadership should go to the best other member, if this one leads.
    Transfer,
    /// The disk is good for this now.
    Disk(Disk),
    /// As leader: propose a change of membership.
    Change(Vec<Change>),
}

/// One write to the log, executed in order and each all or nothing. What must not be said before it is on disk (votes,
/// acknowledgements) the member keeps to itself until `Event::Written`: a driver cannot get that order wrong.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Write {
    /// Counts the writes of this life, from 1.
    pub order: u64,
    pub hard: Option<HardState>,
    /// Consecutive; the first one replaces whatever the log holds from its index on.
    pub entries: Vec<Entry>,
    /// A snapshot from the leader: it replaces everything that the log holds. Before hard state and entries.
    pub restore: Option<SnapshotMetadata>,
    pub compact: Option<Compaction>,
}

/// The state machine is durable up to `point`; entries up to and including `base` go.
#[derive(Clone, Debug, PartialEq)]
pub struct Compaction {
    pub point: SnapshotMetadata,
    pub base: SnapshotMetadata,
}

/// An entry that a quorum has on disk, this member too.
#[derive(Clone, Debug, PartialEq)]
pub struct Committed {
    pub index: u64,
    pub term: u64,
    /// A serialised tinysns.v1.Entry; empty for entries that are raft's own.
    pub data: Bytes,
    /// Tickets of this member's own proposals in it, each for the first and only time.
    pub own: Vec<Ticket>,
}

/// Who leads, as far as this member knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    pub role: Role,
    /// 0 while none is known.
    pub leader: NodeId,
    pub term: u64,
}

impl View {
    pub fn leads(&self) -> bool {
        self.role == Role::Leader
    }
}

/// Numbers as in tinysns.v1.Role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    #[default]
    Follower = 0,
    PreCandidate = 1,
    Candidate = 2,
    Leader = 3,
}

/// What the driver has to do now, in this order.
#[derive(Clone, Debug)]
pub enum Action {
    /// Hand this to the log. `Event::Written` says that it is done.
    Write(Write),
    /// Say this to a peer, now; it is lost if there is no link.
    Send { to: NodeId, frame: Frame },
    /// For the state machine, in log order.
    Commit(Committed),
    /// These reads see all that they must once everything that was committed before this action is applied.
    Read { tickets: Vec<Ticket>, index: u64 },
    /// Leadership changed.
    View(View),
    /// The others' logs begin behind this one's end: get a state at `index` or later from another member, make it
    /// durable, then say `Event::Installed`. Until then the member hears nothing and says nothing new; what waited for
    /// earlier writes may still leave.
    FetchState { index: u64 },
    /// A compaction is on disk: old log files can go.
    Compacted,
    /// What came over the link of this peer is not what a member says: end the link.
    DropLink { peer: NodeId, why: &'static str },
    /// True: end all links and accept none, so that to the others this member looks dead. False: that is over.
    Isolate(bool),
    /// For the journal, after the fact: one line of a failover's story.
    Note(String),
}

/// Where a member stands, for people and tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    pub view: View,
    pub first: u64,
    pub last: u64,
    pub commit: u64,
    /// What was handed out by `Action::Commit`, or what the state had applied at the start.
    pub handed_out: u64,
    /// Own proposals that are not committed, and their bytes.
    pub pending: u64,
    pub pending_bytes: u64,
    /// Since the start: proposals taken while this member led, and while another one did.
    pub local: u64,
    pub forwarded: u64,
    /// True while a state is being fetched.
    pub fetching: bool,
}
