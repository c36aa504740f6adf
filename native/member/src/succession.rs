//! Who campaigns when a leader is lost, so that votes do not split and no vote is asked for in vain.
//!
//! Safety is Raft's alone: whoever campaigns, at most one leader comes out of a term, and only one whose log is complete.
//! What is decided here is how quickly. Two facts make it quick:
//!
//! - A survivor whose log lacks the last entry cannot win, and of four members all three survivors must vote. So the
//!   survivors tell each other where their logs end, and only the one with the best log campaigns, at once.
//! - Ties go to the first in the list of members; all know the same list.
//!
//! Loss is the end of a link or of a lifeline, or so many others that say so that the leader has no quorum. None needs to
//! be right (ARCHITECTURE.md, rule 11). A survivor to which a quorum, itself included, has said that it lost the same
//! leader of the same term knows what a pre-vote would say, and goes without. Any other asks by pre-vote first, which the
//! others refuse as long as they hear the leader themselves.
//!
//! What a survivor said counts for one election timeout only. It may have its leader back since, over a new link, and then
//! two members that lost it at different times, or one that lost it twice, would depose a leader that all of them hear.
//!
//! A survivor that did not speak must not hold the others up: each campaigns all the same after a delay that grows with
//! its rank, a few times, and then raft's own clock takes over. An election has a few fsyncs in a row, so on a disk that
//! is slower than `Timing::quick_fsync` the delays grow with it, and each one is twice the one before: or the survivors
//! would depose each other before any could win.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::event::{LogEnd, NodeId};
use crate::timing::Timing;

/// After so many tries raft's own election timeout takes over.
const ATTEMPTS: u32 = 5;

/// A leader of one term.
type Lost = (NodeId, u64);
/// Term and index of a log's last entry: of two members the one with the greater can win an election over the other.
type End = (u64, u64);
/// Where the logs of survivors end, and until when what they said counts.
type Ends = BTreeMap<NodeId, (End, Duration)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Wait,
    /// With pre-vote.
    Campaign,
    /// A quorum has lost this leader and this log is the best of theirs: no pre-vote is needed.
    CampaignNow,
}

struct Loss {
    lost: Lost,
    ends: Ends,
    /// The best log has been told to campaign, once; from then on the delays decide.
    decided: bool,
    next_at: Option<Duration>,
    delay: Duration,
    attempts_left: u32,
}

pub(crate) struct Succession {
    me: NodeId,
    order: Vec<NodeId>,
    loss: Option<Loss>,
    /// What others said of losses that this member has not noticed itself.
    heard: BTreeMap<Lost, Ends>,
}

impl Succession {
    /// `order`: all voters, the first of the list first.
    pub fn new(me: NodeId, order: Vec<NodeId>) -> Succession {
        Succession { me, order, loss: None, heard: BTreeMap::new() }
    }

    /// The membership has changed.
    pub fn set_order(&mut self, order: Vec<NodeId>) {
        self.order = order;
    }

    fn quorum(&self) -> usize {
        self.order.len() / 2 + 1
    }

    /// Place in the line of survivors: 0 is first.
    fn rank(&self, member: NodeId, lost: NodeId) -> usize {
        let survivors = self.order.iter().filter(|other| **other != lost);
        survivors.clone().position(|other| *other == member).unwrap_or_else(|| survivors.count())
    }

    /// Whether this very loss is being dealt with.
    pub fn deals_with(&self, leader: NodeId, term: u64) -> bool {
        self.loss.as_ref().is_some_and(|loss| loss.lost == (leader, term))
    }

    /// This member has lost its leader of that term, and its own log ends at `end`.
    pub fn begin(&mut self, lost: Lost, end: End, now: Duration, usual_write: Duration, timing: &Timing) {
        let mut ends = self.heard.remove(&lost).unwrap_or_default();
        ends.insert(self.me, (end, Duration::MAX));
        let rank = u32::try_from(self.rank(self.me, lost.0)).expect("a group has few members");
        let slowness = (usual_write.as_secs_f64() / timing.quick_fsync.as_secs_f64()).max(1.0);
        let delay = (timing.succession + timing.succession_per_rank * rank).mul_f64(slowness);
        let loss = Loss { lost, ends, decided: false, next_at: Some(now + delay), delay, attempts_left: ATTEMPTS };
        self.loss = Some(loss);
    }

