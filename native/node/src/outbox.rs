//! What the node has for Python: a queue under a lock, and one write to an eventfd on its way from taken to not taken.
//!
//! It is bounded. Of committed entries that nobody takes only the range is kept beyond `UNTAKEN_BYTES`; they are on disk,
//! and are read from there when they are asked for. Of views and contacts the newest counts; notes are dropped.

use std::collections::VecDeque;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use raft::eraftpb::EntryType;
use rustix::event::{eventfd, EventfdFlags};
use tinysns_member::{Archive, Committed, NodeId, Ticket, View};

use crate::disk::fail_stop;
use crate::disk::log::Log;

/// Bytes of entries that are kept in memory for Python.
const UNTAKEN_BYTES: usize = 32 << 20;
const UNTAKEN_NOTES: usize = 256;
/// What an entry costs beside its data.
const ENTRY_BYTES: usize = 32;

/// What Python sees. Its meaning is told in raftnode.pyi.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    View(View),
    Committed { entries: Vec<(u64, Bytes)>, index: u64 },
    Reads { tickets: Vec<Ticket>, index: u64 },
    StateWanted { index: u64 },
    Health(Health),
    Contact { peer: NodeId, up: bool, incarnation: u64 },
    Compacted,
    Note { text: String, warning: bool },
}

/// What the data disk is good for. Numbers as in raftnode.Disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiskState {
    #[default]
    Good = 0,
    Scarce = 1,
    Full = 2,
    Stalled = 3,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Health {
    pub disk: DiskState,
    /// How long the write that does not return has been in flight.
    pub stalled_seconds: f64,
    pub free_bytes: u64,
    pub free_inodes: u64,
}

/// What a turn of the event loop has made for Python.
#[derive(Clone, Debug, PartialEq)]
pub enum Made {
    Output(Output),
    Commit(Committed),
    /// Another state replaces the log: whatever is committed and was not taken is void.
    ForgetCommitted,
}

/// What is kept for Python.
#[derive(Debug)]
enum Kept {
    Ready(Output),
    /// Committed, and on disk: from and up to these indexes.
    OnDisk {
        low: u64,
        high: u64,
    },
}

#[derive(Default)]
struct Queue {
    kept: VecDeque<Kept>,
    /// Of entries in `kept`.
    bytes: usize,
    notes: usize,
    lost_notes: usize,
    /// The eventfd is up.
    signalled: bool,
    /// Counts how often entries that were kept became void.
    void: u64,
}

/// See the module.
pub struct Outbox {
    queue: Mutex<Queue>,
    /// One at a time asks for events, so that they stay in order.
    polling: Mutex<()>,
    eventfd: OwnedFd,
    log: Arc<Log>,
    polls: AtomicU64,
    wakes: AtomicU64,
    limit: usize,
}

impl Outbox {
    pub fn new(log: Arc<Log>) -> std::io::Result<Outbox> {
        let eventfd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let (queue, polling) = (Mutex::default(), Mutex::default());
        let (polls, wakes) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Outbox { queue, polling, eventfd, log, polls, wakes, limit: UNTAKEN_BYTES })
    }

    pub fn fileno(&self) -> RawFd {
        self.eventfd.as_raw_fd()
    }

    /// How often it was asked.
    pub fn polls(&self) -> u64 {
        self.polls.load(Relaxed)
    }

    /// How often its owner was woken.
    pub fn wakes(&self) -> u64 {
        self.wakes.load(Relaxed)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("no thread panics with it: nothing in here does")
    }

    /// For the event loop: hands over what a turn has made, and wakes Python if `wake` and it was not woken yet. Returns
    /// whether Python was woken and has not asked since.
    pub fn publish(&self, made: impl IntoIterator<Item = Made>, wake: bool) -> bool {
        let mut queue = self.queue();
        for made in made {
            match made {
                Made::Output(output) => queue.push(output),
                Made::Commit(entry) => queue.commit(entry, self.limit),
                Made::ForgetCommitted => queue.forget_committed(),
            }
        }
        if wake && !queue.signalled && !queue.kept.is_empty() {
            queue.signalled = true;
            self.signal();
        }
        queue.signalled
    }

    fn signal(&self) {
        self.wakes.fetch_add(1, Relaxed);
        rustix::io::write(&self.eventfd, &1u64.to_ne_bytes()).expect("an eventfd can be written");
    }

    /// For Python's thread: events in order, with at most about so many bytes of entries but at least one. The signal
    /// goes down before the look, so what comes later signals again; so does what is left.
    pub fn poll(&self, max_bytes: usize) -> Vec<Output> {
        let _one_at_a_time = self.polling.lock().expect("no thread panics with it: nothing in here does");
        let _ = rustix::io::read(&self.eventfd, &mut [0u8; 8]); // an error: nobody has signalled
        self.polls.fetch_add(1, Relaxed);
        let (mut taken, mut room) = (Vec::new(), max_bytes.max(1));
        self.queue().signalled = false;
        while let Some(next) = self.take(&mut room) {
            match next {
                Kept::Ready(output) => taken.push(output),
                Kept::OnDisk { low, high } => taken.extend(self.read(low, high, &mut room)),
            }
        }
        let mut queue = self.queue();
        if !queue.kept.is_empty() && !queue.signalled {
            queue.signalled = true;
            self.signal();
        }
        taken
    }

    /// The log is about to be closed, and the event loop has ended: what would have to be read from it is dropped.
    pub fn close(&self) {
        let _not_while_reading = self.polling.lock().expect("no thread panics with it: nothing in here does");
        self.queue().kept.retain(|kept| matches!(kept, Kept::Ready(_)));
    }

    /// The next one to hand out; of one that is on disk only where it is: it stays in the queue until it was read.
    fn take(&self, room: &mut usize) -> Option<Kept> {
        if *room == 0 {
            return None;
        }
        let mut queue = self.queue();
        match queue.kept.front() {
            Some(Kept::OnDisk { low, high }) => Some(Kept::OnDisk { low: *low, high: *high }),
            Some(Kept::Ready(_)) => Some(Kept::Ready(queue.take_ready(room))),
            None => {
                let lost = std::mem::take(&mut queue.lost_notes);
                let text = format!("{lost} more notes were dropped, because nobody took them");
                (lost > 0).then_some(Kept::Ready(Output::Note { text, warning: true }))
            }
        }
    }

    /// Reads entries back, without the lock: the event loop must not wait for the disk.
    fn read(&self, low: u64, high: u64, room: &mut usize) -> Option<Output> {
        let void = self.queue().void;
        let found = self.log.entries(low, high + 1, *room);
        let mut queue = self.queue();
        if queue.void != void {
            return None; // another state has replaced the log meanwhile
        }
        let found = match found {
            Ok(found) => found,
            Err(unusable) => fail_stop(&unusable.0),
        };
        let index = found.last().expect("at least one is found").index;
        match queue.kept.front_mut() {
            Some(Kept::OnDisk { low, high }) if index < *high => *low = index + 1,
            front => {
                assert!(matches!(front, Some(Kept::OnDisk { .. })), "only this thread takes");
                queue.kept.pop_front();
            }
        }
        let data = |entry: raft::eraftpb::Entry| (entry.index, entry.data);
        let ours =
            |entry: &raft::eraftpb::Entry| entry.get_entry_type() == EntryType::EntryNormal && !entry.data.is_empty();
        let entries: Vec<_> = found.into_iter().filter(ours).map(data).collect();
        *room = room.saturating_sub(entries.iter().map(|(_, data)| data.len() + ENTRY_BYTES).sum());
        Some(Output::Committed { entries, index })
    }
}

