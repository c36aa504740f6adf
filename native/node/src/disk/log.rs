//! The log on disk: one `raft-engine` directory, and in it one group's entries and three records.
//!
//! | record | holds |
//! |---|---|
//! | `hard` | term, vote and commit index (raft's HardState) |
//! | `point` | the compaction point: a position that the durable state machine has reached, with the members there |
//! | `base` | index and term of the entry just before the first one that is kept |
//!
//! They change together with the entries, in one atomic batch. Names and group id are those of 0.1.0: its data opens.

use std::path::Path;
use std::sync::{Arc, RwLock};

use raft::eraftpb::{ConfState, Entry, HardState, SnapshotMetadata};
use raft_engine::{Command, Config, Engine, Error, LogBatch, MessageExt, ReadableSize, RecoveryMode};
use tinysns_member::{Archive, NodeId, Records, Unusable, Write};

use super::file_system::NotedFiles;
use super::io_notes::IoNotes;
use crate::settings::StartError;

/// A parameter some day (design.md section 5); until then there is one group.
const GROUP: u64 = 1;

const HARD: &[u8] = b"hard";
const POINT: &[u8] = b"point";
const BASE: &[u8] = b"base";

/// False in the test build that proves that a missing fsync would be noticed.
pub const FSYNC: bool = cfg!(not(feature = "unsafe-no-fsync"));

/// Tells raft-engine which field of an entry is its index.
struct Indexed;

impl MessageExt for Indexed {
    type Entry = Entry;

    fn index(entry: &Entry) -> u64 {
        entry.index
    }
}

/// An open log. Written and purged by one thread; read by any.
pub struct Log {
    /// None once it is closed.
    engine: RwLock<Option<Engine<NotedFiles>>>,
    pub notes: Arc<IoNotes>,
}

impl Log {
    /// Opens the log, or makes an empty one. The torn end that a crash leaves in the newest file is cut off; whether the
    /// log lost more than that shows when it is compared with the state (rule 6).
    pub fn open(path: &Path, file_mb: u64, keep_mb: u64) -> Result<Log, StartError> {
        let dir = path.to_str().ok_or_else(|| StartError::Invalid("the log's path is not UTF-8".into()))?.to_owned();
        let notes = Arc::new(IoNotes::default());
        let config = Config {
            dir,
            recovery_mode: RecoveryMode::TolerateTailCorruption,
            target_file_size: ReadableSize::mb(file_mb),
            purge_threshold: ReadableSize::mb(keep_mb),
            enable_log_recycle: true,
            recovery_threads: 2,
            ..Config::default()
        };
        let files = Arc::new(NotedFiles { notes: notes.clone() });
        let engine = Engine::open_with_file_system(config, files).map_err(|error| not_opened(path, error))?;
        Ok(Log { engine: RwLock::new(Some(engine)), notes })
    }

    /// Founds the group: with voters it begins at index 1 of term 1, as if an empty state had been applied there;
    /// without, the member waits at index 0 for a leader to bring it in. Nothing happens if just this was done and the log
    /// was never used since: that is the rest of a founding that was interrupted.
    pub fn found(&self, voters: &[NodeId]) -> Result<(), StartError> {
        let mut distinct = voters.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        if voters.contains(&0) || distinct.len() != voters.len() {
            return Err(StartError::Invalid("voters are distinct numbers from 1 on".into()));
        }
        let (start, hard) = beginning(voters);
        if self.is_founded() {
            let found = self.records()?;
            let unused = found.hard == hard && found.base == start && found.point == start && found.last == start.index;
            return if unused { Ok(()) } else { Err(founded_already(&found).into()) };
        }
        let write = Write { hard: Some(hard), restore: Some(start), ..Write::default() };
        self.write(&[write]).map_err(|error| StartError::Unusable(format!("the log cannot be written: {error}")))
    }

    fn is_founded(&self) -> bool {
        self.with(|engine| Ok(engine.get(GROUP, BASE).is_some())).unwrap_or(false)
    }

