//! A model of the log on disk. It holds what an fsync has confirmed and nothing else; what was on its way when the
//! process or the power went is decided by `host.rs`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use raft::eraftpb::{ConfState, Entry, HardState, SnapshotMetadata};
use tinysns_member::{Archive, Records, Unusable, Write};

use crate::entry::bytes_of;

/// The records and entries of one member.
#[derive(Clone, Debug, Default)]
pub struct Platter {
    /// Term, vote and commit index.
    pub hard: HardState,
    /// The compaction point.
    pub point: SnapshotMetadata,
    /// The entry just before the first one that is kept.
    pub base: SnapshotMetadata,
    entries: VecDeque<Entry>,
}

impl Platter {
    /// Of a founding member: the log begins at index 1 of term 1, as if an empty state had been applied there. Without
    /// voters: of one that joins later.
    pub fn founded(voters: Vec<u64>) -> Platter {
        let mut platter = Platter::default();
        if !voters.is_empty() {
            (platter.hard.term, platter.hard.commit) = (1, 1);
            (platter.base.index, platter.base.term) = (1, 1);
            platter.base.set_conf_state(ConfState { voters, ..ConfState::default() });
            platter.point = platter.base.clone();
        }
        platter
    }

    /// Index of the last entry.
    pub fn last(&self) -> u64 {
        self.base.index + self.entries.len() as u64
    }

    /// What a member is opened with.
    pub fn records(&self) -> Records {
        let (hard, point, base) = (self.hard.clone(), self.point.clone(), self.base.clone());
        Records { hard, point, base, last: self.last() }
    }

    /// The entry at this index, if it is kept.
    pub fn entry(&self, index: u64) -> Option<&Entry> {
        self.entries.get(index.checked_sub(self.base.index + 1)? as usize)
    }

    /// The term at this index; known for the entry before the first one, too.
    pub fn term(&self, index: u64) -> Option<u64> {
        if index == self.base.index {
            return Some(self.base.term);
        }
        self.entry(index).map(|entry| entry.term)
    }

    /// Whether this log holds that entry, or has replaced it by a state that includes it.
    pub fn holds(&self, index: u64, term: u64) -> bool {
        index < self.base.index || self.term(index) == Some(term)
    }

    /// Executes a write, all of it. Err: the write is not one that a log can take.
    pub fn execute(&mut self, write: &Write) -> Result<(), String> {
        if let Some(start) = &write.restore {
            (self.base, self.point) = (start.clone(), start.clone());
            self.entries.clear();
        }
        if let Some(hard) = &write.hard {
            self.hard = hard.clone();
        }
        if let Some(first) = write.entries.first() {
            self.append(first.index, &write.entries)?;
        }
        if let Some(compaction) = &write.compact {
            if compaction.base.index > self.last() || self.term(compaction.base.index) != Some(compaction.base.term) {
                return Err(format!("it compacts at {}, which is not in the log", compaction.base.index));
            }
            self.entries.drain(..(compaction.base.index - self.base.index) as usize);
            (self.base, self.point) = (compaction.base.clone(), compaction.point.clone());
        }
        Ok(())
    }

    fn append(&mut self, first: u64, entries: &[Entry]) -> Result<(), String> {
        if first <= self.base.index || first > self.last() + 1 {
            return Err(format!("entry {first} does not fit a log from {} to {}", self.base.index + 1, self.last()));
        }
        self.entries.truncate((first - self.base.index - 1) as usize);
        for entry in entries {
            if entry.index != self.last() + 1 {
                return Err(format!("entry {} follows {}", entry.index, self.last()));
            }
            self.entries.push_back(entry.clone());
        }
        Ok(())
    }

    /// Loses the last entries although they were fsynced: only a planted bug does this.
    pub fn lose_tail(&mut self, entries: usize) {
        self.entries.truncate(self.entries.len().saturating_sub(entries));
        self.hard.commit = self.hard.commit.min(self.last());
    }
}

/// A platter that the member reads while the world writes it.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<Platter>>);

impl Disk {
    /// A disk that holds this.
    pub fn new(platter: Platter) -> Disk {
        Disk(Arc::new(Mutex::new(platter)))
    }

    /// What is on it.
    pub fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().expect("one thread runs a world")
    }
}

impl Archive for Disk {
    fn entries(&self, low: u64, high: u64, max_bytes: usize) -> Result<Vec<Entry>, Unusable> {
        let platter = self.platter();
        let (mut found, mut size) = (Vec::new(), 0);
        for index in low..high {
            let missing = || Unusable(format!("entry {index} is read, but is not on disk"));
            let entry = platter.entry(index).ok_or_else(missing)?;
            size += bytes_of(entry);
            if size > max_bytes && !found.is_empty() {
                break;
            }
            found.push(entry.clone());
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(first: u64, term: u64, count: u64) -> Write {
        let entries = (first..first + count).map(|index| Entry { index, term, ..Entry::default() }).collect();
        Write { entries, ..Write::default() }
    }

    #[test]
    fn the_first_entry_of_a_write_replaces_what_is_behind_it() {
        let mut platter = Platter::founded(vec![1, 2, 3]);
        platter.execute(&write(2, 2, 5)).expect("it fits");
        platter.execute(&write(4, 3, 1)).expect("it fits");
        assert_eq!((platter.last(), platter.term(3), platter.term(4)), (4, Some(2), Some(3)));
        assert!(platter.execute(&write(6, 3, 1)).is_err(), "a gap");
    }

    #[test]
    fn what_is_not_on_disk_cannot_be_read() {
        let mut platter = Platter::founded(vec![1]);
        platter.execute(&write(2, 2, 2)).expect("it fits");
        let disk = Disk::new(platter);
        assert_eq!(disk.entries(2, 4, 0).expect("they are there").len(), 1, "at least one");
        assert!(disk.entries(3, 5, 1 << 20).is_err());
    }
}
