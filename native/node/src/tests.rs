//! What tests of several modules need.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;

use raft::eraftpb::Entry;

use crate::disk::log::Log;

/// A folder that goes away.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("tinysns-node-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("temporary files can be made");
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The log in this folder.
pub fn log_in(folder: &Folder) -> Arc<Log> {
    Arc::new(Log::open(&folder.path().join("log"), 16, 64).expect("it can be opened"))
}

/// Entries of term 1, each filled with its index.
pub fn entries(indexes: RangeInclusive<u64>, size: usize) -> Vec<Entry> {
    let data = |index| vec![index as u8; size].into();
    indexes.map(|index| Entry { index, term: 1, data: data(index), ..Entry::default() }).collect()
}