impl Queue {
    fn push(&mut self, output: Output) {
        let older = match &output {
            Output::View(_) => self.position(|kept| matches!(kept, Output::View(_))),
            Output::Health(_) => self.position(|kept| matches!(kept, Output::Health(_))),
            Output::Contact { peer, .. } => {
                self.position(|kept| matches!(kept, Output::Contact { peer: other, .. } if other == peer))
            }
            Output::Note { .. } if self.notes >= UNTAKEN_NOTES => {
                self.lost_notes += 1;
                return;
            }
            _ => None,
        };
        if let Some(older) = older {
            self.kept.remove(older);
        }
        self.notes += usize::from(matches!(output, Output::Note { .. }));
        self.kept.push_back(Kept::Ready(output));
    }

    fn position(&self, same: impl Fn(&Output) -> bool) -> Option<usize> {
        self.kept.iter().position(|kept| matches!(kept, Kept::Ready(output) if same(output)))
    }

    fn forget_committed(&mut self) {
        self.kept.retain(|kept| !matches!(kept, Kept::OnDisk { .. } | Kept::Ready(Output::Committed { .. })));
        self.bytes = 0;
        self.void += 1;
    }

    fn commit(&mut self, entry: Committed, limit: usize) {
        let Committed { index, data, .. } = entry;
        if let Some(Kept::OnDisk { high, .. }) = self.kept.back_mut() {
            *high = index;
            return;
        }
        let bytes = if data.is_empty() { 0 } else { data.len() + ENTRY_BYTES };
        if self.bytes + bytes > limit {
            self.kept.push_back(Kept::OnDisk { low: index, high: index });
            return;
        }
        self.bytes += bytes;
        if !matches!(self.kept.back(), Some(Kept::Ready(Output::Committed { .. }))) {
            self.kept.push_back(Kept::Ready(Output::Committed { entries: Vec::new(), index }));
        }
        let Some(Kept::Ready(Output::Committed { entries, index: end })) = self.kept.back_mut() else {
            unreachable!("it was put there")
        };
        *end = index;
        if !data.is_empty() {
            entries.push((index, data));
        }
    }

    /// Takes the first one, which is ready; of a long list of entries as many as there is room for, but at least one.
    fn take_ready(&mut self, room: &mut usize) -> Output {
        let Some(Kept::Ready(output)) = self.kept.pop_front() else { unreachable!("its caller has seen it") };
        match output {
            Output::Committed { mut entries, index } => {
                let mut count = 0;
                for (_, data) in &entries {
                    count += 1;
                    self.bytes -= data.len() + ENTRY_BYTES;
                    *room = room.saturating_sub(data.len() + ENTRY_BYTES);
                    if *room == 0 {
                        break;
                    }
                }
                if count == entries.len() {
                    return Output::Committed { entries, index };
                }
                let rest = entries.split_off(count);
                let end = entries.last().expect("at least one").0;
                self.kept.push_front(Kept::Ready(Output::Committed { entries: rest, index }));
                Output::Committed { entries, index: end }
            }
            note @ Output::Note { .. } => {
                self.notes -= 1;
                note
            }
            other => other,
        }
    }
}
