//! The log on disk: one `raft-engine` directory that all groups of a process share, and the writes that go into it.
//!
//! Per group it holds the entries and three records. They change together with the entries, in one atomic batch:
//!
//! | record | holds |
//! |---|---|
//! | `hard` | term, vote and commit index (raft's HardState) |
//! | `point` | the compaction point: a position that the durable state machine has reached, with the members there |
//! | `base` | index and term of the entry just before the first one that is kept |

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use raft::eraftpb::{ConfState, Entry, HardState, SnapshotMetadata};
use raft_engine::{Command, Config, Engine, Error, LogBatch, MessageExt, ReadableSize, RecoveryMode, Result};

const HARD: &[u8] = b"hard";
const POINT: &[u8] = b"point";
const BASE: &[u8] = b"base";

/// False in the test build that proves that a missing fsync would be noticed.
pub const FSYNC: bool = cfg!(not(feature = "unsafe-no-fsync"));

/// Tells raft-engine which field of an entry is its index.
pub struct Indexed;

impl MessageExt for Indexed {
    type Entry = Entry;

    fn index(entry: &Entry) -> u64 {
        entry.index
    }
}

/// One ordered write of one group.
#[derive(Default)]
pub struct Job {
    pub group: u64,
    pub sync: bool,
    pub hard: Option<HardState>,
    pub entries: Vec<Entry>,
    /// A snapshot from the leader: it replaces everything that the group has in the log.
    pub restore: Option<SnapshotMetadata>,
    pub compact: Option<Compaction>,
}

/// The state machine is durable up to `point`; entries up to `base` go.
#[derive(Clone)]
pub struct Compaction {
    pub point: SnapshotMetadata,
    pub base: SnapshotMetadata,
}

/// What the log knows of a group when it is opened.
pub struct Records {
    pub hard: HardState,
    pub point: SnapshotMetadata,
    pub base: SnapshotMetadata,
    pub last: u64,
}

pub struct Disk {
    pub engine: Engine,
    failed: AtomicBool,
}

impl Disk {
    pub fn open(dir: &str, mode: RecoveryMode, file_mb: u64, keep_mb: u64) -> Result<Disk> {
        let engine = Engine::open(Config {
            dir: dir.to_owned(),
            recovery_mode: mode,
            target_file_size: ReadableSize::mb(file_mb),
            purge_threshold: ReadableSize::mb(keep_mb),
            recovery_threads: 2,
            ..Config::default()
        })?;
        Ok(Disk { engine, failed: AtomicBool::new(false) })
    }

    pub fn has(&self, group: u64) -> bool {
        self.engine.get(group, BASE).is_some()
    }

    /// Writes the record that every founding member starts from. With voters the group begins at index 1 of term 1, as
    /// if an empty state had been applied there; without, the member waits at index 0 for a leader to bring it in.
    pub fn found(&self, group: u64, voters: Vec<u64>) -> Result<()> {
        let (mut start, mut hard) = (SnapshotMetadata::default(), HardState::default());
        if !voters.is_empty() {
            (start.index, start.term, hard.term, hard.commit) = (1, 1, 1, 1);
            start.set_conf_state(ConfState { voters, ..ConfState::default() });
        }
        self.write(&[Job { group, sync: true, hard: Some(hard), restore: Some(start), ..Job::default() }])
    }

    /// Reads a group's records and checks that they and the entries fit each other.
    pub fn records(&self, group: u64) -> Result<Records> {
        let damaged = |what: String| Error::Corruption(format!("group {group}: {what}"));
        let missing = |what: &str| damaged(format!("the record '{what}' is missing"));
        let mut hard: HardState = self.engine.get_message(group, HARD)?.ok_or_else(|| missing("hard"))?;
        let point: SnapshotMetadata = self.engine.get_message(group, POINT)?.ok_or_else(|| missing("point"))?;
        let base: SnapshotMetadata = self.engine.get_message(group, BASE)?.ok_or_else(|| missing("base"))?;
        let first = self.engine.first_index(group).unwrap_or(base.index + 1);
        let last = self.engine.last_index(group).unwrap_or(base.index);
        if first != base.index + 1 || point.index < base.index || last < point.index.max(hard.commit) {
            return Err(damaged(format!(
                "entries {first} to {last} do not fit base {}, compaction point {} and commit {}",
                base.index, point.index, hard.commit
            )));
        }
        hard.commit = hard.commit.max(point.index);
        hard.term = hard.term.max(point.term);
        Ok(Records { hard, point, base, last })
    }

    /// Executes jobs of any groups, oldest first, as one append and at most one fsync. A failure is final: whether a
    /// failed fsync left the data on the disk cannot be known, and a second one would not tell (raft.md, rule 8).
    pub fn write(&self, jobs: &[Job]) -> Result<()> {
        if self.failed.load(SeqCst) {
            return Err(Error::Other("an earlier write failed: this log takes no more, restart the process".into()));
        }
        let written = self.append(jobs);
        if written.is_err() {
            self.failed.store(true, SeqCst);
        }
        written
    }

    fn append(&self, jobs: &[Job]) -> Result<()> {
        let mut batch = LogBatch::default();
        for job in jobs {
            add(&mut batch, job)?;
        }
        let sync = jobs.iter().any(|job| job.sync);
        self.engine.write(&mut batch, sync && FSYNC)?;
        Ok(())
    }
}

fn add(batch: &mut LogBatch, job: &Job) -> Result<()> {
    if let Some(start) = &job.restore {
        batch.add_command(job.group, Command::Clean);
        batch.put_message(job.group, BASE.to_vec(), start)?;
        batch.put_message(job.group, POINT.to_vec(), start)?;
    }
    if let Some(Compaction { point, base }) = &job.compact {
        batch.put_message(job.group, POINT.to_vec(), point)?;
        batch.put_message(job.group, BASE.to_vec(), base)?;
        batch.add_command(job.group, Command::Compact { index: base.index + 1 });
    }
    batch.add_entries::<Indexed>(job.group, &job.entries)?;
    if let Some(hard) = &job.hard {
        batch.put_message(job.group, HARD.to_vec(), hard)?;
    }
    Ok(())
}
