//! What the data disk is good for now: stalled or not, and how full.

use std::sync::Arc;
use std::time::Duration;

use super::io_notes::IoNotes;
use super::space::{Room, SpaceNote};
use super::stall::StallWatch;
use crate::outbox::{DiskState, Health};

/// For the event loop. Times as in stall.rs.
pub struct DiskWatch {
    notes: Arc<IoNotes>,
    space: Arc<SpaceNote>,
    reserve_bytes: u64,
    stall: StallWatch,
    /// Orders of the last write that was handed over, and of the last that has returned.
    handed_over: u64,
    returned: u64,
    state: DiskState,
}

impl DiskWatch {
    /// `stall`: `Timing::disk_stall`.
    pub fn new(notes: Arc<IoNotes>, space: Arc<SpaceNote>, reserve_bytes: u64, stall: Duration) -> DiskWatch {
        let stall = StallWatch::new(stall);
        DiskWatch { notes, space, reserve_bytes, stall, handed_over: 0, returned: 0, state: DiskState::Good }
    }

    pub fn handed_over(&mut self, order: u64, awake: Duration) {
        self.handed_over = order;
        self.stall.handed_over(awake);
    }

    pub fn returned(&mut self, order: u64, awake: Duration) {
        self.returned = order;
        self.stall.returned(awake, order == self.handed_over);
    }

    /// Looks at the notes; Some if the disk has become better or worse.
    pub fn look(&mut self, now: Duration, awake: Duration) -> Option<Health> {
        let (in_flight_since, usual) = (self.notes.in_flight_since(), self.notes.usual());
        let space = self.space.get();
        let state = if self.stall.judge(now, awake, in_flight_since, usual) {
            DiskState::Stalled
        } else {
            match space.judge(self.reserve_bytes) {
                Room::Good => DiskState::Good,
                Room::Scarce => DiskState::Scarce,
                Room::Full => DiskState::Full,
            }
        };
        if state == std::mem::replace(&mut self.state, state) {
            return None;
        }
        let since = in_flight_since.filter(|_| state == DiskState::Stalled);
        Some(Health {
            disk: state,
            stalled_seconds: since.map_or(0.0, |since| now.saturating_sub(since).as_secs_f64()),
            free_bytes: space.free_bytes,
            free_inodes: space.free_inodes.unwrap_or(u64::MAX),
        })
    }

    /// When (awake) to look again, if nothing returns before.
    pub fn deadline(&self) -> Option<Duration> {
        self.stall.deadline(self.notes.usual())
    }
}

impl DiskState {
    /// What the member makes of it. Whether anything may be written to a full disk its owner decides.
    pub fn for_member(self) -> tinysns_member::Disk {
        match self {
            DiskState::Good => tinysns_member::Disk::Good,
            DiskState::Scarce | DiskState::Full => tinysns_member::Disk::Scarce,
            DiskState::Stalled => tinysns_member::Disk::Stalled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::space::Space;

    #[test]
    fn it_tells_only_what_has_changed() {
        let space = |free_bytes| Space { free_bytes, free_inodes: None };
        let note = Arc::new(SpaceNote::new(space(1 << 30)));
        let second = Duration::from_secs(1);
        let mut watch = DiskWatch::new(Arc::new(IoNotes::default()), note.clone(), 100 << 20, second);
        assert_eq!(watch.look(second, second), None);
        note.set(space(50 << 20));
        let health = watch.look(second, second).expect("it is scarce now");
        assert_eq!((health.disk, health.free_bytes, health.stalled_seconds), (DiskState::Scarce, 50 << 20, 0.0));
        assert_eq!(watch.look(second, second), None);
        note.set(space(1));
        assert_eq!(watch.look(second, second).map(|health| health.disk), Some(DiskState::Full));
        note.set(space(1 << 30));
        assert_eq!(watch.look(second, second).map(|health| health.disk), Some(DiskState::Good));
    }
}
