//! One TCP connection: bytes in, bytes out, never waiting.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use mio::net::TcpStream;
use tinysns_member::NodeId;

use super::frame::{FrameReader, FRAME_BYTES, HELLO_BYTES};
use super::greeting::Peer;

/// A peer that takes so much less than it is sent is better off with a new connection, from the newest on.
const UNSENT_BYTES: usize = 64 << 20;
/// What one connection may bring in one turn; the others wait no longer than that.
const READ_BYTES: usize = 4 << 20;

/// Where a connection stands. Times are of `AwakeTime`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The kernel is still connecting to this peer.
    Dialing { to: NodeId, deadline: Duration },
    /// Waiting for the hello; from this peer, if this side dialed.
    Unknown { dialed: Option<NodeId>, deadline: Duration },
    /// A link.
    Greeted(Peer),
}

/// What reading has brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Reading {
    /// All that is there.
    Drained,
    /// More is there: again in the next turn.
    More,
    /// The peer has closed it.
    Ended,
}

/// See the module.
pub struct Connection {
    pub stream: TcpStream,
    pub stage: Stage,
    pub input: FrameReader,
    output: Vec<u8>,
    sent: usize,
    /// When the last bytes came, and when the last ones went out.
    pub heard: Duration,
    pub spoke: Duration,
    /// There is something to read that the kernel will not tell again.
    pub unread: bool,
}

impl Connection {
    pub fn new(stream: TcpStream, stage: Stage, awake: Duration) -> Connection {
        Connection {
            stream,
            stage,
            input: FrameReader::default(),
            output: Vec::new(),
            sent: 0,
            heard: awake,
            spoke: awake,
            unread: false,
        }
    }

    /// The peer, once it is known for sure.
    pub fn peer(&self) -> Option<Peer> {
        match self.stage {
            Stage::Greeted(peer) => Some(peer),
            _ => None,
        }
    }

    /// Whom this side dials or dialed; None once it is greeted, and for what came in.
    pub fn dialed(&self) -> Option<NodeId> {
        match self.stage {
            Stage::Dialing { to, .. } => Some(to),
            Stage::Unknown { dialed, .. } => dialed,
            Stage::Greeted(_) => None,
        }
    }

    /// Of a frame that may come now.
    pub fn most_bytes(&self) -> usize {
        match self.stage {
            Stage::Greeted(_) => FRAME_BYTES,
            _ => HELLO_BYTES,
        }
    }

    /// Whether the kernel has connected it by now. Err: it never will.
    pub fn is_connected(&mut self) -> io::Result<bool> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match self.stream.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads what is there, by way of a buffer that all connections share. `closed`: the kernel says that the end is
    /// there, so a short read is not the last one.
    pub fn read(&mut self, scratch: &mut [u8], closed: bool, awake: Duration) -> io::Result<Reading> {
        self.unread = false;
        let mut total = 0;
        loop {
            match self.stream.read(scratch) {
                Ok(0) => return Ok(Reading::Ended),
                Ok(count) => {
                    self.heard = awake;
                    self.input.push(&scratch[..count]);
                    total += count;
                    if count < scratch.len() && !closed {
                        return Ok(Reading::Drained);
                    }
                    if total >= READ_BYTES {
                        self.unread = true;
                        return Ok(Reading::More);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Reading::Drained),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The buffer to append frames to; `flush` sends it.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Writes as much as the socket takes. Err: the connection is of no use any more.
    pub fn flush(&mut self, awake: Duration) -> io::Result<()> {
        if self.output.is_empty() || matches!(self.stage, Stage::Dialing { .. }) {
            return Ok(());
        }
        self.spoke = awake;
        while self.sent < self.output.len() {
            match self.stream.write(&self.output[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return self.keep_unsent(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.output.clear();
        self.output.shrink_to(READ_BYTES);
        self.sent = 0;
        Ok(())
    }

    fn keep_unsent(&mut self) -> io::Result<()> {
        if self.sent > self.output.len() / 2 {
            self.output.drain(..self.sent);
            self.sent = 0;
        }
        if self.output.len() - self.sent > UNSENT_BYTES {
            return Err(io::Error::other("it takes too little of what it is sent"));
        }
        Ok(())
    }
}
