//! Founding, opening and damage: what is refused, so that it can never be done by mistake.

use std::path::PathBuf;
use std::sync::{mpsc, Arc};
use std::time::Duration;

use mio::{Poll, Token, Waker};
use raft::eraftpb::{ConfState, HardState, SnapshotMetadata};
use tinysns_member::{Archive, Compaction, Write};

use super::log::Log;
use super::log_thread::{Job, LogThread};
use super::space::{Space, SpaceNote};
use crate::inbox::Inbox;
use crate::settings::StartError;
use crate::tests::{entries, log_in, Folder};

/// A founded log with entries 2 to `last`, each in a write of its own, and closed; its only file.
fn written(folder: &Folder, last: u64) -> PathBuf {
    let log = log_in(folder);
    log.found(&[1, 2, 3]).expect("it is new");
    for index in 2..=last {
        let hard = HardState { term: 1, commit: index - 1, ..HardState::default() };
        let write = Write { hard: Some(hard), entries: entries(index..=index, 120), ..Write::default() };
        log.write(&[write]).expect("there is room");
    }
    let files = std::fs::read_dir(folder.path().join("log")).expect("it is there");
    let is_log = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "raftlog");
    files.map(|file| file.expect("it can be listed").path()).find(is_log).expect("there is one")
}

/// Where the data in a file ends.
fn end_of(file: &PathBuf) -> usize {
    std::fs::read(file).expect("it is there").iter().rposition(|byte| *byte != 0).expect("not all is zero") + 1
}

fn change(file: &PathBuf, change: impl FnOnce(&mut Vec<u8>)) {
    let mut content = std::fs::read(file).expect("it is there");
    change(&mut content);
    std::fs::write(file, content).expect("it can be written");
}

fn unusable(error: StartError) -> String {
    match error {
        StartError::Unusable(sentence) => sentence,
        other => panic!("{other:?}"),
    }
}

#[test]
fn founding_survives_a_restart_and_is_done_once() {
    let folder = Folder::new();
    log_in(&folder).found(&[1, 2, 3]).expect("it is new");
    let log = log_in(&folder);
    let records = log.records().expect("it was founded");
    assert_eq!((records.last, records.base.index, records.hard.term, records.hard.commit), (1, 1, 1, 1));
    assert_eq!(records.point.get_conf_state().voters, [1, 2, 3]);
    assert_eq!(log.found(&[1, 2, 3]), Ok(())); // interrupted, and done again
    let sentence = unusable(log.found(&[1, 2]).expect_err("others"));
    assert!(sentence.contains("in use already: voters [1, 2, 3]"), "{sentence}");
}

#[test]
fn a_log_that_was_used_is_never_founded_again() {
    let folder = Folder::new();
    written(&folder, 2);
    let sentence = unusable(log_in(&folder).found(&[1, 2, 3]).expect_err("it has an entry"));
    assert!(sentence.contains("a group is founded once"), "{sentence}");
    let folder = Folder::new();
    let log = log_in(&folder);
    log.found(&[1, 2, 3]).expect("it is new");
    let voted = HardState { term: 2, vote: 3, commit: 1, ..HardState::default() };
    log.write(&[Write { hard: Some(voted), ..Write::default() }]).expect("there is room");
    assert!(log.found(&[1, 2, 3]).is_err());
}

#[test]
fn opening_never_founds() {
    let folder = Folder::new();
    for _ in 0..2 {
        let error = log_in(&folder).records().expect_err("nobody founded it");
        assert!(error.0.contains("never founded, or was lost"), "{error}");
    }
}

#[test]
fn impossible_voters_are_refused() {
    let folder = Folder::new();
    for voters in [[0, 1], [1, 1]] {
        assert!(matches!(log_in(&folder).found(&voters), Err(StartError::Invalid(_))));
    }
}

#[test]
fn a_member_that_joins_later_waits_at_the_beginning() {
    let folder = Folder::new();
    log_in(&folder).found(&[]).expect("it is new");
    let records = log_in(&folder).records().expect("it was founded");
    assert_eq!((records.last, records.base.index, records.hard), (0, 0, HardState::default()));
}

#[test]
fn a_log_that_is_open_is_not_opened() {
    let folder = Folder::new();
    let log = log_in(&folder);
    let opened = || Log::open(&folder.path().join("log"), 16, 64).map(drop);
    assert!(matches!(opened(), Err(StartError::InUse(_))));
    log.close();
    assert_eq!(opened(), Ok(()));
    assert!(log.records().is_err());
}

#[test]
fn what_was_written_can_be_read() {
    let folder = Folder::new();
    written(&folder, 100);
    let log = log_in(&folder);
    assert_eq!(log.records().expect("it is whole").last, 100);
    assert_eq!(log.entries(2, 101, usize::MAX), Ok(entries(2..=100, 120)));
    assert_eq!(log.entries(40, 90, 1).expect("at least one").len(), 1);
    let some = log.entries(40, 90, 1000).expect("they are there");
    assert_eq!(some, entries(40..=39 + some.len() as u64, 120));
    assert!((2..9).contains(&some.len()));
    assert!(log.entries(101, 102, 1).is_err());
}

