use crate::{Action, Archive, Event, Limits, NodeId, Now, Records, Status, Timing, Unusable};
use std::time::Duration;

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

/// One member.
pub struct Member {}

impl Member {
    pub fn open(_opening: Opening, _now: Now) -> Result<Member, Unusable> {
        todo!()
    }

    /// One turn: takes in what has happened, in this order, and then the time; returns what to do, in this order.
    /// Call it with no events when `deadline` has come.
    pub fn step(&mut self, _now: Now, _events: impl IntoIterator<Item = Event>) -> Vec<Action> {
        todo!()
    }

    /// When the member wants to be called at the latest, on `Now::monotonic`.
    pub fn deadline(&self) -> Duration {
        todo!()
    }

    /// How many bytes of proposals (`Item::bytes`) are welcome now; clients are refused what is beyond it.
    pub fn room(&self) -> usize {
        todo!()
    }

    pub fn status(&self) -> Status {
        todo!()
    }

    /// `(voters, learners)` in force.
    pub fn members(&self) -> (Vec<NodeId>, Vec<NodeId>) {
        todo!()
    }
}
