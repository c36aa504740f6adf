//! All connections of a member with its peers, and which of them are links.
//!
//! Here is what comes in and what ends; who is dialed and kept alive is in upkeep.rs.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use tinysns_member::{Event, Frame, NodeId, Timing};
use tinysns_wire::link_hello::Purpose;
use tinysns_wire::LinkHello;

use super::connection::{Connection, Reading, Stage};
use super::frame::{self, Garbled, Received};
use super::greeting::{Identity, Peer};
use crate::lifeline::holder::HandOver;
use crate::outbox::{Made, Output};
use crate::turn::Turn;

/// Tokens of links are even, those of lifelines odd.
pub const TOKEN_STEP: usize = 2;
/// Connections that have not said who they are; beyond it newer ones are closed at once.
const UNKNOWN_MOST: usize = 64;
/// What a connection brings goes through this at a time.
const SCRATCH_BYTES: usize = 64 << 10;

/// See the module.
pub struct Links {
    pub(super) identity: Identity,
    pub(super) timing: Timing,
    /// Of the others.
    pub(super) addresses: BTreeMap<NodeId, SocketAddr>,
    registry: Registry,
    listener: TcpListener,
    hand_over: HandOver,
    pub(super) connections: HashMap<usize, Connection>,
    pub(super) linked: BTreeMap<NodeId, usize>,
    /// For each peer that is dialed from here: when (awake) to dial again.
    pub(super) dial_at: BTreeMap<NodeId, Duration>,
    next_token: usize,
    pub(super) isolated: bool,
    scratch: Vec<u8>,
}

impl Links {
    /// `addresses`: of all others. `listener`: registered by the caller.
    pub fn new(
        identity: Identity,
        timing: Timing,
        addresses: BTreeMap<NodeId, SocketAddr>,
        registry: Registry,
        listener: TcpListener,
        hand_over: HandOver,
    ) -> Links {
        let dial_at = addresses.keys().filter(|peer| **peer < identity.node).map(|peer| (*peer, Duration::ZERO));
        Links {
            dial_at: dial_at.collect(),
            identity,
            timing,
            addresses,
            registry,
            listener,
            hand_over,
            connections: HashMap::new(),
            linked: BTreeMap::new(),
            next_token: 0,
            isolated: false,
            scratch: vec![0; SCRATCH_BYTES],
        }
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Peers with a link.
    pub fn linked(&self) -> impl Iterator<Item = Peer> + '_ {
        self.linked.values().filter_map(|token| self.connections[token].peer())
    }

    pub fn address(&self, peer: NodeId) -> Option<SocketAddr> {
        self.addresses.get(&peer).copied()
    }

    /// Puts a frame into the output of the peer's link, if there is one.
    pub fn send(&mut self, to: NodeId, frame: &Frame) {
        if let Some(connection) = self.linked.get(&to).and_then(|token| self.connections.get_mut(token)) {
            frame::encode(frame, connection.output());
        }
    }

    // -- incoming ----------------------------------------------------------------------------------------------------

    pub fn accept(&mut self, turn: &mut Turn) {
        while let Ok((stream, _)) = self.listener.accept() {
            let unknown = self.connections.len() - self.linked.len();
            if !self.isolated && unknown < UNKNOWN_MOST {
                let deadline = turn.awake + self.timing.connect;
                self.add(stream, Stage::Unknown { dialed: None, deadline }, turn);
            }
        }
    }

    pub(super) fn add(&mut self, mut stream: TcpStream, stage: Stage, turn: &Turn) {
        let _ = stream.set_nodelay(true); // slower without, not wrong
        let token = self.next_token;
        let interest = Interest::READABLE | Interest::WRITABLE;
        if self.registry.register(&mut stream, Token(token), interest).is_ok() {
            self.next_token += TOKEN_STEP;
            self.connections.insert(token, Connection::new(stream, stage, turn.awake));
        }
    }