    /// Reads the records and checks that they and the entries fit each other. Opening never founds: a member that lost
    /// its disk must not vote again (rules 7 and 13).
    pub fn records(&self) -> Result<Records, Unusable> {
        if !self.is_founded() {
            return Err(Unusable("this log was never founded, or was lost: found it first, or rebuild it".into()));
        }
        let mut hard: HardState = self.record(HARD)?;
        let (point, base): (SnapshotMetadata, SnapshotMetadata) = (self.record(POINT)?, self.record(BASE)?);
        let ends = |engine: &Engine<_>| Ok((engine.first_index(GROUP), engine.last_index(GROUP)));
        let (first, last) = self.with(ends).map_err(|error| damaged(error.to_string()))?;
        let (first, last) = (first.unwrap_or(base.index + 1), last.unwrap_or(base.index));
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

    fn record<M: protobuf::Message>(&self, name: &[u8]) -> Result<M, Unusable> {
        let label = String::from_utf8_lossy(name);
        match self.with(|engine| engine.get_message(GROUP, name)) {
            Ok(Some(record)) => Ok(record),
            Ok(None) => Err(damaged(format!("the record '{label}' is missing"))),
            Err(error) => Err(damaged(format!("the record '{label}': {error}"))),
        }
    }

    /// Executes writes, oldest first, as one append and one fsync.
    pub fn write(&self, writes: &[Write]) -> raft_engine::Result<()> {
        let mut batch = LogBatch::default();
        for write in writes {
            add(&mut batch, write)?;
        }
        self.with(|engine| engine.write(&mut batch, FSYNC)).map(drop)
    }

    /// Gives the space of compacted entries back to the file system, or keeps the files for later.
    pub fn purge(&self) -> raft_engine::Result<()> {
        self.with(Engine::purge_expired_files).map(drop)
    }

    /// Bytes of the files in use.
    pub fn bytes(&self) -> u64 {
        self.with(|engine| Ok(engine.get_used_size() as u64)).unwrap_or(0)
    }

    /// Closes the files, so that they can be opened anew. Whatever is asked of the log afterwards fails.
    pub fn close(&self) {
        *self.engine.write().expect("no thread panics with it") = None;
    }

    fn with<T>(&self, ask: impl FnOnce(&Engine<NotedFiles>) -> raft_engine::Result<T>) -> raft_engine::Result<T> {
        match &*self.engine.read().expect("no thread panics with it") {
            Some(engine) => ask(engine),
            None => Err(Error::Other("it is closed".into())),
        }
    }
}

impl Archive for Log {
    fn entries(&self, low: u64, high: u64, max_bytes: usize) -> Result<Vec<Entry>, Unusable> {
        let mut found = Vec::new();
        let fetch = |engine: &Engine<_>, found: &mut _| {
            engine.fetch_entries_to::<Indexed>(GROUP, low, high, Some(max_bytes), found)
        };
        match self.with(|engine| fetch(engine, &mut found)) {
            Ok(_) if !found.is_empty() || low >= high => Ok(found),
            Ok(_) => Err(damaged(format!("entry {low} is missing"))),
            Err(error) => Err(damaged(format!("entries from {low} on cannot be read: {error}"))),
        }
    }
}

/// Where a founded group stands: compaction point and hard state.
fn beginning(voters: &[NodeId]) -> (SnapshotMetadata, HardState) {
    let (mut start, mut hard) = (SnapshotMetadata::default(), HardState::default());
    if !voters.is_empty() {
        (start.index, start.term, hard.term, hard.commit) = (1, 1, 1, 1);
        start.set_conf_state(ConfState { voters: voters.to_vec(), ..ConfState::default() });
    }
    (start, hard)
}

/// The order within a write: what replaces the log, what shortens it, what lengthens it.
fn add(batch: &mut LogBatch, write: &Write) -> raft_engine::Result<()> {
    if let Some(start) = &write.restore {
        batch.add_command(GROUP, Command::Clean);
        batch.put_message(GROUP, BASE.to_vec(), start)?;
        batch.put_message(GROUP, POINT.to_vec(), start)?;
    }
    if let Some(compact) = &write.compact {
        batch.put_message(GROUP, POINT.to_vec(), &compact.point)?;
        batch.put_message(GROUP, BASE.to_vec(), &compact.base)?;
        batch.add_command(GROUP, Command::Compact { index: compact.base.index + 1 });
    }
    batch.add_entries::<Indexed>(GROUP, &write.entries)?;
    if let Some(hard) = &write.hard {
        batch.put_message(GROUP, HARD.to_vec(), hard)?;
    }
    Ok(())
}

fn damaged(what: String) -> Unusable {
    Unusable(format!("the log is damaged: {what}; this member must be rebuilt from the others"))
}

fn founded_already(found: &Records) -> Unusable {
    let members = found.point.get_conf_state();
    Unusable(format!(
        "this log is in use already: voters {:?}, learners {:?}, term {}, entries up to {}; a group is founded once",
        members.voters, members.learners, found.hard.term, found.last
    ))
}

fn not_opened(path: &Path, error: Error) -> StartError {
    let path = path.display();
    match error {
        // the only name that raft-engine has for it
        Error::Other(error) if error.to_string().contains("Failed to lock file") => StartError::InUse(format!(
            "the log in {path} is in use: another process, or another node of this one, has it"
        )),
        Error::Io(error) => StartError::Unusable(format!("the log in {path} cannot be opened: {error}")),
        Error::Other(error) => StartError::Unusable(format!("the log in {path} cannot be opened: {error}")),
        error => damaged(error.to_string()).into(),
    }
}
