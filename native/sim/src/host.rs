//! A host: its disk and clock, which outlive a process, and the process with its member, log thread and applier.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tinysns_member::{Committed, Disk as DiskHealth, Event, Member, NodeId, Opening, Ticket, Unusable, View, Write};

use crate::agenda::Life;
use crate::clock::Clock;
use crate::disk::{Disk, Platter};
use crate::entry::Command;
use crate::plan::Plan;
use crate::rng::Rng;
use crate::state::State;

/// What stays when a process dies.
pub struct Host {
    /// The member that lives here.
    pub node: NodeId,
    /// Its log.
    pub disk: Disk,
    /// Its clocks.
    pub clock: Clock,
    /// The state as of the last checkpoint: what a power cut leaves.
    pub checkpoint: State,
    /// Where the copy stood that the state began from.
    pub installed: u64,
    /// Starts so far.
    pub lives: Life,
    /// Fsyncs take so long now, on average, unless it is as the plan says.
    pub slow_fsync: Option<Duration>,
    /// The next write does not return for so long.
    pub stall: Option<Duration>,
    /// The disk is nearly full.
    pub scarce: bool,
    /// The applier takes so long to begin, unless it is as the plan says.
    pub slow_apply: Option<Duration>,
    /// None while it is dead.
    pub process: Option<Process>,
    /// Chance of this host only.
    pub rng: Rng,
}

/// What the log thread is about.
#[derive(Default)]
pub struct LogThread {
    /// Handed over, and not begun.
    pub queue: VecDeque<Write>,
    /// In its system calls.
    pub batch: Vec<Write>,
    /// Since when.
    pub since: Duration,
    /// Counts batches.
    pub batches: u64,
    /// It was noticed that the batch does not return.
    pub stalls: bool,
}

/// A read on its way.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    /// What had been revealed to any client when it was asked for.
    pub floor: u64,
    /// When that was.
    pub asked: Duration,
}

/// What waits for the applier, in order.
#[derive(Clone, Debug)]
pub enum Todo {
    /// An entry, with the own proposals in it: client and command.
    Entry(Committed, Vec<(usize, Command)>),
    /// Reads, which see what is before them here.
    Answer(Vec<Read>),
}

/// A running process.
pub struct Process {
    /// Which start of the host this is: the incarnation.
    pub life: Life,
    /// The member under test.
    pub member: Member,
    /// What it has not heard yet.
    pub inbox: VecDeque<Event>,
    /// When the event loop runs next.
    pub turn_at: Option<Duration>,
    /// When it ran last.
    pub last_turn: Duration,
    /// Turns that followed each other without a pause and for nothing.
    pub busy_turns: u32,
    /// Since when it does not get the processor.
    pub paused: bool,
    /// It dies in its next turn, when so many actions have been executed.
    pub die_after: Option<u64>,
    /// It wanted to look dead (`Action::Isolate`).
    pub isolated: bool,
    /// The log thread.
    pub log: LogThread,
    /// The log once all writes that were handed out are on disk.
    pub handed_out: Platter,
    /// Order of the last write that was handed out.
    pub writes: u64,
    /// Index of the next entry that is to be committed.
    pub next_commit: u64,
    /// What it said last.
    pub view: View,
    /// The state as applied.
    pub state: State,
    /// For the applier.
    pub todo: VecDeque<Todo>,
    /// The applier is about to run.
    pub applying: bool,
    /// The index from which on it needs a state from another member.
    pub fetching: Option<u64>,
    /// Tickets so far.
    pub tickets: u64,
    /// Bytes proposed since the last turn.
    pub room_taken: usize,
    /// Own proposals that have not come back.
    pub proposed: BTreeMap<Ticket, (usize, Command)>,
    /// Own reads that have not come back.
    pub reads: BTreeMap<Ticket, Read>,
}

impl Host {
    /// A host with a disk as it is at a founding, or when a member joins later (no voters).
    pub fn new(node: NodeId, voters: Vec<NodeId>, plan: &Plan, rng: &mut Rng) -> Host {
        let mut rng = rng.fork();
        Host {
            node,
            disk: Disk::new(Platter::founded(voters)),
            clock: Clock::new(plan.drift, &mut rng),
            checkpoint: State::default(),
            installed: 0,
            lives: 0,
            slow_fsync: None,
            stall: None,
            scarce: false,
            slow_apply: None,
            process: None,
            rng,
        }
    }

    /// Starts a process. Err: the member says that it must not vote.
    pub fn start(&mut self, order: Vec<NodeId>, now: Duration, plan: &Plan) -> Result<(), Unusable> {
        assert!(self.process.is_none(), "one process at a time");
        self.lives += 1;
        let platter = self.disk.platter().clone();
        let member = Member::open(
            Opening {
                me: self.node,
                incarnation: self.lives,
                order,
                records: platter.records(),
                archive: Box::new(self.disk.clone()),
                applied: self.checkpoint.position,
                installed: self.installed,
                timing: plan.timing,
                limits: plan.limits,
            },
            self.clock.at(now),
        )?;
        let mut state = self.checkpoint.clone();
        // a founded log begins at an index that stands for the empty state
        state.position = state.position.max(if platter.base.index == 1 { 1 } else { 0 });
        self.process = Some(Process {
            life: self.lives,
            member,
            inbox: VecDeque::new(),
            turn_at: None,
            last_turn: now,
            busy_turns: 0,
            paused: false,
            die_after: None,
            isolated: false,
            log: LogThread::default(),
            handed_out: platter,
            writes: 0,
            next_commit: state.position + 1,
            view: View::default(),
            state,
            todo: VecDeque::new(),
            applying: false,
            fetching: None,
            tickets: self.lives << 32,
            room_taken: 0,
            proposed: BTreeMap::new(),
            reads: BTreeMap::new(),
        });
        Ok(())
    }

    /// The process of this life, if it runs.
    pub fn alive(&mut self, life: Life) -> Option<&mut Process> {
        self.process.as_mut().filter(|process| process.life == life)
    }

    /// How long the next system calls of the log thread take.
    pub fn fsync(&mut self, plan: &Plan) -> Duration {
        if let Some(stall) = self.stall.take() {
            return stall;
        }
        let mean = self.slow_fsync.unwrap_or(plan.fsync);
        mean / 2 + self.rng.about(mean / 2)
    }

    /// What the disk is good for, as a driver sees it.
    pub fn health(&self) -> DiskHealth {
        match &self.process {
            Some(process) if process.log.stalls => DiskHealth::Stalled,
            _ if self.scarce => DiskHealth::Scarce,
            _ => DiskHealth::Good,
        }
    }

    /// Ends the process. Of the writes in the log thread's hands any number of the first survive; what waited for it is
    /// lost. `power`: the state machine loses what it had not made durable. Returns the dead process and what survived.
    pub fn crash(&mut self, power: bool) -> Option<(Process, Vec<Write>)> {
        let mut process = self.process.take()?;
        let mut batch = std::mem::take(&mut process.log.batch);
        batch.truncate(self.rng.between(0, batch.len() as u64) as usize);
        if !power {
            self.checkpoint = process.state.clone();
        }
        Some((process, batch))
    }
}

impl Process {
    /// A name for a proposal or a read, greater than all before.
    pub fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.tickets
    }
}
