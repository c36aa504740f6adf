//! Linearizable reads (raft thesis, 6.4, read index): one round to a quorum serves all reads that wait for it.
//!
//! A read may be answered from a state that has reached the position which the leader, confirmed by a quorum *after* the
//! read arrived, had committed. No clock and no lease is involved.
//!
//! raft drops a request silently until a new leader has committed in its own term, and a lost link loses it: so it is
//! asked again, soon after a change of leader, and then each time twice as long after the last.

use std::time::Duration;

use crate::event::{NodeId, Ticket};
use crate::timing::Timing;

pub(crate) struct Reads {
    me: NodeId,
    /// A context is never used again, not by a later life of this member either: a leader may still hold the same one
    /// from the life before, with what was committed then, and would answer with that.
    incarnation: u64,
    round: u64,
    /// For the next round.
    waiting: Vec<Ticket>,
    /// For the round under way.
    asked: Vec<Ticket>,
    again_at: Duration,
    patience: Duration,
    /// Confirmed, and not yet handed out so far: (position, tickets), positions ascending.
    ripening: Vec<(u64, Vec<Ticket>)>,
}

impl Reads {
    pub fn new(me: NodeId, incarnation: u64) -> Reads {
        Reads {
            me,
            incarnation,
            round: 0,
            waiting: Vec::new(),
            asked: Vec::new(),
            again_at: Duration::ZERO,
            patience: Duration::ZERO,
            ripening: Vec::new(),
        }
    }

    pub fn add(&mut self, ticket: Ticket) {
        self.waiting.push(ticket);
    }

    /// The leader, or the link to it, is new: what was asked may never be answered.
    pub fn ask_soon(&mut self) {
        (self.again_at, self.patience) = (Duration::ZERO, Duration::ZERO);
    }

    /// The context to ask with, if it is time to ask; it is then taken for asked.
    pub fn due(&mut self, now: Duration, timing: &Timing) -> Option<Vec<u8>> {
        if self.asked.is_empty() && self.waiting.is_empty() || !self.asked.is_empty() && now < self.again_at {
            return None;
        }
        if self.asked.is_empty() {
            self.patience = Duration::ZERO;
        }
        self.asked.append(&mut self.waiting);
        self.round += 1;
        self.patience = (2 * self.patience).clamp(timing.ask_again, timing.ask_again_most);
        self.again_at = now + self.patience;
        Some(self.context())
    }

    /// When to ask again, if anything was asked.
    pub fn deadline(&self) -> Option<Duration> {
        (!self.asked.is_empty()).then_some(self.again_at)
    }

    /// The leader of `context` had committed `index`. An answer to an older round is none: reads may have joined since.
    pub fn confirmed(&mut self, context: &[u8], index: u64) {
        if context == self.context() && !self.asked.is_empty() {
            self.ripening.push((index, std::mem::take(&mut self.asked)));
        }
    }

    /// Everything up to `handed_out` was handed to the state machine: these reads may follow it.
    pub fn ripe(&mut self, handed_out: u64) -> Vec<(u64, Vec<Ticket>)> {
        let (ripe, later) = std::mem::take(&mut self.ripening).into_iter().partition(|(index, _)| *index <= handed_out);
        self.ripening = later;
        ripe
    }

    fn context(&self) -> Vec<u8> {
        [self.me, self.incarnation, self.round].iter().flat_map(|number| number.to_le_bytes()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(5);

    #[test]
    fn one_round_serves_all_that_wait_and_none_that_come_later() {
        let (mut reads, timing) = (Reads::new(1, 1), Timing::default());
        reads.add(1);
        reads.add(2);
        let context = reads.due(NOW, &timing).expect("two wait");
        reads.add(3);
        assert_eq!(reads.due(NOW, &timing), None, "a round is under way");
        reads.confirmed(&context, 10);
        assert_eq!(reads.ripe(9), []);
        assert_eq!(reads.ripe(10), [(10, vec![1, 2])]);
        assert!(reads.due(NOW, &timing).is_some(), "now it is the third one's turn");
    }

    #[test]
    fn an_answer_to_an_older_round_is_none() {
        let (mut reads, timing) = (Reads::new(1, 1), Timing::default());
        reads.add(1);
        let old = reads.due(NOW, &timing).expect("one waits");
        reads.add(2);
        let new = reads.due(NOW + timing.ask_again, &timing).expect("no answer came");
        reads.confirmed(&old, 10);
        assert_eq!(reads.ripe(99), []);
        reads.confirmed(&new, 11);
        assert_eq!(reads.ripe(99), [(11, vec![1, 2])]);
    }

    #[test]
    fn contexts_of_two_lives_differ() {
        let context = |incarnation| {
            let mut reads = Reads::new(1, incarnation);
            reads.add(1);
            reads.due(NOW, &Timing::default())
        };
        assert_ne!(context(1), context(2));
    }

    #[test]
    fn patience_doubles_up_to_its_most_and_is_short_again_behind_a_change() {
        let (mut reads, timing) = (Reads::new(1, 1), Timing::default());
        reads.add(1);
        let mut now = NOW;
        let mut waits = Vec::new();
        for _ in 0..7 {
            reads.due(now, &timing).expect("it is time");
            let next = reads.deadline().expect("it will ask again");
            waits.push((next - now).as_millis());
            now = next;
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 100, 100]);
        reads.ask_soon();
        reads.due(now, &timing).expect("at once");
        assert_eq!(reads.deadline(), Some(now + timing.ask_again));
    }
}
