//! Where the member stands, as of its last turn, for whoever asks.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Mutex;

use tinysns_member::{Member, NodeId, Status};

#[derive(Default)]
struct Standing {
    status: Status,
    voters: Vec<NodeId>,
    learners: Vec<NodeId>,
}

/// See the module.
pub struct Published {
    standing: Mutex<Standing>,
    turns: AtomicU64,
}

impl Published {
    pub fn new(member: &Member) -> Published {
        let (voters, learners) = member.members();
        let standing = Standing { status: member.status(), voters, learners };
        Published { standing: Mutex::new(standing), turns: AtomicU64::new(0) }
    }

    /// For the event loop, behind each step.
    pub fn set(&self, member: &Member) {
        self.turns.fetch_add(1, Relaxed);
        let status = member.status();
        let mut standing = self.standing.lock().expect("no thread panics with it: nothing in here does");
        if status.commit != standing.status.commit || status.first != standing.status.first {
            (standing.voters, standing.learners) = member.members(); // they change with a committed entry, or a snapshot
        }
        standing.status = status;
    }

    pub fn status(&self) -> Status {
        self.standing.lock().expect("no thread panics with it: nothing in here does").status
    }

    /// `(voters, learners)` in force.
    pub fn members(&self) -> (Vec<NodeId>, Vec<NodeId>) {
        let standing = self.standing.lock().expect("no thread panics with it: nothing in here does");
        (standing.voters.clone(), standing.learners.clone())
    }

    pub fn turns(&self) -> u64 {
        self.turns.load(Relaxed)
    }
}
