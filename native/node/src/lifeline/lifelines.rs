//! The end of the lifelines that waits: one to each peer with a link.

use std::collections::{BTreeMap, HashMap};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use tinysns_member::NodeId;
use tinysns_wire::link_hello::Purpose;

use crate::link::frame::{self, FrameReader, Received, HELLO_BYTES};
use crate::link::greeting::{Identity, Peer};
use crate::link::links::TOKEN_STEP;

/// See the module. Times are of `AwakeTime`.
pub struct Lifelines {
    registry: Registry,
    redial: Duration,
    lines: HashMap<usize, Line>,
    dial_at: BTreeMap<NodeId, Duration>,
    next_token: usize,
}

struct Line {
    stream: TcpStream,
    peer: NodeId,
    asked: bool,
    input: FrameReader,
    /// Whose end it will tell.
    named: Option<Peer>,
}

impl Lifelines {
    pub fn new(registry: Registry, redial: Duration) -> Lifelines {
        Lifelines { registry, redial, lines: HashMap::new(), dial_at: BTreeMap::new(), next_token: 1 }
    }

    /// Whether this is the token of one, or was.
    pub fn owns(token: usize) -> bool {
        token % TOKEN_STEP == 1
    }

    /// Dials the linked peers that have none, and forgets those that are linked no more.
    pub fn clock(&mut self, linked: &[(Peer, SocketAddr)], awake: Duration) {
        self.lines.retain(|_, line| linked.iter().any(|(peer, _)| peer.node == line.peer));
        self.dial_at.retain(|node, _| linked.iter().any(|(peer, _)| peer.node == *node));
        for (peer, address) in linked {
            let due = self.dial_at.get(&peer.node).is_none_or(|at| awake >= *at);
            if due && !self.lines.values().any(|line| line.peer == peer.node) {
                self.dial_at.insert(peer.node, awake + self.redial);
                self.dial(peer.node, *address);
            }
        }
    }

    /// When (awake) `clock` wants to be called at the latest.
    pub fn deadline(&self) -> Option<Duration> {
        let missing = |(node, _): &(&NodeId, &Duration)| !self.lines.values().any(|line| line.peer == **node);
        self.dial_at.iter().filter(missing).map(|(_, at)| *at).min()
    }

    fn dial(&mut self, peer: NodeId, address: SocketAddr) {
        let Ok(mut stream) = TcpStream::connect(address) else { return };
        let token = self.next_token;
        let interest = Interest::READABLE | Interest::WRITABLE;
        if self.registry.register(&mut stream, Token(token), interest).is_ok() {
            self.next_token += TOKEN_STEP;
            self.lines.insert(token, Line { stream, peer, asked: false, input: FrameReader::default(), named: None });
        }
    }

    /// The kernel has something to tell of this one. Some: it has ended, and the process that this peer was with it.
    pub fn ready(&mut self, token: usize, identity: &Identity) -> Option<Peer> {
        let line = self.lines.get_mut(&token)?;
        if line.goes_on(identity) {
            return None;
        }
        self.lines.remove(&token).and_then(|line| line.named)
    }
}

impl Line {
    /// False: it has ended, or is none.
    fn goes_on(&mut self, identity: &Identity) -> bool {
        if !self.asked {
            match self.stream.peer_addr() {
                Err(error) => return error.kind() == ErrorKind::NotConnected && self.is_connecting(),
                Ok(_) => {
                    let mut hello = Vec::new();
                    frame::encode_hello(&identity.hello(Purpose::Lifeline), &mut hello);
                    self.asked = true;
                    if !self.stream.write(&hello).is_ok_and(|count| count == hello.len()) {
                        return false; // a new socket takes a hello whole
                    }
                }
            }
        }
        let mut bytes = [0; HELLO_BYTES];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return false,
                Ok(count) => {
                    self.input.push(&bytes[..count]);
                    if !self.take_hello(identity) {
                        return false;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
    }

    fn is_connecting(&self) -> bool {
        matches!(self.stream.take_error(), Ok(None))
    }

    /// The hello is all that comes. False: something else did.
    fn take_hello(&mut self, identity: &Identity) -> bool {
        let hello = match self.input.next(HELLO_BYTES).map(|body| body.map(frame::decode)) {
            Ok(None) => return true,
            Ok(Some(Ok(Received::Hello(hello)))) if self.named.is_none() => hello,
            _ => return false,
        };
        self.named = identity.check(&hello, Some(self.peer)).ok().map(|(peer, _)| peer);
        self.named.is_some()
    }
}
