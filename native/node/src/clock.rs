//! The clocks that the threads read, and the time in which the event loop was really run.

use std::time::{Duration, SystemTime};

use rustix::time::{clock_gettime, ClockId};
use tinysns_member::Now;

/// Never goes back. All threads share it; the moment that it counts from means nothing.
pub fn monotonic() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).expect("it counts from the start of the machine");
    let nanoseconds = u32::try_from(time.tv_nsec).expect("less than a second");
    Duration::new(seconds, nanoseconds)
}

/// What the member is told at each step.
pub fn now() -> Now {
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Now { monotonic: monotonic(), unix_ns: u64::try_from(unix.as_nanos()).unwrap_or(u64::MAX) }
}

/// The time in which this thread could have noticed something: the clock without the spans in which it wanted to run and
/// was not run (the process was stopped, the machine was busy). Peers are judged on it: their silence counts only as far
/// as somebody was there to listen.
pub struct AwakeTime {
    turn_at: Duration,
    planned: Duration,
    lost: Duration,
}

impl AwakeTime {
    pub fn starting(now: Duration) -> AwakeTime {
        AwakeTime { turn_at: now, planned: now, lost: Duration::ZERO }
    }

    /// The thread goes to sleep until this moment at the latest.
    pub fn sleep_until(&mut self, deadline: Duration) {
        self.planned = deadline;
    }

    /// A turn begins. Whatever lies behind the end of the sleep that was planned is lost; a turn that was itself
    /// interrupted shows here as well, at the beginning of the next one.
    pub fn turn(&mut self, now: Duration) {
        self.lost += now.saturating_sub(self.planned.max(self.turn_at));
        self.turn_at = now;
    }

    /// Of the turn that runs.
    pub fn now(&self) -> Duration {
        self.turn_at - self.lost
    }

    /// The moment on the common clock at which this time will be reached, if nothing is lost meanwhile.
    pub fn on_the_clock(&self, awake: Duration) -> Duration {
        awake + self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn sleep_counts_as_far_as_it_was_planned() {
        let mut awake = AwakeTime::starting(ms(1000));
        awake.sleep_until(ms(1100));
        awake.turn(ms(1050)); // something came in
        assert_eq!(awake.now(), ms(1050));
        awake.sleep_until(ms(1200));
        awake.turn(ms(6200)); // stopped for five seconds
        assert_eq!(awake.now(), ms(1200));
        assert_eq!(awake.on_the_clock(ms(1300)), ms(6300));
    }

    #[test]
    fn a_turn_that_was_interrupted_counts_no_more_than_its_plan() {
        let mut awake = AwakeTime::starting(ms(1000));
        awake.sleep_until(ms(1100)); // planned at the end of a turn that began at 1000 and ended at 9000
        awake.turn(ms(9000));
        assert_eq!(awake.now(), ms(1100));
    }
}
