//! What a run is like. Swarm testing (Groce and others, 2012): each seed leaves out most kinds of faults and turns the
//! others up or down, so that rare combinations and long undisturbed stretches both occur.

use std::time::Duration;

use tinysns_member::{Limits, Timing};

use crate::network::Latency;
use crate::rng::Rng;

const fn us(microseconds: u64) -> Duration {
    Duration::from_micros(microseconds)
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A process dies and is started again; what it had written survives, what it had applied too.
    Kill,
    /// It dies in the middle of a turn: only some of the turn's actions have been executed.
    KillWithinTurn,
    /// The power of a host goes: the state machine falls back to its last checkpoint.
    PowerCut,
    /// The power of several hosts goes at once.
    Blackout,
    /// A process does not get the processor for a while.
    Pause,
    /// One direction between two members is cut.
    CutOneWay,
    /// Both directions between two members are cut; both reach the others.
    CutPair,
    /// One or two members are cut off from the others.
    Partition,
    /// A connection is reset.
    Reset,
    /// Messages take long.
    Latency,
    /// Fsyncs of one host take long.
    SlowDisk,
    /// Fsyncs of all hosts take 400 ms.
    SlowDisks,
    /// A log write does not return for seconds.
    Stall,
    /// A disk is nearly full.
    Scarce,
    /// Somebody asks for a transfer of leadership.
    Transfer,
    /// Leadership goes to and fro, quicker than some follower hears of it.
    Flap,
    /// An applier is slow.
    SlowApplier,
    /// The wall clock of a host is set.
    WallClock,
    /// A member is removed and replaced by one with a fresh node id.
    Replace,
}

/// All of them.
pub const FAULTS: [Fault; 19] = [
    Fault::Kill,
    Fault::KillWithinTurn,
    Fault::PowerCut,
    Fault::Blackout,
    Fault::Pause,
    Fault::CutOneWay,
    Fault::CutPair,
    Fault::Partition,
    Fault::Reset,
    Fault::Latency,
    Fault::SlowDisk,
    Fault::SlowDisks,
    Fault::Stall,
    Fault::Scarce,
    Fault::Transfer,
    Fault::Flap,
    Fault::SlowApplier,
    Fault::WallClock,
    Fault::Replace,
];

/// All that a run is determined by, beside the sequence of chance itself.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Members at the founding.
    pub members: usize,
    /// Happenings before the faults end.
    pub steps: u64,
    /// Faults that occur.
    pub faults: Vec<Fault>,
    /// Between two of them, on average.
    pub fault_every: Duration,
    /// How long one lasts, on average.
    pub fault_lasts: Duration,
    /// Of messages.
    pub latency: Latency,
    /// Of an fsync, on average; at least half of it.
    pub fsync: Duration,
    /// By how much clocks run wrong.
    pub drift: f64,
    /// Whether the death of a process is seen in a third of a millisecond, or in tens.
    pub lifeline: bool,
    /// Clients, each with a session.
    pub clients: usize,
    /// Writes of a client on their way at once.
    pub window: u64,
    /// Between two operations of a client, on average.
    pub think: Duration,
    /// Of operations, those that read.
    pub reads: f64,
    /// Bytes of a command, at most.
    pub command_bytes: u64,
    /// How long a client waits for its oldest write before it goes to another member.
    pub patience: Duration,
    /// How long the applier takes to begin.
    pub apply: Duration,
    /// Whether the applier makes its state durable with this probability each time.
    pub checkpoint: f64,
    /// Between two compactions of a member, on average.
    pub compact_every: Duration,
    /// Entries that a compaction leaves, at most.
    pub keep: u64,
    /// Of the members.
    pub limits: Limits,
    /// Of the members.
    pub timing: Timing,
}

impl Plan {
    /// What a seed stands for.
    pub fn swarm(members: Option<usize>, steps: u64, rng: &mut Rng) -> Plan {
        let share = *rng.pick(&[0.1, 0.25, 0.5]);
        let faults = FAULTS.into_iter().filter(|fault| rng.chance(share * weight(*fault))).collect();
        let usual = *rng.pick(&[3, 3, 3, 4, 4, 4, 4, 5]);
        let limits = limits(rng);
        Plan {
            members: members.unwrap_or(usual),
            steps,
            faults,
            fault_every: *rng.pick(&[ms(30), ms(100), ms(300), ms(1000)]),
            fault_lasts: *rng.pick(&[ms(30), ms(200), ms(600), ms(1500)]),
            latency: Latency {
                least: *rng.pick(&[us(20), us(60), us(500)]),
                jitter: *rng.pick(&[us(20), us(200), ms(3), ms(10)]),
            },
            fsync: *rng.pick(&[us(300), us(900), ms(3), ms(12)]),
            drift: *rng.pick(&[0.0, 0.001, 0.05]),
            lifeline: rng.chance(0.7),
            clients: rng.between(1, 6) as usize,
            window: *rng.pick(&[1, 4, 16, 64]),
            think: *rng.pick(&[ms(5), ms(20), ms(60)]),
            reads: *rng.pick(&[0.0, 0.2, 0.6]),
            // one that is larger than what a member may keep would never be taken
            command_bytes: (*rng.pick(&[0, 0, 100, 1000])).min(limits.pending_bytes as u64 / 2),
            patience: *rng.pick(&[ms(300), ms(2000), ms(10_000)]),
            apply: *rng.pick(&[us(100), us(800), ms(20)]),
            checkpoint: *rng.pick(&[0.05, 0.3, 1.0]),
            compact_every: *rng.pick(&[ms(200), ms(1000), ms(5000)]),
            keep: *rng.pick(&[0, 5, 100]),
            limits,
            timing: Timing::default(),
        }
    }

    /// Without faults: for tests that bring their own.
    pub fn calm(members: usize) -> Plan {
        Plan {
            members,
            steps: u64::MAX,
            faults: Vec::new(),
            fault_every: ms(1000),
            fault_lasts: ms(100),
            latency: Latency { least: us(60), jitter: us(60) },
            fsync: us(900),
            drift: 0.001,
            lifeline: true,
            clients: 3,
            window: 16,
            think: ms(10),
            reads: 0.3,
            command_bytes: 0,
            patience: ms(5000),
            apply: us(500),
            checkpoint: 0.3,
            compact_every: ms(1000),
            keep: 100,
            limits: Limits::default(),
            timing: Timing::default(),
        }
    }
}

/// Faults that change much are rarer, so that something is left for the others to disturb.
fn weight(fault: Fault) -> f64 {
    match fault {
        Fault::SlowDisks | Fault::Blackout | Fault::Latency => 0.5,
        Fault::Kill | Fault::KillWithinTurn | Fault::Reset => 1.6,
        _ => 1.0,
    }
}

/// Usually those of the product; sometimes so small that they are reached.
fn limits(rng: &mut Rng) -> Limits {
    let usual = Limits::default();
    if rng.chance(0.6) {
        return usual;
    }
    Limits {
        entry_bytes: *rng.pick(&[60, 300, 4000]),
        rounds: rng.between(1, 3) as usize,
        pending_bytes: *rng.pick(&[400, 4000, 100_000]),
        forward_bytes: *rng.pick(&[100, 1000, 20_000]),
        frame_bytes: *rng.pick(&[60, 500, 4000]),
        cache_bytes: *rng.pick(&[0, 200, 4000]),
        ..usual
    }
}