    /// `peer` has lost that leader. True: so many have that it has no quorum left, although this member still hears it.
    pub fn heard(&mut self, peer: NodeId, said: &LogEnd, now: Duration, timing: &Timing) -> bool {
        let (lost, end) = ((said.lost_leader, said.lost_term), (said.last_term, said.last_index));
        if !self.order.contains(&peer) || peer == said.lost_leader {
            return false;
        }
        let said = (end, now + timing.election);
        if let Some(loss) = self.loss.as_mut().filter(|loss| loss.lost == lost) {
            loss.ends.insert(peer, said);
            return false;
        }
        self.heard.retain(|(_, term), _| *term >= lost.1); // older terms are over, so this stays small
        let told = self.heard.entry(lost).or_default();
        told.insert(peer, said);
        told.retain(|_, (_, until)| now < *until);
        told.len() > self.order.len() - self.quorum()
    }

    /// Whether to campaign now: all voters among the `linked` peers have spoken, they are a quorum with this member, and
    /// its log is the best of them.
    pub fn decide(&mut self, linked: impl Iterator<Item = NodeId>, now: Duration) -> Verdict {
        let quorum = self.quorum();
        let Some(loss) = self.loss.as_mut().filter(|loss| !loss.decided) else { return Verdict::Wait };
        loss.ends.retain(|_, (_, until)| now < *until);
        let leader = loss.lost.0;
        let expected: Vec<NodeId> = linked.filter(|peer| *peer != leader && self.order.contains(peer)).collect();
        let spoken = expected.iter().all(|peer| loss.ends.contains_key(peer));
        if !spoken || expected.len() + 1 < quorum || !self.order.contains(&self.me) {
            return Verdict::Wait;
        }
        loss.decided = true;
        let loss = self.loss.as_ref().expect("it has just been there");
        let rank = |member: &NodeId| std::cmp::Reverse(self.rank(*member, leader));
        match loss.ends.iter().max_by_key(|(member, (end, _))| (*end, rank(member))) {
            Some((member, _)) if *member == self.me => Verdict::CampaignNow,
            _ => Verdict::Wait,
        }
    }

    /// The next try of one who was not first, or whose requests got lost.
    pub fn pass_time(&mut self, now: Duration) -> Verdict {
        let Some(loss) = self.loss.as_mut().filter(|loss| loss.next_at.is_some_and(|at| at <= now)) else {
            return Verdict::Wait;
        };
        loss.attempts_left -= 1;
        loss.delay *= 2;
        loss.next_at = (loss.attempts_left > 0).then(|| now + loss.delay);
        Verdict::Campaign
    }

    /// Another survivor asks for votes: its election has a few fsyncs before it, and the next try is for the case that it
    /// comes to nothing.
    pub fn put_off(&mut self, now: Duration) {
        if let Some(Loss { next_at: Some(at), delay, .. }) = &mut self.loss {
            *at = (*at).max(now + *delay);
        }
    }

    /// When `pass_time` wants to be called.
    pub fn deadline(&self) -> Option<Duration> {
        self.loss.as_ref().and_then(|loss| loss.next_at)
    }

