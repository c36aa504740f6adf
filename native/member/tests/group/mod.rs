//! A group of members whose links, disks and clocks are the test's: nothing moves unless the test says so.
#![allow(dead_code)] // each test file uses its part

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use raft::eraftpb::{ConfState, Entry, HardState, MessageType, SnapshotMetadata};
use tinysns_member::{
    Action, Archive, Committed, Event, Frame, Limits, Member, NodeId, Now, Opening, Records, Role, Timing, Unusable,
    View, Write,
};

/// A disk that keeps what was written to it; clones are the same disk.
#[derive(Clone, Default)]
pub struct Disk(pub Arc<Mutex<Written>>);

#[derive(Clone, Default)]
pub struct Written {
    pub hard: HardState,
    pub point: SnapshotMetadata,
    pub base: SnapshotMetadata,
    pub entries: Vec<Entry>,
}

impl Disk {
    pub fn founded(voters: &[NodeId]) -> Disk {
        let mut start = SnapshotMetadata { index: 1, term: 1, ..SnapshotMetadata::default() };
        start.set_conf_state(ConfState { voters: voters.to_vec(), ..ConfState::default() });
        let hard = HardState { term: 1, commit: 1, ..HardState::default() };
        let records = Written { hard, point: start.clone(), base: start, entries: vec![] };
        Disk(Arc::new(Mutex::new(records)))
    }

    pub fn write(&self, write: &Write) {
        let mut disk = self.0.lock().expect("one thread");
        if let Some(start) = &write.restore {
            (disk.point, disk.base) = (start.clone(), start.clone());
            disk.entries.clear();
        }
        if let Some(compaction) = &write.compact {
            (disk.point, disk.base) = (compaction.point.clone(), compaction.base.clone());
            disk.entries.retain(|entry| entry.index > compaction.base.index);
        }
        if let Some(first) = write.entries.first() {
            disk.entries.retain(|entry| entry.index < first.index);
            disk.entries.extend(write.entries.iter().cloned());
        }
        if let Some(hard) = &write.hard {
            disk.hard = hard.clone();
        }
    }

    pub fn records(&self) -> Records {
        let disk = self.0.lock().expect("one thread");
        let last = disk.entries.last().map_or(disk.base.index, |entry| entry.index);
        Records { hard: disk.hard.clone(), point: disk.point.clone(), base: disk.base.clone(), last }
    }
}

impl Archive for Disk {
    fn entries(&self, low: u64, high: u64, max_bytes: usize) -> Result<Vec<Entry>, Unusable> {
        let disk = self.0.lock().expect("one thread");
        let mut found = vec![];
        let mut bytes = 0;
        for entry in disk.entries.iter().filter(|entry| (low..high).contains(&entry.index)) {
            bytes += entry.data.len();
            if bytes > max_bytes && !found.is_empty() {
                break;
            }
            found.push(entry.clone());
        }
        Ok(found)
    }
}

pub struct Node {
    pub member: Member,
    pub disk: Disk,
    /// Handed out and not yet written.
    pub writes: VecDeque<Write>,
    pub committed: Vec<Committed>,
    pub reads: Vec<(u64, u64)>,
    pub fetch: Option<u64>,
    pub dropped: Vec<(NodeId, &'static str)>,
    pub isolated: bool,
    /// The disk does not answer.
    pub disk_holds: bool,
}

pub struct Group {
    pub nodes: BTreeMap<NodeId, Node>,
    pub now: Duration,
    /// What was said and has not arrived, per ordered pair.
    pub wires: BTreeMap<(NodeId, NodeId), VecDeque<Frame>>,
    /// Frames over these are lost.
    pub cut: Vec<(NodeId, NodeId)>,
    pub timing: Timing,
    pub limits: Limits,
    tickets: u64,
}

pub fn open(me: NodeId, order: &[NodeId], disk: &Disk, applied: u64, installed: u64) -> Result<Member, Unusable> {
    let opening = Opening {
        me,
        incarnation: 1,
        order: order.to_vec(),
        records: disk.records(),
        archive: Box::new(disk.clone()),
        applied,
        installed,
        timing: Timing::default(),
        limits: Limits::default(),
    };
    Member::open(opening, Now::default())
}

impl Group {
    /// All linked with each other; nobody leads.
    pub fn of(count: u64) -> Group {
        let order: Vec<NodeId> = (1..=count).collect();
        let mut group = Group {
            nodes: BTreeMap::new(),
            now: Duration::from_secs(1),
            wires: BTreeMap::new(),
            cut: vec![],
            timing: Timing::default(),
            limits: Limits::default(),
            tickets: 0,
        };
        for me in &order {
            let disk = Disk::founded(&order);
            let member = open(*me, &order, &disk, 0, 0).expect("a founded disk can be opened");
            group.nodes.insert(*me, Node::new(member, disk));
        }
        for me in &order {
            for peer in order.iter().filter(|peer| *peer != me) {
                group.tell(*me, Event::LinkUp { peer: *peer, incarnation: 1 });
            }
        }
        group
    }

