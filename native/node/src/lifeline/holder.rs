//! The thread that holds the lifelines of the peers.
//!
//! It touches nothing that another thread opens later: in its table such numbers mean nothing, or something else. What it
//! is to hold it gets over a socket pair, which makes descriptors of its own out of those of the sender (SCM_RIGHTS).

use std::collections::HashMap;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::net::{
    recvmsg, sendmsg, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use tinysns_member::NodeId;

/// The event loop's end of the socket pair. When it is dropped, the thread ends.
pub struct HandOver(UnixStream);

impl HandOver {
    /// Gives a peer's lifeline to the thread; the caller closes its own descriptor of it.
    pub fn give(&self, peer: NodeId, stream: &impl AsFd) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut rights = SendAncillaryBuffer::new(&mut space);
        let descriptors = [stream.as_fd()];
        assert!(rights.push(SendAncillaryMessage::ScmRights(&descriptors)), "there is space for one");
        // a stream keeps these few bytes together with their descriptor, and apart from the next
        sendmsg(&self.0, &[IoSlice::new(&peer.to_le_bytes())], &mut rights, SendFlags::NOSIGNAL)?;
        Ok(())
    }
}

/// What the thread begins with.
pub struct Holder {
    poll: Poll,
    incoming: UnixStream,
}

/// Makes both ends. The thread is started with `Holder::run`.
pub fn pair() -> io::Result<(HandOver, Holder)> {
    let (ours, incoming) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    incoming.set_nonblocking(true)?;
    let poll = Poll::new()?;
    poll.registry().register(&mut SourceFd(&incoming.as_raw_fd()), INCOMING, Interest::READABLE)?;
    Ok((HandOver(ours), Holder { poll, incoming }))
}

const INCOMING: Token = Token(usize::MAX);

impl Holder {
    /// Until the other end is dropped. `own_table` is told once whether the kernel gave a table of its own; without one
    /// lifelines end with the other sockets, and are merely of no use.
    pub fn run(mut self, own_table: impl FnOnce(io::Result<()>)) {
        own_table(self.leave_table());
        let mut held: HashMap<NodeId, TcpStream> = HashMap::new();
        let mut events = Events::with_capacity(16);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other.expect("epoll works on what was registered"),
            }
            for event in &events {
                if event.token() != INCOMING {
                    let peer = event.token().0 as NodeId;
                    if held.get_mut(&peer).is_some_and(has_ended) {
                        held.remove(&peer);
                    }
                    continue;
                }
                loop {
                    match self.receive() {
                        Ok(Some((peer, stream))) => self.hold(&mut held, peer, stream),
                        Ok(None) => return,
                        Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                        Err(error) if error.kind() == ErrorKind::Interrupted => {}
                        Err(_) => return,
                    }
                }
            }
        }
    }

    /// A newer one replaces the older one of the same peer.
    fn hold(&self, held: &mut HashMap<NodeId, TcpStream>, peer: NodeId, stream: TcpStream) {
        let Ok(token) = usize::try_from(peer) else { return };
        held.remove(&peer); // closed, and with it no longer watched, before its token is used again
        let watched =
            self.poll.registry().register(&mut SourceFd(&stream.as_raw_fd()), Token(token), Interest::READABLE);
        if watched.is_ok() && stream.set_nonblocking(true).is_ok() {
            held.insert(peer, stream);
        }
    }

    /// The next lifeline; None when the other end is gone.
    fn receive(&self) -> io::Result<Option<(NodeId, TcpStream)>> {
        let mut peer = [0; size_of::<NodeId>()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut rights = RecvAncillaryBuffer::new(&mut space);
        let received =
            recvmsg(&self.incoming, &mut [IoSliceMut::new(&mut peer)], &mut rights, RecvFlags::CMSG_CLOEXEC)?;
        let descriptor = rights.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        });
        Ok(descriptor
            .filter(|_| received.bytes == peer.len())
            .map(|descriptor: OwnedFd| (NodeId::from_le_bytes(peer), TcpStream::from(descriptor))))
    }

    /// Gives the calling thread a descriptor table of its own that holds only 0 to 2 and what is needed here.
    fn leave_table(&self) -> io::Result<()> {
        let mut keep = [self.poll.as_raw_fd(), self.incoming.as_raw_fd()];
        keep.sort_unstable();
        let mut from: RawFd = 3;
        for descriptor in keep {
            if from < descriptor {
                close_own(from, descriptor - 1)?;
            }
            from = descriptor + 1;
        }
        close_own(from, RawFd::MAX)
    }
}

/// Closes these descriptors in the calling thread's table, after it was made its own: the others keep theirs.
fn close_own(first: RawFd, last: RawFd) -> io::Result<()> {
    let (first, last) = (first.unsigned_abs(), last.unsigned_abs());
    // SAFETY: a system call on numbers. What it closes is this thread's copy; the thread owns nothing but what it keeps.
    match unsafe { libc::syscall(libc::SYS_close_range, first, last, libc::CLOSE_RANGE_UNSHARE) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A lifeline says nothing; whatever comes but "nothing yet" is its end.
fn has_ended(stream: &mut TcpStream) -> bool {
    let read = stream.read(&mut [0; 64]);
    match read {
        Ok(_end_or_noise) => true,
        Err(error) => error.kind() != ErrorKind::WouldBlock && error.kind() != ErrorKind::Interrupted,
    }
}
