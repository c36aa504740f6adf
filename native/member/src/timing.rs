//! Every duration of the consensus member and its links, and how they must relate.
//!
//! None of them is on the path of a failover after a kill: that one follows events (succession.rs). They are for hangs,
//! lost hosts and cut networks, and none may pass merely because a machine is busy: what judges a thread or a process
//! reads that one's own note of time, and a member that was not run itself does not count the ticks that it missed.

use std::time::Duration;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// See the module. `validate` says whether a set of them can work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    /// Resolution of raft's own clock (heartbeat, election).
    pub tick: Duration,
    /// The leader says to each follower that it leads. Also the latest moment at which followers hear of a commit.
    pub heartbeat: Duration,
    /// Without a word from a leader for so long, the first follower asks for pre-votes; the one of rank n waits
    /// `election_per_rank` n times longer, so that they do not ask all at once. A leader without a quorum for so long
    /// steps down.
    pub election: Duration,
    pub election_per_rank: Duration,
    /// Something is said on each link at least so often.
    pub pulse: Duration,
    /// A link on which nothing was heard for so long is replaced by a new connection: after a healed network TCP's own
    /// retransmission can take seconds.
    pub silence: Duration,
    /// Between two tries to connect to a peer, and how long one may take.
    pub redial: Duration,
    pub connect: Duration,
    /// A survivor that may not campaign at once does so after this, and so much later for each rank (succession.rs);
    /// both grow with the disk: they are for fsyncs of at most `quick_fsync`.
    pub succession: Duration,
    pub succession_per_rank: Duration,
    pub quick_fsync: Duration,
    /// A read request that raft may have dropped is asked again after this, then after twice as long, up to the second.
    pub ask_again: Duration,
    pub ask_again_most: Duration,
    /// While a round is on its way to the disks, the next one waits so long for company. A lone write never waits.
    pub gather: Duration,
    /// A log write that has been in its system calls for so long means that this disk cannot lead.
    pub disk_stall: Duration,
    /// Between the message that hands leadership over and silence, on a stalled disk.
    pub isolate: Duration,
    /// A leader that cannot lead (disk) and has asked all others in vain to take over asks again after this.
    pub transfer_again: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            tick: ms(50),
            heartbeat: ms(100),
            election: ms(400),
            election_per_rank: ms(100),
            pulse: ms(200),
            silence: ms(1000),
            redial: ms(100),
            connect: ms(500),
            succession: ms(30),
            succession_per_rank: ms(15),
            quick_fsync: ms(6),
            ask_again: ms(5),
            ask_again_most: ms(100),
            gather: ms(2),
            disk_stall: ms(1000),
            isolate: ms(10),
            transfer_again: ms(5000),
        }
    }
}

impl Timing {
    /// Err: a sentence that names the two that do not fit.
    pub fn validate(&self) -> Result<(), String> {
        let relations = [
            (self.tick, "tick", self.heartbeat, "heartbeat"),
            (self.heartbeat * 3, "three heartbeats", self.election, "election"),
            (self.tick, "tick", self.election_per_rank, "election_per_rank"),
            (self.pulse * 3, "three pulses", self.silence, "silence"),
            (self.gather, "gather", self.heartbeat, "heartbeat"),
            (self.quick_fsync, "quick_fsync", self.succession, "succession"),
            (self.succession, "succession", self.election, "election"),
            (self.ask_again, "ask_again", self.ask_again_most, "ask_again_most"),
            (self.isolate, "isolate", self.disk_stall, "disk_stall"),
            (self.disk_stall, "disk_stall", self.transfer_again, "transfer_again"),
        ];
        if self.tick.is_zero() {
            return Err("tick must not be zero".into());
        }
        for (less, its_name, more, other_name) in relations {
            if less > more {
                return Err(format!("{its_name} ({less:?}) must not be longer than {other_name} ({more:?})"));
            }
        }
        Ok(())
    }

    /// How many ticks make this duration, at least one.
    pub(crate) fn ticks(&self, duration: Duration) -> usize {
        let ticks = duration.as_nanos().div_ceil(self.tick.as_nanos()).max(1);
        usize::try_from(ticks).expect("durations are seconds at most")
    }
}