    /// There is a leader again.
    pub fn end(&mut self) {
        self.loss = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOST: Lost = (1, 7);
    const NOW: Duration = Duration::from_millis(5);

    fn said(end: End) -> LogEnd {
        LogEnd { lost_leader: LOST.0, lost_term: LOST.1, last_term: end.0, last_index: end.1 }
    }

    fn survivor(me: NodeId, end: End) -> Succession {
        let mut succession = Succession::new(me, vec![1, 2, 3, 4]);
        succession.begin(LOST, end, Duration::ZERO, Duration::ZERO, &Timing::default());
        succession
    }

    #[test]
    fn the_best_log_campaigns_once_all_have_spoken() {
        let mut three = survivor(3, (7, 11));
        assert_eq!(three.decide([2, 4].into_iter(), NOW), Verdict::Wait);
        three.heard(2, &said((7, 10)), NOW, &Timing::default());
        assert_eq!(three.decide([2, 4].into_iter(), NOW), Verdict::Wait, "4 is linked and has not spoken");
        three.heard(4, &said((7, 11)), NOW, &Timing::default());
        assert_eq!(three.decide([2, 4].into_iter(), NOW), Verdict::CampaignNow);
        assert_eq!(three.decide([2, 4].into_iter(), NOW), Verdict::Wait, "only once");
    }

    #[test]
    fn ties_go_to_the_first_of_the_list() {
        let mut four = survivor(4, (7, 11));
        four.heard(2, &said((7, 11)), NOW, &Timing::default());
        four.heard(3, &said((7, 10)), NOW, &Timing::default());
        assert_eq!(four.decide([2, 3].into_iter(), NOW), Verdict::Wait);
        let mut two = survivor(2, (7, 11));
        two.heard(4, &said((7, 11)), NOW, &Timing::default());
        two.heard(3, &said((7, 10)), NOW, &Timing::default());
        assert_eq!(two.decide([3, 4].into_iter(), NOW), Verdict::CampaignNow);
    }

    #[test]
    fn less_than_a_quorum_does_not_decide() {
        let mut two = survivor(2, (7, 11));
        two.heard(3, &said((7, 10)), NOW, &Timing::default());
        assert_eq!(two.decide([3].into_iter(), NOW), Verdict::Wait, "two of four");
    }

    #[test]
    fn others_are_believed_when_the_leader_has_no_quorum_left() {
        let mut two = Succession::new(2, vec![1, 2, 3, 4]);
        assert!(!two.heard(3, &said((7, 10)), NOW, &Timing::default()), "three of four may still hear it");
        assert!(two.heard(4, &said((7, 10)), NOW, &Timing::default()));
    }

    #[test]
    fn what_was_said_long_ago_counts_no_more() {
        let timing = Timing::default();
        let later = NOW + timing.election;
        let mut two = Succession::new(2, vec![1, 2, 3, 4]);
        two.heard(3, &said((7, 10)), NOW, &timing);
        assert!(!two.heard(4, &said((7, 10)), later, &timing), "3 may have it back");
        two.begin(LOST, (7, 11), later, Duration::ZERO, &timing);
        assert_eq!(two.decide([3, 4].into_iter(), later), Verdict::Wait, "and then it refuses pre-votes");
        two.heard(3, &said((7, 10)), later, &timing);
        assert_eq!(two.decide([3, 4].into_iter(), later), Verdict::CampaignNow);
    }

    #[test]
    fn a_stranger_and_the_lost_one_itself_are_not_heard() {
        let mut two = survivor(2, (7, 11));
        two.heard(9, &said((9, 99)), NOW, &Timing::default());
        two.heard(1, &said((9, 99)), NOW, &Timing::default());
        two.heard(3, &said((7, 10)), NOW, &Timing::default());
        two.heard(4, &said((7, 10)), NOW, &Timing::default());
        assert_eq!(two.decide([3, 4].into_iter(), NOW), Verdict::CampaignNow);
    }

    #[test]
    fn an_election_that_is_under_way_puts_the_next_try_off() {
        let mut third = survivor(3, (7, 11));
        let first = third.deadline().expect("it will try");
        third.put_off(first - NOW);
        assert_eq!(third.deadline(), Some(2 * first - NOW));
        third.put_off(Duration::ZERO);
        assert_eq!(third.deadline(), Some(2 * first - NOW), "never earlier");
    }

    #[test]
    fn delays_grow_with_rank_disk_and_attempt() {
        let timing = Timing::default();
        let second = survivor(3, (7, 11)).deadline().expect("it will try");
        assert_eq!(second, timing.succession + timing.succession_per_rank);
        let mut slow = Succession::new(2, vec![1, 2, 3, 4]);
        slow.begin(LOST, (7, 11), Duration::ZERO, 10 * timing.quick_fsync, &timing);
        assert_eq!(slow.deadline(), Some(timing.succession * 10));
        let first = slow.deadline().expect("it will try");
        assert_eq!(slow.pass_time(first), Verdict::Campaign);
        assert_eq!(slow.deadline(), Some(first + 2 * first));
        for _ in 1..ATTEMPTS {
            let at = slow.deadline().expect("it will try again");
            assert_eq!(slow.pass_time(at), Verdict::Campaign);
        }
        assert_eq!(slow.deadline(), None, "then raft's own clock takes over");
    }
}