    /// The kernel has something to tell of this connection. `closed`: its end is there, behind what can be read.
    pub fn ready(&mut self, token: usize, closed: bool, turn: &mut Turn) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        if let Stage::Dialing { to, deadline } = connection.stage {
            match connection.is_connected() {
                Ok(true) => {
                    connection.stage = Stage::Unknown { dialed: Some(to), deadline };
                    frame::encode_hello(&self.identity.hello(Purpose::Link), connection.output());
                }
                Ok(false) => return,
                Err(_) => return self.close(token, turn), // nobody is there: tried again in a while
            }
        }
        self.read(token, closed, turn);
    }

    /// Reads on where the last turn has left something.
    pub fn read_on(&mut self, turn: &mut Turn) {
        let unread: Vec<_> = self.connections.iter().filter(|(_, c)| c.unread).map(|(token, _)| *token).collect();
        unread.into_iter().for_each(|token| self.read(token, false, turn));
    }

    fn read(&mut self, token: usize, closed: bool, turn: &mut Turn) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        let reading = connection.read(&mut self.scratch, closed, turn.awake);
        // what came before an end counts
        while let Some(connection) = self.connections.get_mut(&token) {
            let most_bytes = connection.most_bytes();
            let received = match connection.input.next(most_bytes) {
                Ok(None) => break,
                Ok(Some(body)) => frame::decode(body),
                Err(garbled) => Err(garbled),
            };
            if let Err(Garbled(what)) = received.and_then(|received| self.receive(token, received, turn)) {
                return self.drop_garbled(token, what, turn);
            }
        }
        if !matches!(reading, Ok(Reading::Drained | Reading::More)) {
            self.close(token, turn);
        }
    }

    fn receive(&mut self, token: usize, received: Received, turn: &mut Turn) -> Result<(), Garbled> {
        match (self.connections[&token].peer(), received) {
            (None, Received::Hello(hello)) => self.greet(token, &hello, turn),
            (None, _) => return Err(Garbled("something else than a hello")),
            (Some(_), Received::Hello(_)) => return Err(Garbled("a second hello")),
            (Some(_), Received::Pulse) => {}
            (Some(peer), Received::Frame(frame)) => {
                if matches!(&frame, Frame::Raft(message) if message.from != peer.node) {
                    return Err(Garbled("a message of another member"));
                }
                turn.events.push(Event::Frame { from: peer.node, frame });
            }
        }
        Ok(())
    }

    fn greet(&mut self, token: usize, hello: &LinkHello, turn: &mut Turn) {
        let dialed = self.connections[&token].dialed();
        let (peer, purpose) = match self.identity.check(hello, dialed) {
            Ok(known) => known,
            Err(refusal) => {
                let from =
                    self.connections[&token].stream.peer_addr().map_or("?".into(), |address| address.to_string());
                turn.journal.warn_rarely(turn.now, refusal.kind(), || format!("refused a link with {from}: {refusal}"));
                return self.close(token, turn);
            }
        };
        match (purpose, dialed) {
            (Purpose::Lifeline, None) => self.hand_over(token, peer, turn),
            (Purpose::Link, None) if peer.node < self.identity.node => {
                self.close(token, turn);
                self.knocked(peer, turn);
            }
            (Purpose::Link, dialed) if dialed.is_none() == (peer.node > self.identity.node) => {
                self.link(token, peer, turn);
            }
            _ => self.close(token, turn), // an answer that nobody asked for
        }
    }

    fn link(&mut self, token: usize, peer: Peer, turn: &mut Turn) {
        if let Some(older) = self.linked.get(&peer.node) {
            self.close(*older, turn); // the peer would not have dialed again if it were of use
        }
        let connection = self.connections.get_mut(&token).expect("it has just spoken");
        if connection.dialed().is_none() {
            frame::encode_hello(&self.identity.hello(Purpose::Link), connection.output());
        }
        connection.stage = Stage::Greeted(peer);
        self.linked.insert(peer.node, token);
        let Peer { node: peer, incarnation } = peer;
        turn.events.push(Event::LinkUp { peer, incarnation });
        turn.made.push(Made::Output(Output::Contact { peer, up: true, incarnation }));
    }

    /// A lifeline goes to the thread that holds them, with our hello in it, and leaves this table.
    fn hand_over(&mut self, token: usize, peer: Peer, turn: &mut Turn) {
        let Some(mut connection) = self.connections.remove(&token) else { return };
        frame::encode_hello(&self.identity.hello(Purpose::Lifeline), connection.output());
        if connection.flush(turn.awake).is_err() || !connection.output().is_empty() {
            return; // gone already: a new socket takes a hello
        }
        // epoll watches the connection, not the number: without this it would go on telling of the thread's copy
        let _ = self.registry.deregister(&mut connection.stream);
        if let Err(error) = self.hand_over.give(peer.node, &connection.stream) {
            let text = || format!("the lifeline of member {} cannot be kept: {error}", peer.node);
            turn.journal.warn_rarely(turn.now, "hand over", text);
        }
    }

    /// A member that is dialed from here has just started, or cannot reach this one.
    fn knocked(&mut self, peer: Peer, turn: &mut Turn) {
        if let Some(token) = self.linked.get(&peer.node) {
            if self.connections[token].peer() == Some(peer) {
                return; // of this life there is a link
            }
            self.close(*token, turn);
        }
        self.dial_at.insert(peer.node, turn.awake);
    }

    // -- ends --------------------------------------------------------------------------------------------------------

    fn drop_garbled(&mut self, token: usize, what: &str, turn: &mut Turn) {
        let Some(connection) = self.connections.get(&token) else { return };
        match connection.peer() {
            Some(peer) => self.drop_link(peer.node, what, turn),
            None => {
                turn.journal.warn_rarely(turn.now, "garbled", || format!("ended a connection that sent {what}"));
                self.close(token, turn);
            }
        }
    }

    /// What came over the link of this peer is not what a member says. It is tried again, but not at once.
    pub fn drop_link(&mut self, peer: NodeId, why: &str, turn: &mut Turn) {
        turn.journal.warn_rarely(turn.now, "garbled", || format!("ended the link with member {peer}: {why}"));
        if let Some(token) = self.linked.get(&peer) {
            self.close(*token, turn);
        }
        if let Some(at) = self.dial_at.get_mut(&peer) {
            *at = turn.awake + self.timing.silence;
        }
    }

    /// The process of this peer has ended. What it said before counts: it is read first.
    pub fn ended(&mut self, peer: Peer, turn: &mut Turn) {
        let Some(token) = self.linked.get(&peer.node).copied() else { return };
        if self.connections[&token].peer() == Some(peer) {
            self.read(token, false, turn);
            self.close(token, turn);
        }
    }

    pub(super) fn close(&mut self, token: usize, turn: &mut Turn) {
        let Some(mut connection) = self.connections.remove(&token) else { return };
        let _ = self.registry.deregister(&mut connection.stream); // it is closed behind this
        let Some(Peer { node: peer, incarnation }) = connection.peer() else { return };
        self.linked.remove(&peer);
        turn.events.push(Event::LinkLost { peer });
        turn.made.push(Made::Output(Output::Contact { peer, up: false, incarnation }));
    }

    /// True: ends all links and accepts none. False: that is over.
    pub fn isolate(&mut self, isolated: bool, turn: &mut Turn) {
        self.isolated = isolated;
        if isolated {
            let all: Vec<_> = self.connections.keys().copied().collect();
            all.into_iter().for_each(|token| self.close(token, turn));
        }
    }

    /// One write for each connection that has something to say.
    pub fn flush(&mut self, turn: &mut Turn) {
        let broken =
            |(token, connection): (&usize, &mut Connection)| connection.flush(turn.awake).is_err().then_some(*token);
        let broken: Vec<_> = self.connections.iter_mut().filter_map(broken).collect();
        broken.into_iter().for_each(|token| self.close(token, turn));
    }

    /// Something was left unread.
    pub fn has_unread(&self) -> bool {
        self.connections.values().any(|connection| connection.unread)
    }
}
