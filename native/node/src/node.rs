//! `Node`: a member with its threads. Every method returns at once; what happens is told by `poll`.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::path::Path;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use mio::{Poll, Waker};
use raft::eraftpb::Entry;
use tinysns_member::{Archive, Change, Event, Member, NodeId, Opening, Status, Ticket, Unusable};

use crate::clock;
use crate::disk::log::Log;
use crate::disk::log_thread::LogThread;
use crate::disk::space::{Space, SpaceNote};
use crate::disk::watch::DiskWatch;
use crate::event_loop::{EventLoop, LISTENER, WAKER};
use crate::inbox::{Inbox, Overloaded};
use crate::lifeline::holder;
use crate::lifeline::lifelines::Lifelines;
use crate::link::greeting::Identity;
use crate::link::links::Links;
use crate::link::listen;
use crate::outbox::{Made, Outbox, Output};
use crate::published::Published;
use crate::settings::{Settings, StartError};
use crate::threads::{self, Signals};
use crate::wake::Watchdog;

/// Writes the record that each founding member starts from, on disk when it returns. Nothing happens if just that was
/// done and the log was never used since. A log that was used is `Unusable`.
pub fn found(path: &Path, voters: &[NodeId]) -> Result<(), StartError> {
    // small files: what is written here fits into any, and they are used whatever their size
    Log::open(path, FOUNDING_FILE_MB, FOUNDING_FILE_MB)?.found(voters)
}

const FOUNDING_FILE_MB: u64 = 16;

/// Of one command. A raft message has up to 1 MiB of entries and then one more, and must fit into a frame of a link.
pub const COMMAND_BYTES: usize = 1 << 20;

/// See the module.
pub struct Node {
    inbox: Arc<Inbox>,
    outbox: Arc<Outbox>,
    published: Arc<Published>,
    log: Arc<Log>,
    space: Arc<SpaceNote>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// A node's numbers beside those of its member; for people.
#[derive(Clone, Copy, Debug)]
pub struct Counters {
    pub fsyncs: u64,
    /// Of the event loop.
    pub turns: u64,
    /// How often Python was woken.
    pub wakes: u64,
    /// What a write to the log took lately.
    pub usual_write: Duration,
    pub log_bytes: u64,
    pub space: Space,
}

impl Node {
    /// Opens the log, compares it with the state, and starts the threads.
    pub fn start(settings: Settings) -> Result<Node, StartError> {
        settings.validate().map_err(StartError::Invalid)?;
        let _signals = Signals::block(); // those of the process are Python's: no thread that starts here takes one
        let log = Arc::new(Log::open(&settings.path, settings.file_mb, settings.keep_mb)?);
        let member = open_member(&settings, &log)?;
        let poll = Poll::new().map_err(no_resources)?;
        let listener = listen(settings.listen, poll.registry(), LISTENER).map_err(|error| {
            StartError::CannotListen(format!("cannot listen for members on {}: {error}", settings.listen))
        })?;
        let space = Space::of(&settings.path).map_err(no_resources)?;
        let space = Arc::new(SpaceNote::new(space));
        let waker = Waker::new(poll.registry(), WAKER).map_err(no_resources)?;
        let inbox = Arc::new(Inbox::new(waker, settings.first_ticket(), member.room()));
        let outbox = Arc::new(Outbox::new(log.clone()).map_err(no_resources)?);
        let published = Arc::new(Published::new(&member));
        let (hand_over, lifelines) = holder::pair().map_err(no_resources)?;
        let (jobs, queue) = mpsc::channel();
        let registry = || poll.registry().try_clone().map_err(no_resources);
        let event_loop = EventLoop {
            links: Links::new(
                identity(&settings),
                settings.timing,
                other_addresses(&settings),
                registry()?,
                listener,
                hand_over,
            ),
            lifelines: Lifelines::new(registry()?, settings.timing.redial),
            poll,
            member,
            jobs,
            disk: DiskWatch::new(log.notes.clone(), space.clone(), settings.reserve_bytes, settings.timing.disk_stall),
            inbox: inbox.clone(),
            outbox: outbox.clone(),
            published: published.clone(),
            watchdog: Watchdog::new(settings.stuck),
        };
        let log_thread = LogThread {
            log: log.clone(),
            path: settings.path,
            reserve_bytes: settings.reserve_bytes,
            jobs: queue,
            inbox: inbox.clone(),
            space: space.clone(),
        };
        let notes = outbox.clone();
        let threads = vec![
            threads::spawn("tinysns-log", move || log_thread.run()).map_err(no_resources)?,
            threads::spawn("tinysns-life", move || lifelines.run(|table| note_table(&notes, table)))
                .map_err(no_resources)?,
            threads::spawn("tinysns-loop", move || event_loop.run()).map_err(no_resources)?,
        ];
        Ok(Node { inbox, outbox, published, log, space, threads: Mutex::new(threads) })
    }

