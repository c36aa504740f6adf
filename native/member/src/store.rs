//! What raft reads: the log as it will be once everything that was handed out is on disk.
//!
//! Writes do not pass through here; they are `Action::Write`s, which the driver executes. The contract of `RawNode::advance_append_async` is that entries can be read back at once, so whatever is
//! not on disk yet stays in `cache`, and the newest part of what is stays too, for followers that are just behind.

use std::collections::VecDeque;

use raft::eraftpb::{ConfState, Entry, HardState, Snapshot, SnapshotMetadata};
use raft::{Error, GetEntriesContext, RaftState, Result, Storage, StorageError};

use crate::archive::{Archive, Records, Unusable};

/// Estimate of what an entry takes in memory beside its data.
const ENTRY_BYTES: usize = 64;

pub(crate) struct Store {
    archive: Box<dyn Archive + Send>,
    hard: HardState,
    /// The newest durable compaction point; what a follower is told that needs entries from before `base`.
    point: SnapshotMetadata,
    /// The newest change of membership that was walked over, as a compaction point would say it.
    changed: SnapshotMetadata,
    /// Index and term of the entry just before the first one that may be read.
    base: SnapshotMetadata,
    last: u64,
    /// Entries up to here are on disk as they stand, and may leave the cache.
    durable: u64,
    cache: VecDeque<Entry>,
    cache_bytes: usize,
    most_cache_bytes: usize,
}

impl Store {
    /// `most_cache_bytes`: of entries on disk that are kept in memory as well.
    pub fn new(records: Records, archive: Box<dyn Archive + Send>, most_cache_bytes: usize) -> Store {
        let Records { mut hard, point, base, last } = records;
        hard.commit = hard.commit.max(point.index);
        hard.term = hard.term.max(point.term);
        Store {
            archive,
            hard,
            changed: point.clone(),
            point,
            base,
            last,
            durable: last,
            cache: VecDeque::new(),
            cache_bytes: 0,
            most_cache_bytes,
        }
    }

    pub fn hard(&self) -> &HardState {
        &self.hard
    }

    pub fn set_hard(&mut self, hard: HardState) {
        self.hard = hard;
    }

    pub fn point(&self) -> &SnapshotMetadata {
        &self.point
    }

    pub fn base(&self) -> &SnapshotMetadata {
        &self.base
    }

    /// Makes entries readable at once; a conflicting suffix is replaced.
    pub fn append(&mut self, entries: &[Entry]) {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return;
        };
        assert!(first.index > self.base.index && first.index <= self.last + 1, "gap in the log");
        while self.cache.back().is_some_and(|entry| entry.index >= first.index) {
            let entry = self.cache.pop_back().expect("not empty");
            self.cache_bytes -= entry.data.len() + ENTRY_BYTES;
        }
        // until the new suffix is written, the disk still holds the old one
        self.durable = self.durable.min(first.index - 1);
        self.last = last.index;
        self.cache_bytes += entries.iter().map(|entry| entry.data.len() + ENTRY_BYTES).sum::<usize>();
        self.cache.extend(entries.iter().cloned());
    }

    /// Entries up to `index` are on disk: the oldest of them may leave the cache.
    pub fn set_durable(&mut self, index: u64) {
        self.durable = self.durable.max(index.min(self.last));
        while self.cache_bytes > self.most_cache_bytes
            && self.cache.front().is_some_and(|entry| entry.index <= self.durable)
        {
            self.drop_front();
        }
    }

    /// Entries up to `base` may not be read any more. This comes before the write that removes them: that one runs on
    /// another thread, and raft must not read an entry that is about to go.
    pub fn truncate(&mut self, base: &SnapshotMetadata) {
        self.base = base.clone();
        while self.cache.front().is_some_and(|entry| entry.index <= self.base.index) {
            self.drop_front();
        }
    }

    /// A compaction point is on disk now.
    pub fn set_point(&mut self, point: SnapshotMetadata) {
        if point.index > self.point.index {
            self.point = point;
        }
    }

    /// The membership is another one from this position on.
    pub fn set_changed(&mut self, changed: SnapshotMetadata) {
        self.changed = changed;
    }

    /// A snapshot from the leader replaces the log.
    pub fn restore(&mut self, start: &SnapshotMetadata) {
        self.changed = start.clone();
        self.cache.clear();
        self.cache_bytes = 0;
        self.base = start.clone();
        (self.last, self.durable) = (start.index, start.index);
    }

    fn drop_front(&mut self) {
        if let Some(entry) = self.cache.pop_front() {
            self.cache_bytes -= entry.data.len() + ENTRY_BYTES;
        }
    }

    fn check(&self, index: u64) -> Result<()> {
        match index {
            index if index <= self.base.index => Err(Error::Store(StorageError::Compacted)),
            index if index > self.last => Err(Error::Store(StorageError::Unavailable)),
            _ => Ok(()),
        }
    }

    /// Index of the first entry in the cache; older ones are on disk.
    fn cached_from(&self) -> u64 {
        self.cache.front().map_or(self.last + 1, |entry| entry.index)
    }
}

