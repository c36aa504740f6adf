//! A model of the links: one TCP connection per pair of members, made and lost, each way in order.
//!
//! What a cut network carries is not lost: it stays queued (retransmission) until the network heals, or until an end has
//! heard nothing for `Timing::silence` and gives the connection up. Nothing of a connection arrives at an end that has
//! given it up, so nothing old arrives after the `LinkUp` of a newer one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tinysns_member::{Frame, NodeId};

use crate::agenda::{Agenda, Happening, Life};
use crate::rng::Rng;

/// Names a connection; never used again.
pub type ConnId = u64;
/// 0: the end that dialled. 1: the one that was dialled.
pub type End = usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Connecting,
    Up,
    Down,
}

/// One direction of a connection.
#[derive(Default)]
struct Pipe {
    frames: VecDeque<Frame>,
    last_arrival: Duration,
    /// Frames that would have arrived, had the network not been cut.
    held_up: usize,
}

struct Conn {
    nodes: [NodeId; 2],
    lives: [Life; 2],
    sides: [Side; 2],
    /// By the end that sends.
    pipes: [Pipe; 2],
    heard: [Duration; 2],
}

/// How long messages take.
#[derive(Clone, Copy, Debug)]
pub struct Latency {
    /// At least.
    pub least: Duration,
    /// On top of it, on average; with a tail.
    pub jitter: Duration,
}

/// What an end of a connection belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Attached {
    /// This end's member.
    pub me: NodeId,
    /// And its life.
    pub life: Life,
    /// The other end's.
    pub peer: NodeId,
    /// And its life.
    pub peer_life: Life,
}

/// All connections, and what is cut.
pub struct Network {
    conns: BTreeMap<ConnId, Conn>,
    links: BTreeMap<(NodeId, NodeId), ConnId>,
    cut: BTreeSet<(NodeId, NodeId)>,
    made: ConnId,
    rng: Rng,
    /// Of messages now.
    pub latency: Latency,
}

impl Network {
    /// A network that nothing is wrong with.
    pub fn new(latency: Latency, rng: Rng) -> Network {
        let (conns, links, cut) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Network { conns, links, cut, made: 0, rng, latency }
    }

    fn delay(&mut self) -> Duration {
        self.latency.least + self.rng.about(self.latency.jitter)
    }

    /// Whether messages get from one to the other.
    pub fn open(&self, from: NodeId, to: NodeId) -> bool {
        !self.cut.contains(&(from, to))
    }

    /// Whether this member has a link to that one.
    pub fn linked(&self, me: NodeId, peer: NodeId) -> bool {
        self.links.contains_key(&(me, peer))
    }

    /// Cuts one direction.
    pub fn cut(&mut self, from: NodeId, to: NodeId) {
        self.cut.insert((from, to));
    }

    /// Heals one direction: what was held up arrives when TCP tries again.
    pub fn heal(&mut self, from: NodeId, to: NodeId, now: Duration, agenda: &mut Agenda) {
        if !self.cut.remove(&(from, to)) {
            return;
        }
        for (id, conn) in &mut self.conns {
            let sender = (0..2).find(|end| conn.nodes[*end] == from && conn.nodes[1 - *end] == to);
            let Some(sender) = sender.filter(|sender| conn.pipes[*sender].held_up > 0) else { continue };
            let at = now + self.rng.span(Duration::from_millis(1), Duration::from_millis(200));
            let pipe = &mut conn.pipes[sender];
            pipe.last_arrival = pipe.last_arrival.max(at);
            for _ in 0..std::mem::take(&mut pipe.held_up) {
                agenda.at(pipe.last_arrival, Happening::Arrive { conn: *id, end: 1 - sender });
            }
        }
    }

    /// Directions that are cut.
    pub fn cuts(&self) -> Vec<(NodeId, NodeId)> {
        self.cut.iter().copied().collect()
    }

    /// Sends a frame over the link of now; false, and lost, if there is none.
    pub fn send(&mut self, from: NodeId, to: NodeId, frame: Frame, now: Duration, agenda: &mut Agenda) -> bool {
        let Some(id) = self.links.get(&(from, to)).copied() else { return false };
        let delay = self.delay();
        let conn = self.conns.get_mut(&id).expect("a link is a connection");
        let end = end_of(conn, from);
        let pipe = &mut conn.pipes[end];
        pipe.last_arrival = pipe.last_arrival.max(now + delay);
        pipe.frames.push_back(frame);
        agenda.at(pipe.last_arrival, Happening::Arrive { conn: id, end: 1 - end });
        true
    }

    /// The next frame for this end, unless the network is cut or the end has given up.
    pub fn arrive(&mut self, id: ConnId, end: End) -> Option<(Attached, Frame)> {
        let conn = self.conns.get_mut(&id)?;
        if !self.cut.is_empty() && self.cut.contains(&(conn.nodes[1 - end], conn.nodes[end])) {
            conn.pipes[1 - end].held_up += 1;
            return None;
        }
        let frame = conn.pipes[1 - end].frames.pop_front()?;
        (conn.sides[end] == Side::Up).then(|| (attached(conn, end), frame))
    }