    /// Readable when `poll` has something.
    pub fn fileno(&self) -> RawFd {
        self.outbox.fileno()
    }

    /// What has happened, in order, with about so many bytes of entries; what is left makes `fileno` readable again.
    pub fn poll(&self, max_bytes: usize) -> Vec<Output> {
        self.outbox.poll(max_bytes)
    }

    /// Puts these into the log through whoever leads, now or later: all, in this order and behind all earlier ones of
    /// this node, or none. None of them has more than `COMMAND_BYTES`.
    pub fn propose(&self, commands: Vec<Bytes>) -> Result<(), Overloaded> {
        assert!(commands.iter().all(|command| command.len() <= COMMAND_BYTES), "it would fit into no frame");
        self.inbox.propose(commands)
    }

    /// The ticket of a linearizable read; it comes back in `Output::Reads`.
    pub fn read_index(&self) -> Ticket {
        self.inbox.read()
    }

    /// How long committed entries may wait before Python is woken for them, if nothing of its own is among them.
    pub fn lazy(&self, lazy: Duration) {
        self.inbox.lazy(lazy);
    }

    /// The state that was wanted is durable at this index.
    pub fn installed(&self, index: u64) {
        self.inbox.event(Event::Installed { index });
    }

    /// The state is durable up to `index`: the log may go, but for `keep` entries before it.
    pub fn compact(&self, index: u64, keep: u64) {
        self.inbox.event(Event::Compact { index, keep });
    }

    /// Leadership should go to the best other member, if this one leads.
    pub fn transfer(&self) {
        self.inbox.event(Event::Transfer);
    }

    /// As leader: proposes changes of membership.
    pub fn change(&self, changes: Vec<Change>) {
        self.inbox.event(Event::Change(changes));
    }

    /// `(voters, learners)` in force.
    pub fn members(&self) -> (Vec<NodeId>, Vec<NodeId>) {
        self.published.members()
    }

    pub fn status(&self) -> Status {
        self.published.status()
    }

    pub fn counters(&self) -> Counters {
        Counters {
            fsyncs: self.log.notes.fsyncs(),
            turns: self.published.turns(),
            wakes: self.outbox.wakes(),
            usual_write: self.log.notes.usual(),
            log_bytes: self.log.bytes(),
            space: self.space.get(),
        }
    }

    /// Ends the threads, closes links and log; returns when they have ended, on a stalled disk when it returns. What was
    /// made for Python can still be polled.
    pub fn stop(&self) {
        self.inbox.stop();
        let threads = std::mem::take(&mut *self.threads.lock().expect("no thread panics with it"));
        for thread in threads {
            thread.join().expect("a thread that panics ends the process");
        }
        self.outbox.close();
        self.log.close();
    }
}

impl Drop for Node {
    /// Does not wait: whoever drops it may hold a lock that others need.
    fn drop(&mut self) {
        self.inbox.stop();
    }
}

/// The log as the member reads it.
struct Reading(Arc<Log>);

impl Archive for Reading {
    fn entries(&self, low: u64, high: u64, max_bytes: usize) -> Result<Vec<Entry>, Unusable> {
        self.0.entries(low, high, max_bytes)
    }
}

fn open_member(settings: &Settings, log: &Arc<Log>) -> Result<Member, StartError> {
    let opening = Opening {
        me: settings.node,
        incarnation: settings.incarnation,
        order: settings.peers.iter().map(|(node, _)| *node).collect(),
        records: log.records()?,
        archive: Box::new(Reading(log.clone())),
        applied: settings.applied,
        installed: settings.installed,
        timing: settings.timing,
        limits: settings.limits,
    };
    Ok(Member::open(opening, clock::now())?)
}

fn identity(settings: &Settings) -> Identity {
    Identity {
        cluster_id: settings.cluster_id.clone(),
        node: settings.node,
        incarnation: settings.incarnation,
        members: settings.peers.iter().map(|(node, _)| *node).collect(),
    }
}

fn other_addresses(settings: &Settings) -> BTreeMap<NodeId, SocketAddr> {
    settings.peers.iter().filter(|(node, _)| *node != settings.node).copied().collect()
}

fn note_table(outbox: &Outbox, own_table: io::Result<()>) {
    if let Err(error) = own_table {
        let text = format!(
            "the kernel gives no thread a descriptor table of its own ({error}): the others notice some milliseconds \
             later when this process is killed"
        );
        outbox.publish([Made::Output(Output::Note { text, warning: true })], false);
    }
}

fn no_resources(error: io::Error) -> StartError {
    StartError::NoResources(format!("the operating system gives no thread, descriptor or figures: {error}"))
}
