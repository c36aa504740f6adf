//! What one turn of the event loop collects on its way: when it is, what the member will hear, what people will.

use std::time::Duration;

use tinysns_member::Event;

use crate::journal::Journal;
use crate::outbox::Made;

/// See the module.
pub struct Turn {
    /// On the monotonic clock.
    pub now: Duration,
    /// Of `AwakeTime`: peers and this node's owner are judged on it.
    pub awake: Duration,
    /// For the member, in the order in which they happened.
    pub events: Vec<Event>,
    /// For Python, likewise.
    pub made: Vec<Made>,
    pub journal: Journal,
}

impl Turn {
    pub fn starting(now: Duration) -> Turn {
        Turn { now, awake: now, events: Vec::new(), made: Vec::new(), journal: Journal::default() }
    }
}