    /// Begins a connection. It is established at the dialled end first: that one's hello is the last to arrive.
    pub fn dial(&mut self, dialler: (NodeId, Life), dialled: (NodeId, Life), now: Duration, agenda: &mut Agenda) {
        self.made += 1;
        let id = self.made;
        let (there, back) = (self.delay(), self.delay());
        let conn = Conn {
            nodes: [dialler.0, dialled.0],
            lives: [dialler.1, dialled.1],
            sides: [Side::Connecting; 2],
            pipes: [Pipe::default(), Pipe { last_arrival: now + there + back, ..Pipe::default() }],
            heard: [now; 2],
        };
        self.conns.insert(id, conn);
        agenda.at(now + there, Happening::Established { conn: id, end: 1 });
        agenda.at(now + there + back, Happening::Established { conn: id, end: 0 });
    }

    /// Whose end this is, and of which life.
    pub fn life_at(&self, id: ConnId, end: End) -> Option<(NodeId, Life)> {
        self.conns.get(&id).map(|conn| (conn.nodes[end], conn.lives[end]))
    }

    /// The handshake is complete at this end, if it still can be. An older link of the pair is given up: the connection
    /// it was is returned, with its end here.
    pub fn establish(&mut self, id: ConnId, end: End, now: Duration) -> Option<(Attached, Option<(ConnId, End)>)> {
        let conn = self.conns.get(&id)?;
        let (me, peer) = (conn.nodes[end], conn.nodes[1 - end]);
        let first = end == 1;
        let possible = self.open(me, peer) && self.open(peer, me) && (first || conn.sides[1] == Side::Up);
        let conn = self.conns.get_mut(&id).expect("it has just been there");
        if !possible || conn.sides[end] != Side::Connecting {
            conn.sides[end] = Side::Down;
            return None;
        }
        (conn.sides[end], conn.heard[end]) = (Side::Up, now);
        let here = attached(conn, end);
        let older = self.links.insert((me, peer), id).and_then(|older| {
            let conn = self.conns.get_mut(&older)?;
            let end = end_of(conn, me);
            conn.sides[end] = Side::Down;
            Some((older, end))
        });
        Some((here, older))
    }

    /// This end has given the connection up, or cannot complete its handshake: it is told, if it was up.
    pub fn end(&mut self, id: ConnId, end: End) -> Option<Attached> {
        let conn = self.conns.get_mut(&id)?;
        let was = std::mem::replace(&mut conn.sides[end], Side::Down);
        if was != Side::Up {
            return None;
        }
        let here = attached(conn, end);
        if self.links.get(&(here.me, here.peer)) == Some(&id) {
            self.links.remove(&(here.me, here.peer));
        }
        Some(here)
    }

    /// After this end is down: the other one learns of it, if the network lets it and it has not heard already.
    pub fn tell_other_end(&mut self, id: ConnId, end: End, delay: Duration, now: Duration, agenda: &mut Agenda) {
        let Some(conn) = self.conns.get(&id) else { return };
        if conn.sides[1 - end] != Side::Down && self.open(conn.nodes[end], conn.nodes[1 - end]) {
            agenda.at(now + delay, Happening::Ended { conn: id, end: 1 - end });
        }
    }

    /// Connections that this member has an end of, with that end.
    pub fn ends_of(&self, node: NodeId) -> Vec<(ConnId, End)> {
        let end = |conn: &Conn| (0..2).find(|end| conn.nodes[*end] == node && conn.sides[*end] != Side::Down);
        self.conns.iter().filter_map(|(id, conn)| Some((*id, end(conn)?))).collect()
    }

    /// The connection of this member's link to that one.
    pub fn link(&self, me: NodeId, peer: NodeId) -> Option<(ConnId, End)> {
        let id = self.links.get(&(me, peer))?;
        Some((*id, end_of(&self.conns[id], me)))
    }

    /// Notes what each end has heard of the other (pulses, which are not modelled one by one, included) and returns the
    /// ends that have heard nothing for `silence`. `speaks`: whether this life of a member runs.
    pub fn silent(
        &mut self,
        silence: Duration,
        now: Duration,
        speaks: impl Fn(NodeId, Life) -> bool,
    ) -> Vec<(ConnId, End)> {
        self.conns.retain(|_, conn| conn.sides != [Side::Down; 2]);
        let mut silent = Vec::new();
        for (id, conn) in &mut self.conns {
            for end in 0..2 {
                let other = 1 - end;
                let open = !self.cut.contains(&(conn.nodes[other], conn.nodes[end]));
                if open && conn.sides[other] == Side::Up && speaks(conn.nodes[other], conn.lives[other]) {
                    conn.heard[end] = now;
                } else if conn.sides[end] != Side::Down && now - conn.heard[end] > silence {
                    silent.push((*id, end));
                }
            }
        }
        silent
    }

    /// Whether the dialler of this pair has neither a link nor a handshake under way.
    pub fn must_dial(&self, dialler: NodeId, dialled: NodeId) -> bool {
        let under_way = |conn: &Conn| conn.nodes == [dialler, dialled] && conn.sides[0] == Side::Connecting;
        !self.linked(dialler, dialled) && !self.conns.values().any(under_way)
    }
}

fn end_of(conn: &Conn, node: NodeId) -> End {
    usize::from(conn.nodes[1] == node)
}

fn attached(conn: &Conn, end: End) -> Attached {
    let other = 1 - end;
    Attached { me: conn.nodes[end], life: conn.lives[end], peer: conn.nodes[other], peer_life: conn.lives[other] }
}