    /// All linked, and the first of the list leads; everything has settled.
    pub fn led(count: u64) -> Group {
        let mut group = Group::of(count);
        group.pass(group.timing.election * 2);
        assert_eq!(group.leader(), 1, "the first of the list has the least patience");
        group.pass(group.timing.heartbeat * 2);
        group
    }

    /// The process of this member is gone, and the kernel has told all others.
    pub fn kill(&mut self, node: NodeId) -> Disk {
        let gone = self.nodes.remove(&node).expect("it is there");
        self.wires.retain(|(from, to), _| *from != node && *to != node);
        for peer in self.nodes.keys().copied().collect::<Vec<_>>() {
            self.tell(peer, Event::LinkLost { peer: node });
        }
        gone.disk
    }

    /// It starts again on this disk, with a state that had applied so much, and is linked with the others.
    pub fn start(&mut self, node: NodeId, disk: &Disk, applied: u64) {
        let order: Vec<NodeId> = (1..=4).collect();
        let member = open(node, &order, disk, applied, 0).expect("the disk is whole");
        let mut it = Node::new(member, disk.clone());
        it.disk_holds = false;
        self.nodes.insert(node, it);
        for peer in self.nodes.keys().copied().filter(|peer| *peer != node).collect::<Vec<_>>() {
            self.relink(node, peer);
        }
    }

    pub fn cut_link(&mut self, a: NodeId, b: NodeId) {
        self.cut.push((a, b));
        self.wires.remove(&(a, b));
        self.wires.remove(&(b, a));
        self.tell(a, Event::LinkLost { peer: b });
        self.tell(b, Event::LinkLost { peer: a });
    }

    pub fn relink(&mut self, a: NodeId, b: NodeId) {
        self.cut.retain(|pair| *pair != (a, b) && *pair != (b, a));
        self.tell(a, Event::LinkUp { peer: b, incarnation: 1 });
        self.tell(b, Event::LinkUp { peer: a, incarnation: 1 });
    }

    pub fn view(&self, node: NodeId) -> View {
        self.nodes[&node].member.status().view
    }

    /// The one that leads in the highest term; 0: none.
    pub fn leader(&self) -> NodeId {
        let views = self.nodes.iter().map(|(node, it)| (it.member.status().view, *node));
        views.filter(|(view, _)| view.role == Role::Leader).max_by_key(|(view, _)| view.term).map_or(0, |(_, n)| n)
    }

    pub fn term(&self) -> u64 {
        self.nodes.values().map(|node| node.member.status().view.term).max().unwrap_or(0)
    }

    fn clock(&self) -> Now {
        Now { monotonic: self.now, unix_ns: 1 }
    }

    /// One event for one member; what it says is on the wires afterwards, what it writes is waiting.
    pub fn tell(&mut self, node: NodeId, event: Event) {
        self.step(node, vec![event]);
    }

