//! Links are dialed, kept alive and given up.
//!
//! The member with the greater number dials, so that there is one link for each pair. One with a smaller number that has
//! just been started knocks: it sends its hello, which the other one takes for a reason to dial at once.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use tinysns_member::NodeId;

use super::connection::{Connection, Stage};
use super::frame;
use super::greeting::Peer;
use super::links::Links;
use crate::turn::Turn;

impl Links {
    /// Behind the reading of a turn: ends what is silent or late, dials who is missing, keeps quiet links alive.
    pub fn clock(&mut self, turn: &mut Turn) {
        let awake = turn.awake;
        let over = |connection: &Connection| match connection.stage {
            Stage::Greeted(_) => !connection.unread && awake >= connection.heard + self.timing.silence,
            Stage::Dialing { deadline, .. } | Stage::Unknown { deadline, .. } => awake >= deadline,
        };
        let ended: Vec<_> = self.connections.iter().filter(|(_, c)| over(c)).map(|(token, _)| *token).collect();
        for token in ended {
            if let Some(Peer { node, .. }) = self.connections[&token].peer() {
                let silence = self.timing.silence;
                let text = || format!("no word from member {node} for {silence:?}: its link is made anew");
                turn.journal.warn_rarely(turn.now, "silence", text);
            }
            self.close(token, turn);
        }
        if !self.isolated {
            self.dial(turn);
        }
        self.pulse(awake);
    }

    fn dial(&mut self, turn: &mut Turn) {
        let due: Vec<_> = self.dial_at.iter().filter(|(_, at)| turn.awake >= **at).map(|(peer, _)| *peer).collect();
        for peer in due {
            let busy = self.linked.contains_key(&peer) || self.connections.values().any(|c| c.dialed() == Some(peer));
            if !busy {
                self.dial_at.insert(peer, turn.awake + self.timing.redial);
                self.connect(peer, turn);
            }
        }
    }

    /// At the start: asks those who dial this member to do it now.
    pub fn knock(&mut self, turn: &mut Turn) {
        let greater: Vec<_> = self.addresses.range(self.identity.node + 1..).map(|(peer, _)| *peer).collect();
        greater.into_iter().for_each(|peer| self.connect(peer, turn));
    }

    fn connect(&mut self, to: NodeId, turn: &mut Turn) {
        if let Ok(stream) = TcpStream::connect(self.addresses[&to]) {
            self.add(stream, Stage::Dialing { to, deadline: turn.awake + self.timing.connect }, turn);
        }
    }

    /// When one link needs a pulse, those get one that will soon, so that a quiet member wakes once for all.
    fn pulse(&mut self, awake: Duration) {
        let pulse = self.timing.pulse;
        let mut links = self.connections.values().filter(|connection| connection.peer().is_some());
        if links.any(|link| awake >= link.spoke + pulse) {
            for link in self.connections.values_mut().filter(|connection| connection.peer().is_some()) {
                if awake >= link.spoke + pulse / 2 {
                    frame::encode_pulse(link.output());
                }
            }
        }
    }

    /// When (awake) `clock` wants to be called at the latest.
    pub fn deadline(&self) -> Option<Duration> {
        let of_connection = |connection: &Connection| match connection.stage {
            Stage::Greeted(_) => (connection.heard + self.timing.silence).min(connection.spoke + self.timing.pulse),
            Stage::Dialing { deadline, .. } | Stage::Unknown { deadline, .. } => deadline,
        };
        let missing = |(peer, at): (&NodeId, &Duration)| {
            let busy = self.linked.contains_key(peer) || self.connections.values().any(|c| c.dialed() == Some(*peer));
            (!self.isolated && !busy).then_some(*at)
        };
        self.connections.values().map(of_connection).chain(self.dial_at.iter().filter_map(missing)).min()
    }
}

/// Opens the port that links come in by.
pub fn listen(address: SocketAddr, registry: &Registry, token: Token) -> io::Result<TcpListener> {
    let mut listener = TcpListener::bind(address)?;
    registry.register(&mut listener, token, Interest::READABLE)?;
    Ok(listener)
}
