//! What must hold at every step. Each check looks at what passes a member's border (frames, writes, committed entries)
//! and at the model disks; none believes what a member says of itself.

mod committed;
mod said;

use std::collections::BTreeMap;

use tinysns_member::{NodeId, Write};

pub use said::Said;

use crate::agenda::Life;
use crate::disk::{Disk, Platter};
use crate::entry::{digest_of, Command};
use crate::state::State;

/// What did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant, as one sentence.
    pub invariant: &'static str,
    /// What was seen instead.
    pub seen: String,
}

/// Shorthand of checks.
pub type Checked = Result<(), Violation>;

/// The violation of an invariant.
pub fn violated(invariant: &'static str, seen: String) -> Checked {
    Err(Violation { invariant, seen })
}

/// One committed entry, as the first member that handed it out said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fixed {
    term: u64,
    data: u64,
    by: NodeId,
}

/// What is known of the whole group.
#[derive(Default)]
pub struct Checker {
    /// Disks of all members that ever were.
    disks: BTreeMap<NodeId, Disk>,
    /// Term and vote that each member has put on disk, in whatever life.
    votes: BTreeMap<NodeId, (u64, u64)>,
    leaders: BTreeMap<u64, (NodeId, Life)>,
    /// By (index, term): checksum of the entry, and the term of the one before it.
    entries: BTreeMap<(u64, u64), (u64, u64)>,
    committed: BTreeMap<u64, Fixed>,
    /// The state behind each committed entry.
    states: Vec<u64>,
    state: State,
    /// Voters since an index.
    voters: Vec<(u64, Vec<NodeId>)>,
    done: BTreeMap<Command, u64>,
    /// The greatest position that any client has seen the effect of.
    revealed: u64,
    /// Switches off what sees a planted bug at once, to show that its consequences are seen as well.
    pub only_consequences: bool,
}

impl Checker {
    /// Of a group that is founded with these voters.
    pub fn new(voters: Vec<NodeId>) -> Checker {
        // the log begins at index 1, which stands for the empty state
        let state = State::empty_at(1);
        let states = vec![state.digest; 2];
        Checker { voters: vec![(1, voters)], state, states, ..Checker::default() }
    }

    /// A member and its disk.
    pub fn add_disk(&mut self, node: NodeId, disk: Disk) {
        self.disks.insert(node, disk);
    }

    /// A member says that it leads in this term, to its driver or to others.
    pub fn leads(&mut self, node: NodeId, life: Life, term: u64) -> Checked {
        let (leader, its_life) = *self.leaders.entry(term).or_insert((node, life));
        if (leader, its_life) != (node, life) {
            return violated(
                "A term has at most one leader.",
                format!("in term {term} both n{leader} (life {its_life}) and n{node} (life {life}) lead"),
            );
        }
        Ok(())
    }

    /// A write as it is handed out; `handed_out`: the log with all writes before it.
    pub fn write(&mut self, node: NodeId, write: &Write, handed_out: &Platter) -> Checked {
        let before = |index: u64| handed_out.term(index);
        let mut previous = write.entries.first().and_then(|first| match &write.restore {
            Some(start) => Some(start.term),
            None => before(first.index - 1),
        });
        for entry in &write.entries {
            let Some(term_before) = previous else { break };
            let entered = (digest_of(entry), term_before);
            let known = *self.entries.entry((entry.index, entry.term)).or_insert(entered);
            if known != entered {
                return violated(
                    "Two logs that have an entry of the same index and term are the same up to it.",
                    format!(
                        "n{node} writes another entry {} of term {} than was written before",
                        entry.index, entry.term
                    ),
                );
            }
            previous = Some(entry.term);
        }
        for entry in &write.entries {
            if self.committed.get(&entry.index).is_some_and(|fixed| fixed.term != entry.term) {
                return self.overwritten(node, entry.index, entry.term, handed_out);
            }
        }
        Ok(())
    }

    /// A member may have lagged behind with another entry there, but once it holds the committed one it keeps it.
    fn overwritten(&self, node: NodeId, index: u64, term: u64, handed_out: &Platter) -> Checked {
        let fixed = self.committed[&index];
        if handed_out.term(index) == Some(fixed.term) {
            return violated(
                "A committed entry never changes.",
                format!("n{node} replaces entry {index} of term {}, which is committed, by one of {term}", fixed.term),
            );
        }
        Ok(())
    }

    /// A write reaches the disk.
    pub fn durable(&mut self, node: NodeId, write: &Write) -> Checked {
        let Some(hard) = &write.hard else { return Ok(()) };
        let (term, vote) = self.votes.insert(node, (hard.term, hard.vote)).unwrap_or_default();
        let back = hard.term < term || hard.term == term && vote != 0 && hard.vote != vote;
        if back && !self.only_consequences {
            return violated(
                "Term and vote on disk never go back.",
                format!("n{node}: term {} vote {} after term {term} vote {vote}", hard.term, hard.vote),
            );
        }
        Ok(())
    }

    /// The greatest position that any client has seen.
    pub fn revealed(&self) -> u64 {
        self.revealed
    }

    /// A client was told of the effect of this write.
    pub fn acknowledged(&mut self, node: NodeId, command: Command) -> Checked {
        match self.done.get(&command) {
            Some(index) => {
                self.revealed = self.revealed.max(*index);
                Ok(())
            }
            None => violated(
                "An acknowledged write is in the log of a quorum.",
                format!("n{node} acknowledges {command:?}, which was never executed"),
            ),
        }
    }

    /// A read that was asked for when `floor` was revealed is answered from a state at `position`.
    pub fn answered(&mut self, node: NodeId, floor: u64, position: u64) -> Checked {
        if position < floor {
            return violated(
                "A read sees every write that was acknowledged, and all that any read saw, before it was asked for.",
                format!("n{node} answers from {position}, but {floor} was known when it was asked"),
            );
        }
        self.revealed = self.revealed.max(position);
        Ok(())
    }

    /// The last committed index that anybody has handed out.
    pub fn last_committed(&self) -> u64 {
        self.state.position
    }

    /// Terms that had a leader.
    pub fn terms_led(&self) -> u64 {
        self.leaders.len() as u64
    }

    /// How often this session was written to.
    pub fn executed(&self, session: u64) -> u64 {
        self.state.last(session)
    }
}
