//! Whether the disk stalls: judged by what the log thread noted, and only while the judge itself was awake.

use std::time::Duration;

/// Watches the writes that the event loop has handed to the log thread. `awake` times are of `AwakeTime`, the others of the
/// monotonic clock.
pub struct StallWatch {
    /// `Timing::disk_stall`.
    limit: Duration,
    /// Since when (awake) something waits for the disk without any progress; None if nothing waits.
    waiting: Option<Duration>,
    stalled: bool,
}

/// A disk that is always as slow as this is slow, not stalled.
const TIMES_USUAL: u32 = 4;

impl StallWatch {
    pub fn new(limit: Duration) -> StallWatch {
        StallWatch { limit, waiting: None, stalled: false }
    }

    /// A write was handed to the log thread.
    pub fn handed_over(&mut self, awake: Duration) {
        self.waiting.get_or_insert(awake);
    }

    /// Writes have returned; `all` of them, or some still wait.
    pub fn returned(&mut self, awake: Duration, all: bool) {
        self.waiting = if all { None } else { Some(awake) };
    }

    /// True: the disk stalls. `in_flight_since`, `usual`: as the log thread noted.
    ///
    /// Two things must hold. The call itself has been in flight for too long: a log thread that was not run has none in
    /// flight. And this loop was awake as long: after a stop of the whole process the call may have returned unnoted.
    pub fn judge(
        &mut self,
        now: Duration,
        awake: Duration,
        in_flight_since: Option<Duration>,
        usual: Duration,
    ) -> bool {
        let limit = self.limit(usual);
        self.stalled = match (in_flight_since, self.waiting) {
            (Some(began), Some(waiting)) => {
                now.saturating_sub(began) >= limit && awake.saturating_sub(waiting) >= limit
            }
            _ => false,
        };
        self.stalled
    }

    /// When (awake) to look again, if nothing returns before.
    pub fn deadline(&self, usual: Duration) -> Option<Duration> {
        let limit = self.limit(usual);
        self.waiting.filter(|_| !self.stalled).map(|since| since + limit)
    }

    fn limit(&self, usual: Duration) -> Duration {
        self.limit.max(usual * TIMES_USUAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// A write handed over at 5000 on both clocks, its call begun then too.
    fn waiting() -> StallWatch {
        let mut watch = StallWatch::new(ms(1000));
        watch.handed_over(ms(5000));
        watch
    }

    #[test]
    fn a_call_that_does_not_return_stalls_after_the_limit() {
        let mut watch = waiting();
        assert!(!watch.judge(ms(5999), ms(5999), Some(ms(5000)), ms(1)));
        assert_eq!(watch.deadline(ms(1)), Some(ms(6000)));
        assert!(watch.judge(ms(6000), ms(6000), Some(ms(5000)), ms(1)));
        watch.returned(ms(7000), true);
        assert!(!watch.judge(ms(7000), ms(7000), None, ms(1)));
        assert_eq!(watch.deadline(ms(1)), None);
    }

    #[test]
    fn a_log_thread_that_is_not_run_is_no_stalled_disk() {
        assert!(!waiting().judge(ms(9000), ms(9000), None, ms(1)));
        assert!(!waiting().judge(ms(9000), ms(9000), Some(ms(8900)), ms(1)));
    }

    #[test]
    fn a_stop_of_the_whole_process_is_no_stalled_disk() {
        assert!(!waiting().judge(ms(9000), ms(5020), Some(ms(5000)), ms(1)));
    }

    #[test]
    fn a_disk_that_is_always_slow_does_not_stall() {
        let mut watch = waiting();
        assert!(!watch.judge(ms(6500), ms(6500), Some(ms(5000)), ms(400)));
        assert_eq!(watch.deadline(ms(400)), Some(ms(6600)));
        assert!(watch.judge(ms(6600), ms(6600), Some(ms(5000)), ms(400)));
    }

    #[test]
    fn each_return_begins_a_new_wait() {
        let mut watch = waiting();
        watch.returned(ms(5900), false);
        assert!(!watch.judge(ms(6100), ms(6100), Some(ms(5901)), ms(1)));
        assert_eq!(watch.deadline(ms(1)), Some(ms(6900)));
    }
}