    pub fn step(&mut self, node: NodeId, events: Vec<Event>) {
        let now = self.clock();
        let it = self.nodes.get_mut(&node).expect("it is there");
        for action in it.member.step(now, events) {
            match action {
                Action::Write(write) => it.writes.push_back(write),
                Action::Send { to, frame } => {
                    let lost = self.cut.contains(&(node, to)) || self.cut.contains(&(to, node));
                    if !lost && !it.isolated {
                        self.wires.entry((node, to)).or_default().push_back(frame);
                    }
                }
                Action::Commit(committed) => it.committed.push(committed),
                Action::Read { tickets, index } => it.reads.extend(tickets.into_iter().map(|ticket| (ticket, index))),
                Action::FetchState { index } => it.fetch = Some(index),
                Action::DropLink { peer, why } => it.dropped.push((peer, why)),
                Action::Isolate(isolated) => it.isolated = isolated,
                Action::View(_) | Action::Compacted | Action::Note(_) => {}
            }
        }
    }

    /// The oldest write of this member reaches its disk.
    pub fn write_one(&mut self, node: NodeId) -> bool {
        let it = self.nodes.get_mut(&node).expect("it is there");
        let Some(write) = it.writes.pop_front() else { return false };
        it.disk.write(&write);
        self.tell(node, Event::Written { order: write.order, took: Duration::from_millis(1) });
        true
    }

    /// The oldest frame on this wire arrives.
    pub fn deliver_one(&mut self, from: NodeId, to: NodeId) -> bool {
        let Some(frame) = self.wires.get_mut(&(from, to)).and_then(VecDeque::pop_front) else { return false };
        self.tell(to, Event::Frame { from, frame });
        true
    }

    /// Everything that is on a wire or waits for a disk, until nothing moves.
    pub fn run(&mut self) {
        loop {
            let wires: Vec<_> = self.wires.keys().copied().collect();
            let nodes: Vec<_> = self.nodes.iter().filter(|(_, it)| !it.disk_holds).map(|(node, _)| *node).collect();
            let mut moved = false;
            for (from, to) in wires {
                while self.deliver_one(from, to) {
                    moved = true;
                }
            }
            for node in nodes {
                while self.write_one(node) {
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// Time passes, and everything that comes of it.
    pub fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        self.run();
        while self.now < end {
            let next = self.nodes.values().map(|node| node.member.deadline()).min().expect("there are nodes");
            self.now =
                next.clamp(self.now + Duration::from_micros(100), end.max(self.now + Duration::from_micros(100)));
            for node in self.nodes.keys().copied().collect::<Vec<_>>() {
                if self.nodes[&node].member.deadline() <= self.now {
                    self.step(node, vec![]);
                }
            }
            self.run();
        }
    }

    /// A proposal of this member; its ticket.
    pub fn propose(&mut self, node: NodeId, command: &str) -> u64 {
        self.tickets += 1;
        let ticket = self.tickets;
        self.tell(node, Event::Propose { ticket, command: Bytes::copy_from_slice(command.as_bytes()) });
        ticket
    }

    /// All commands that this member has been handed, in order.
    pub fn commands(&self, node: NodeId) -> Vec<String> {
        let entries = self.nodes[&node].committed.iter();
        entries.flat_map(|entry| commands_of(&entry.data)).collect()
    }

    /// What raft messages are on this wire.
    pub fn kinds(&self, from: NodeId, to: NodeId) -> Vec<MessageType> {
        let frames = self.wires.get(&(from, to)).into_iter().flatten();
        let kind = |frame: &Frame| if let Frame::Raft(message) = frame { Some(message.get_msg_type()) } else { None };
        frames.filter_map(kind).collect()
    }

    pub fn role(&self, node: NodeId) -> Role {
        self.view(node).role
    }
}

pub fn commands_of(data: &Bytes) -> Vec<String> {
    let entry: tinysns_wire::Entry = prost::Message::decode(data.clone()).expect("an entry");
    entry.items.iter().map(|item| String::from_utf8_lossy(&item.command).into_owned()).collect()
}

impl Node {
    pub fn new(member: Member, disk: Disk) -> Node {
        Node {
            member,
            disk,
            writes: VecDeque::new(),
            committed: vec![],
            reads: vec![],
            fetch: None,
            dropped: vec![],
            isolated: false,
            disk_holds: false,
        }
    }
}