fn unreadable(error: Unusable) -> Error {
    Error::Store(StorageError::Other(error.into()))
}

impl Storage for Store {
    fn initial_state(&self) -> Result<RaftState> {
        let members: ConfState = self.point.get_conf_state().clone();
        Ok(RaftState::new(self.hard.clone(), members))
    }

    /// Entries `low..high`, at least one and then as many as `max_size` bytes allow.
    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _: GetEntriesContext,
    ) -> Result<Vec<Entry>> {
        let max_size = max_size.into().unwrap_or(u64::MAX);
        self.check(low)?;
        self.check(high - 1)?;
        let mut found: Vec<Entry> = Vec::new();
        let cached_from = self.cached_from();
        if low < cached_from {
            let (end, max) = (high.min(cached_from), usize::try_from(max_size).unwrap_or(usize::MAX));
            found = self.archive.entries(low, end, max).map_err(unreadable)?;
        }
        let mut size: u64 = found.iter().map(entry_bytes).sum();
        let next = low + found.len() as u64;
        if next < cached_from {
            return Ok(found); // the size limit was reached on disk
        }
        for entry in self.cache.range((next - cached_from) as usize..(high - cached_from) as usize) {
            size = size.saturating_add(entry_bytes(entry));
            if size > max_size && !found.is_empty() {
                break;
            }
            found.push(entry.clone());
        }
        Ok(found)
    }

    fn term(&self, index: u64) -> Result<u64> {
        if index == self.base.index {
            return Ok(self.base.term);
        }
        self.check(index)?;
        let cached_from = self.cached_from();
        if index >= cached_from {
            return Ok(self.cache[(index - cached_from) as usize].term);
        }
        let found = self.archive.entries(index, index + 1, 0).map_err(unreadable)?;
        found.first().map(|entry| entry.term).ok_or(Error::Store(StorageError::Unavailable))
    }

    fn first_index(&self) -> Result<u64> {
        Ok(self.base.index + 1)
    }

    fn last_index(&self) -> Result<u64> {
        Ok(self.last)
    }

    /// Where a follower has to start: position, term and members, no data. The state itself travels outside of raft, and
    /// may come from any member that has applied so much; so one that joined behind the compaction point need not wait
    /// for the next one, but starts where it joined. Not yet (raft asks again) while a truncation is on its way to the
    /// disk, or if `to` is not a member there: it would refuse a snapshot that does not name it.
    fn snapshot(&self, at_least: u64, to: u64) -> Result<Snapshot> {
        let fits = |start: &&SnapshotMetadata| {
            let members = start.get_conf_state();
            let lists = [&members.voters, &members.learners, &members.voters_outgoing];
            lists.iter().any(|list| list.contains(&to)) && start.index >= at_least.max(self.base.index)
        };
        match [&self.point, &self.changed].into_iter().find(fits) {
            Some(start) => {
                let mut snapshot = Snapshot::default();
                snapshot.set_metadata(start.clone());
                Ok(snapshot)
            }
            None => Err(Error::Store(StorageError::SnapshotTemporarilyUnavailable)),
        }
    }
}

fn entry_bytes(entry: &Entry) -> u64 {
    u64::from(protobuf::Message::compute_size(entry))
}