#[test]
fn a_conflicting_suffix_is_replaced() {
    let folder = Folder::new();
    written(&folder, 10);
    let log = log_in(&folder);
    let mut newer = entries(6..=7, 5);
    newer.iter_mut().for_each(|entry| entry.term = 2);
    // in one append with what it replaces a part of
    let writes = [entries(11..=12, 5), newer.clone()].map(|entries| Write { entries, ..Write::default() });
    let hard = HardState { term: 2, commit: 5, ..HardState::default() };
    log.write(&[Write { hard: Some(hard), ..Write::default() }]).expect("there is room");
    log.write(&writes).expect("there is room");
    drop(log);
    let log = log_in(&folder);
    assert_eq!(log.records().expect("it is whole").last, 7);
    assert_eq!(log.entries(6, 8, usize::MAX), Ok(newer));
}

fn position(index: u64) -> SnapshotMetadata {
    let mut position = SnapshotMetadata { index, term: 1, ..SnapshotMetadata::default() };
    position.set_conf_state(ConfState { voters: vec![1, 2, 3], ..ConfState::default() });
    position
}

#[test]
fn compaction_and_another_state_move_the_beginning() {
    let folder = Folder::new();
    written(&folder, 50);
    let log = log_in(&folder);
    let compact = Compaction { point: position(40), base: position(35) };
    log.write(&[Write { compact: Some(compact), ..Write::default() }]).expect("there is room");
    let records = log.records().expect("it is whole");
    assert_eq!((records.base.index, records.point.index, records.last), (35, 40, 50));
    assert!(log.entries(35, 36, 1).is_err());
    let hard = HardState { term: 1, commit: 100, ..HardState::default() };
    let restore = Write { restore: Some(position(100)), hard: Some(hard), ..Write::default() };
    log.write(&[restore, Write { entries: entries(101..=103, 9), ..Write::default() }]).expect("there is room");
    drop(log);
    let log = log_in(&folder);
    let records = log.records().expect("it is whole");
    assert_eq!((records.base.index, records.point.index, records.last), (100, 100, 103));
    assert_eq!(log.entries(101, 104, usize::MAX), Ok(entries(101..=103, 9)));
}

#[test]
fn a_torn_tail_opens_without_its_last_entry() {
    let folder = Folder::new();
    let file = written(&folder, 100);
    let end = end_of(&file);
    change(&file, |content| content.truncate(end - 5));
    let log = log_in(&folder);
    assert_eq!(log.records().expect("the rest is whole").last, 99);
    assert_eq!(log.entries(2, 100, usize::MAX), Ok(entries(2..=99, 120)));
}

/// A lost page: what follows is taken for a torn tail. That the state had more, the member notices (rule 6).
#[test]
fn a_log_that_lost_its_end_tells_where_it_ends_now() {
    let folder = Folder::new();
    let file = written(&folder, 500);
    let end = end_of(&file);
    change(&file, |content| content[end / 2..end / 2 + 4096].fill(0));
    let last = log_in(&folder).records().expect("what is left is whole").last;
    assert!((200..300).contains(&last), "{last}");
}

#[test]
fn a_flipped_byte_in_an_entry_is_found_when_it_is_read() {
    let folder = Folder::new();
    let file = written(&folder, 100);
    let at = |content: &[u8]| content.windows(100).position(|window| window == [50; 100]).expect("entry 50 is there");
    change(&file, |content| {
        let at = at(content);
        content[at] ^= 0x40;
    });
    let log = log_in(&folder);
    assert_eq!(log.entries(2, 50, usize::MAX).map(|found| found.len()), Ok(48));
    assert!(log.entries(50, 51, usize::MAX).expect_err("it is damaged").0.contains("must be rebuilt"));
}

#[test]
fn a_missing_record_is_damage() {
    let folder = Folder::new();
    let log = log_in(&folder);
    log.found(&[1]).expect("it is new");
    let hard = HardState { term: 1, commit: 7, ..HardState::default() };
    log.write(&[Write { hard: Some(hard), ..Write::default() }]).expect("there is room");
    let error = log.records().expect_err("it has committed what it does not hold");
    assert!(error.0.contains("do not fit base 1, compaction point 1 and commit 7"), "{error}");
}

#[test]
fn what_waits_is_written_by_one_fsync_and_told_once() {
    let folder = Folder::new();
    let log = log_in(&folder);
    log.found(&[1]).expect("it is new");
    let mut poll = Poll::new().expect("there is epoll");
    let waker = Waker::new(poll.registry(), Token(0)).expect("there is eventfd");
    let inbox = Arc::new(Inbox::new(waker, 0, 0));
    let space = Arc::new(SpaceNote::new(Space::of(folder.path()).expect("it can be asked")));
    let (jobs, queue) = mpsc::channel();
    for order in 1..=20 {
        let entries = entries(order + 1..=order + 1, 100);
        let write = Write { order, entries, ..Write::default() };
        jobs.send(Job::Write(Box::new(write))).expect("it has not begun");
    }
    jobs.send(Job::Purge).expect("it has not begun");
    drop(jobs);
    let before = log.notes.fsyncs();
    let (log_again, path, in_thread) = (log.clone(), folder.path().to_owned(), inbox.clone());
    LogThread { log: log_again, path, reserve_bytes: 0, jobs: queue, inbox: in_thread, space }.run();
    assert_eq!(log.notes.fsyncs() - before, 1);
    assert!(log.notes.usual() > Duration::ZERO);
    poll.poll(&mut mio::Events::with_capacity(1), None).expect("it was woken");
    let mail = inbox.take().expect("it was woken");
    assert_eq!((mail.written.map(|(order, _)| order), mail.purged), (Some(20), 1));
    assert_eq!(log.records().expect("it is whole").last, 21);
}
