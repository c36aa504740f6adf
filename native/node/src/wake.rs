//! When Python is woken for what a turn has made, and what follows when it does not come.

use std::time::Duration;

use crate::outbox::{Made, Output};

/// Decides when to wake Python. Times are of the monotonic clock.
#[derive(Default)]
pub struct WakePolicy {
    /// How long committed entries may wait that nobody here has proposed.
    lazy: Duration,
    /// When to wake it for what it was not woken for yet.
    at: Option<Duration>,
}

impl WakePolicy {
    /// Another one of these counts from now on, for what waits already, too.
    pub fn set_lazy(&mut self, lazy: Duration, now: Duration) {
        self.lazy = lazy;
        self.at = self.at.map(|at| at.min(now + lazy));
    }

    /// True: wake it now.
    pub fn decide(&mut self, made: &[Made], now: Duration) -> bool {
        let urgent = made.iter().any(is_urgent);
        if !urgent && !made.is_empty() {
            self.at.get_or_insert(now + self.lazy);
        }
        let wake = urgent || self.at.is_some_and(|at| now >= at);
        if wake {
            self.at = None;
        }
        wake
    }

    pub fn deadline(&self) -> Option<Duration> {
        self.at
    }
}

/// Somebody waits for it.
fn is_urgent(made: &Made) -> bool {
    match made {
        Made::Commit(entry) => !entry.own.is_empty(),
        Made::Output(Output::Note { .. } | Output::Compacted) | Made::ForgetCommitted => false,
        Made::Output(_) => true,
    }
}

/// Watches whether Python comes when it was woken. Times are of `AwakeTime`: a process that was stopped as a whole has not
/// left anything lying about.
pub struct Watchdog {
    stuck: Duration,
    /// How often Python had asked when it was woken, and when that was.
    waiting: Option<(u64, Duration)>,
}

impl Watchdog {
    pub fn new(stuck: Duration) -> Watchdog {
        Watchdog { stuck, waiting: None }
    }

    /// Some: Python was woken so long ago and has not asked since; told once in each `stuck`. `woken`: it was woken and
    /// has not asked since.
    pub fn look(&mut self, woken: bool, polls: u64, awake: Duration) -> Option<Duration> {
        match self.waiting {
            Some((then, since)) if woken && then == polls => {
                let waited = awake.saturating_sub(since);
                (waited >= self.stuck).then(|| {
                    self.waiting = Some((polls, awake));
                    waited
                })
            }
            _ => {
                self.waiting = woken.then_some((polls, awake));
                None
            }
        }
    }

    /// When (awake) to look again.
    pub fn deadline(&self) -> Option<Duration> {
        self.waiting.map(|(_, since)| since + self.stuck)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tinysns_member::{Committed, View};

    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn commit(own: &[u64]) -> Made {
        Made::Commit(Committed { index: 1, term: 1, data: Bytes::new(), own: own.to_vec() })
    }

    #[test]
    fn without_patience_everything_wakes() {
        let mut policy = WakePolicy::default();
        assert!(policy.decide(&[commit(&[])], ms(5)));
        assert!(!policy.decide(&[], ms(6)));
        assert_eq!(policy.deadline(), None);
    }

    #[test]
    fn what_nobody_waits_for_waits() {
        let mut policy = WakePolicy::default();
        policy.set_lazy(ms(20), ms(0));
        assert!(!policy.decide(&[commit(&[])], ms(5)));
        assert!(!policy.decide(&[commit(&[])], ms(15)));
        assert_eq!(policy.deadline(), Some(ms(25)));
        assert!(policy.decide(&[], ms(25)));
        assert_eq!(policy.deadline(), None);
    }

    #[test]
    fn what_somebody_waits_for_pulls_the_rest_forward() {
        for urgent in [commit(&[7]), Made::Output(Output::View(View::default()))] {
            let mut policy = WakePolicy::default();
            policy.set_lazy(ms(20), ms(0));
            assert!(!policy.decide(&[commit(&[])], ms(5)));
            assert!(policy.decide(&[urgent], ms(6)));
            assert_eq!(policy.deadline(), None);
        }
    }

    #[test]
    fn who_becomes_curious_need_not_wait_for_the_old_deadline() {
        let mut policy = WakePolicy::default();
        policy.set_lazy(ms(20), ms(0));
        policy.decide(&[commit(&[])], ms(5));
        policy.set_lazy(ms(0), ms(6));
        assert!(policy.decide(&[], ms(6)));
    }

    #[test]
    fn python_that_does_not_come_is_stuck() {
        let mut watchdog = Watchdog::new(ms(100));
        assert_eq!(watchdog.look(true, 3, ms(0)), None);
        assert_eq!(watchdog.deadline(), Some(ms(100)));
        assert_eq!(watchdog.look(true, 3, ms(99)), None);
        assert_eq!(watchdog.look(true, 3, ms(105)), Some(ms(105)));
        assert_eq!(watchdog.look(true, 3, ms(106)), None);
        assert_eq!(watchdog.look(true, 4, ms(210)), None); // it came, and was woken again
        assert_eq!(watchdog.look(false, 5, ms(400)), None);
        assert_eq!(watchdog.deadline(), None);
    }
}
