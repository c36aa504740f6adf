//! The log as it is on disk, for reading. Writing goes through `Action::Write`.

use std::fmt;

use raft::eraftpb::{Entry, HardState, SnapshotMetadata};

/// What the log holds of this member when it is opened.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// Term, vote and commit index.
    pub hard: HardState,
    /// The compaction point: a position that the durable state machine has reached, with the members there.
    pub point: SnapshotMetadata,
    /// Index and term of the entry just before the first one that is kept.
    pub base: SnapshotMetadata,
    /// Index of the last entry.
    pub last: u64,
}

/// Reads entries that are on disk. Called from within `Member::step`, and only for what the member keeps no longer in
/// memory: for a follower that is far behind, and after a start.
pub trait Archive {
    /// Entries from `low` to before `high`, at least one and then as many as `max_bytes` allow. All of them are on disk.
    fn entries(&self, low: u64, high: u64, max_bytes: usize) -> Result<Vec<Entry>, Unusable>;
}

/// The log or the state cannot be used as they are; the member must not vote. str is a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable(pub String);

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unusable {}
