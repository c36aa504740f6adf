//! The clocks of a host: they run at a rate of their own, and the wall clock is set at will.

use std::time::Duration;

use tinysns_member::Now;

use crate::rng::Rng;

/// What one host takes for the time.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Seconds of this host in one second of the world.
    rate: f64,
    /// What its monotonic clock showed when the world began.
    start: Duration,
    wall_ns: u64,
}

impl Clock {
    /// A clock that is wrong by up to `drift` of the time that passes.
    pub fn new(drift: f64, rng: &mut Rng) -> Clock {
        let rate = 1.0 + drift * (2.0 * rng.unit() - 1.0);
        let start = rng.span(Duration::from_secs(1), Duration::from_secs(1_000_000));
        Clock { rate, start, wall_ns: 1_700_000_000_000_000_000 }
    }

    /// What the clocks of this host show at `world`.
    pub fn at(&self, world: Duration) -> Now {
        let unix_ns = self.wall_ns.saturating_add(world.as_nanos() as u64);
        Now { monotonic: self.start + world.mul_f64(self.rate), unix_ns }
    }

    /// When the monotonic clock of this host will show `local`; never before it does, by rounding.
    pub fn when(&self, local: Duration) -> Duration {
        local.saturating_sub(self.start).div_f64(self.rate) + Duration::from_nanos(200)
    }

    /// Somebody sets the wall clock, perhaps back.
    pub fn set_wall(&mut self, rng: &mut Rng) {
        self.wall_ns = rng.below(1 << 61);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_has_passed_when_the_world_gets_there() {
        let mut rng = Rng::new(3);
        for _ in 0..1000 {
            let clock = Clock::new(0.1, &mut rng);
            let world = rng.span(Duration::ZERO, Duration::from_secs(100));
            let local = clock.at(world).monotonic;
            assert!(clock.at(clock.when(local)).monotonic >= local);
        }
    }
}
