//! How much room the data disk has, and what that means.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Below this nothing is written any more: raft-engine grows its files in steps of 2 MiB and SQLite its write-ahead log,
/// and a write that fails half-way ends the process.
const FLOOR_BYTES: u64 = 12 << 20;
/// Files that can still be made; the log and SQLite need a few at a time.
const RESERVE_INODES: u64 = 256;
const FLOOR_INODES: u64 = 32;

/// What the free space is good for, from good to bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    #[default]
    Good,
    /// The member follows but must not lead.
    Scarce,
    /// Nothing must be written any more.
    Full,
}

/// What is free on the file system that holds the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub free_bytes: u64,
    /// None where the file system makes them as needed.
    pub free_inodes: Option<u64>,
}

impl Space {
    pub fn of(path: &Path) -> io::Result<Space> {
        let found = rustix::fs::statvfs(path)?;
        Ok(Space {
            free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
            free_inodes: (found.f_files > 0).then_some(found.f_favail),
        })
    }

    pub fn judge(self, reserve_bytes: u64) -> Room {
        let inodes = self.free_inodes.unwrap_or(u64::MAX);
        if self.free_bytes < FLOOR_BYTES || inodes < FLOOR_INODES {
            Room::Full
        } else if self.free_bytes < reserve_bytes || inodes < RESERVE_INODES {
            Room::Scarce
        } else {
            Room::Good
        }
    }
}

/// The newest measurement: the log thread writes it, the others read it.
pub struct SpaceNote {
    free_bytes: AtomicU64,
    free_inodes: AtomicU64, // u64::MAX: not limited
}

impl SpaceNote {
    pub fn new(space: Space) -> SpaceNote {
        let note = SpaceNote { free_bytes: AtomicU64::new(0), free_inodes: AtomicU64::new(0) };
        note.set(space);
        note
    }

    pub fn set(&self, space: Space) {
        self.free_bytes.store(space.free_bytes, Relaxed);
        self.free_inodes.store(space.free_inodes.unwrap_or(u64::MAX), Relaxed);
    }

    pub fn get(&self) -> Space {
        let inodes = self.free_inodes.load(Relaxed);
        let free_inodes = (inodes != u64::MAX).then_some(inodes);
        Space { free_bytes: self.free_bytes.load(Relaxed), free_inodes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worse_of_bytes_and_inodes_counts() {
        let judge = |free_bytes, free_inodes| Space { free_bytes, free_inodes }.judge(100 << 20);
        assert_eq!(judge(100 << 20, Some(256)), Room::Good);
        assert_eq!(judge(100 << 20, None), Room::Good);
        assert_eq!(judge((100 << 20) - 1, None), Room::Scarce);
        assert_eq!(judge(1 << 40, Some(255)), Room::Scarce);
        assert_eq!(judge(FLOOR_BYTES - 1, Some(255)), Room::Full);
        assert_eq!(judge(1 << 40, Some(31)), Room::Full);
    }

    #[test]
    fn this_folder_is_on_a_file_system() {
        assert!(Space::of(Path::new(".")).expect("it can be asked").free_bytes > 0);
    }
}
