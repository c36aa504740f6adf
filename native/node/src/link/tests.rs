//! Links over real sockets: who gets one, what ends it, who hears of it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};
use raft::eraftpb::Message;
use tinysns_member::{Event, Frame, NodeId, Timing};
use tinysns_wire::link_hello::Purpose;
use tinysns_wire::LinkHello;

use super::frame::{self, FrameReader, Received, FRAME_BYTES};
use super::greeting::{Identity, Peer};
use super::links::Links;
use super::listen;
use crate::clock;
use crate::lifeline::holder;
use crate::outbox::{Made, Output};
use crate::turn::Turn;

const LISTENER: Token = Token(usize::MAX);
const PATIENCE: Duration = Duration::from_secs(10);

/// A member's links without a member. Its time stands still but where a test moves it.
struct Side {
    poll: Poll,
    links: Links,
    turn: Turn,
    address: SocketAddr,
    _holder: holder::Holder,
}

fn identity(node: NodeId, incarnation: u64) -> Identity {
    Identity { cluster_id: "ours".into(), node, incarnation, members: vec![1, 2, 3] }
}

impl Side {
    fn new(node: NodeId, incarnation: u64, peers: &[(NodeId, SocketAddr)]) -> Side {
        let poll = Poll::new().expect("there is epoll");
        let any = "127.0.0.1:0".parse().expect("an address");
        let listener = listen(any, poll.registry(), LISTENER).expect("there are ports");
        let address = listener.local_addr().expect("it listens");
        let registry = poll.registry().try_clone().expect("there are descriptors");
        let (hand_over, holder) = holder::pair().expect("there are sockets");
        let addresses: BTreeMap<_, _> = peers.iter().copied().collect();
        let identity = identity(node, incarnation);
        let links = Links::new(identity, Timing::default(), addresses, registry, listener, hand_over);
        Side { poll, links, turn: Turn::starting(clock::monotonic()), address, _holder: holder }
    }

    fn spin(&mut self) {
        let mut events = Events::with_capacity(16);
        self.poll.poll(&mut events, Some(Duration::from_millis(1))).expect("it works");
        for event in &events {
            match event.token() {
                LISTENER => self.links.accept(&mut self.turn),
                Token(token) => {
                    self.links.ready(token, event.is_read_closed() || event.is_error(), &mut self.turn);
                }
            }
        }
        self.links.clock(&mut self.turn);
        self.links.flush(&mut self.turn);
    }

    fn pass(&mut self, time: Duration) {
        self.turn.now += time;
        self.turn.awake += time;
        self.spin();
    }

    fn linked(&self) -> Vec<(NodeId, u64)> {
        self.links.linked().map(|peer| (peer.node, peer.incarnation)).collect()
    }

    fn notes(&mut self) -> Vec<String> {
        let text = |made| match made {
            Made::Output(Output::Note { text, .. }) => text,
            other => panic!("{other:?}"),
        };
        self.turn.journal.take().into_iter().map(text).collect()
    }

    fn events(&mut self) -> Vec<String> {
        self.turn.events.drain(..).map(|event| format!("{event:?}")).collect()
    }
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
    }
}

/// A peer that says whatever a test wants.
struct Raw {
    stream: TcpStream,
    reader: FrameReader,
}

impl Raw {
    fn dial(side: &Side) -> Raw {
        let stream = TcpStream::connect(side.address).expect("it listens");
        stream.set_nonblocking(true).expect("it can be");
        Raw { stream, reader: FrameReader::default() }
    }

    fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("there is room");
    }

    fn hello(&mut self, hello: &LinkHello) {
        let mut bytes = vec![];
        frame::encode_hello(hello, &mut bytes);
        self.say(&bytes);
    }

    fn greeted(side: &mut Side, node: NodeId, incarnation: u64) -> Raw {
        let mut raw = Raw::dial(side);
        raw.hello(&identity(node, incarnation).hello(Purpose::Link));
        until("a link", || {
            side.spin();
            side.linked().contains(&(node, incarnation))
        });
        raw
    }

    /// True: the other side has closed it.
    fn is_closed(&mut self) -> bool {
        let mut bytes = [0; 4096];
        match self.stream.read(&mut bytes) {
            Ok(0) => true,
            Ok(count) => {
                self.reader.push(&bytes[..count]);
                false
            }
            Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }

    fn expect_refusal(mut self, side: &mut Side) {
        until("refused", || {
            side.spin();
            self.is_closed()
        });
        assert_eq!(side.linked(), []);
        assert!(side.turn.events.is_empty());
    }
}

fn spin_all(sides: &mut [&mut Side]) {
    sides.iter_mut().for_each(|side| side.spin());
}

#[test]
fn the_greater_one_dials_and_both_have_a_link() {
    let mut one = Side::new(1, 10, &[]);
    let mut two = Side::new(2, 20, &[(1, one.address)]);
    until("linked", || {
        spin_all(&mut [&mut one, &mut two]);
        one.linked() == [(2, 20)] && two.linked() == [(1, 10)]
    });
    let message = Message { from: 2, to: 1, term: 3, ..Message::default() };
    two.links.send(1, &Frame::Raft(message.clone()));
    two.links.send(3, &Frame::Raft(message.clone())); // there is none
    until("heard", || {
        spin_all(&mut [&mut one, &mut two]);
        one.turn.events.len() == 2
    });
    assert!(matches!(&one.turn.events[0], Event::LinkUp { peer: 2, incarnation: 20 }));
    assert!(matches!(&one.turn.events[1], Event::Frame { from: 2, frame: Frame::Raft(heard) } if *heard == message));
    drop(two);
    until("lost", || {
        one.spin();
        one.linked().is_empty()
    });
    assert!(matches!(one.turn.events[2..], [Event::LinkLost { peer: 2 }]));
    let contact = |up| Made::Output(Output::Contact { peer: 2, up, incarnation: 20 });
    assert_eq!(one.turn.made, [contact(true), contact(false)]);
}

#[test]
fn a_smaller_one_that_has_just_started_is_dialed_at_once() {
    let mut one = Side::new(1, 10, &[]);
    let mut two = Side::new(2, 20, &[(1, one.address)]);
    until("linked", || {
        spin_all(&mut [&mut one, &mut two]);
        two.linked() == [(1, 10)]
    });
    // it starts again, at the same address for the sake of the test only by way of a relay of hellos
    let mut raw = Raw::dial(&two);
    raw.hello(&identity(1, 10).hello(Purpose::Link));
    raw.is_closed();
    until("nothing happens", || {
        spin_all(&mut [&mut one, &mut two]);
        raw.is_closed()
    });
    assert_eq!(two.linked(), [(1, 10)]);
    two.turn.events.clear();
    let mut raw = Raw::dial(&two);
    raw.hello(&identity(1, 11).hello(Purpose::Link));
    until("a new link", || {
        spin_all(&mut [&mut one, &mut two]);
        two.turn.events.len() == 2
    });
    assert_eq!(two.events(), ["LinkLost { peer: 1 }", "LinkUp { peer: 1, incarnation: 10 }"]);
}

#[test]
fn strangers_other_clusters_and_other_formats_are_refused() {
    let mut side = Side::new(1, 10, &[]);
    let ours = identity(2, 1).hello(Purpose::Link);
    let wrong = [
        LinkHello { node: 9, ..ours.clone() },
        LinkHello { cluster_id: "theirs".into(), ..ours.clone() },
        LinkHello { format: 77, ..ours.clone() },
        LinkHello { node: 1, ..ours.clone() },
    ];
    for hello in wrong {
        let mut raw = Raw::dial(&side);
        raw.hello(&hello);
        raw.expect_refusal(&mut side);
    }
    let notes = side.notes();
    assert_eq!(notes.len(), 3, "{notes:?}"); // of strangers one in a while
    assert!(notes[0].contains("member 9 is not among the peers"), "{notes:?}");
    assert!(notes[1].contains("it belongs to cluster 'theirs'"), "{notes:?}");
    assert!(notes[2].contains("member 2 speaks format 77, this one 1"), "{notes:?}");
}

#[test]
fn nothing_is_heard_before_a_hello() {
    let mut side = Side::new(1, 10, &[]);
    let mut pulse = vec![];
    frame::encode_pulse(&mut pulse);
    let long = 5000u32.to_le_bytes();
    for bytes in [&pulse[..], &long, b"GET / HTTP/1.1\r\n\r\n"] {
        let mut raw = Raw::dial(&side);
        raw.say(bytes);
        raw.expect_refusal(&mut side);
    }
    let mut silent = Raw::dial(&side);
    side.spin();
    side.pass(Timing::default().connect - Duration::from_millis(1));
    assert!(!silent.is_closed());
    side.turn.awake += Duration::from_millis(2);
    silent.expect_refusal(&mut side);
}

#[test]
fn many_that_say_nothing_do_not_keep_members_out_for_long() {
    let mut side = Side::new(1, 10, &[]);
    let crowd: Vec<_> = (0..80).map(|_| Raw::dial(&side)).collect();
    (0..20).for_each(|_| side.spin());
    side.pass(Timing::default().connect);
    Raw::greeted(&mut side, 2, 1);
    drop(crowd);
}

#[test]
fn a_newer_connection_of_a_peer_replaces_the_older_one() {
    let mut side = Side::new(1, 10, &[]);
    let mut older = Raw::greeted(&mut side, 2, 5);
    let mut newer = Raw::greeted(&mut side, 2, 6);
    until("closed", || older.is_closed());
    assert!(!newer.is_closed());
    let expected = ["LinkUp { peer: 2, incarnation: 5 }", "LinkLost { peer: 2 }", "LinkUp { peer: 2, incarnation: 6 }"];
    assert_eq!(side.events(), expected);
}

#[test]
fn garbled_frames_end_the_link_and_nothing_else() {
    let mut side = Side::new(1, 10, &[]);
    let mut other = Raw::greeted(&mut side, 3, 1);
    let mut of_another = vec![];
    frame::encode(&Frame::Raft(Message { from: 3, to: 1, term: 1, ..Message::default() }), &mut of_another);
    let too_long = (FRAME_BYTES as u32 + 1).to_le_bytes();
    let garbled: [&[u8]; 4] = [&[3, 0, 0, 0, 0xff, 0xff, 0xff], &[0, 0, 0, 0], &of_another, &too_long];
    for (incarnation, bytes) in (1..).zip(garbled) {
        let mut raw = Raw::greeted(&mut side, 2, incarnation);
        raw.say(bytes);
        until("ended", || {
            side.spin();
            raw.is_closed()
        });
        assert_eq!(side.linked(), [(3, 1)]);
    }
    assert!(!other.is_closed());
    assert_eq!(side.notes(), ["ended the link with member 2: a frame that cannot be read"]);
}

#[test]
fn a_silent_link_ends_but_only_when_somebody_listened() {
    let mut side = Side::new(1, 10, &[]);
    let mut raw = Raw::greeted(&mut side, 2, 1);
    let silence = Timing::default().silence;
    // the clock goes on without this member having been awake: nothing is judged
    side.turn.now += silence * 10;
    side.spin();
    assert_eq!(side.linked(), [(2, 1)]);
    side.pass(silence - Duration::from_millis(1));
    let mut pulse = vec![];
    frame::encode_pulse(&mut pulse);
    raw.say(&pulse);
    std::thread::sleep(Duration::from_millis(50)); // it is there when the socket is read, in the turn that would judge
    side.pass(Duration::from_millis(1));
    assert_eq!(side.linked(), [(2, 1)]);
    side.pass(silence);
    assert_eq!(side.linked(), []);
    until("closed", || raw.is_closed());
}

#[test]
fn what_a_peer_said_before_its_end_counts() {
    let mut side = Side::new(1, 10, &[]);
    let mut raw = Raw::greeted(&mut side, 2, 5);
    side.turn.events.clear();
    let mut bytes = vec![];
    frame::encode(&Frame::Raft(Message { from: 2, to: 1, term: 9, ..Message::default() }), &mut bytes);
    raw.say(&bytes);
    std::thread::sleep(Duration::from_millis(50));
    side.links.ended(Peer { node: 2, incarnation: 4 }, &mut side.turn); // of another life
    assert_eq!(side.linked(), [(2, 5)]);
    side.links.ended(Peer { node: 2, incarnation: 5 }, &mut side.turn);
    assert!(matches!(side.turn.events[..], [Event::Frame { from: 2, .. }, Event::LinkLost { peer: 2 }]));
}

#[test]
fn a_quiet_link_is_kept_alive() {
    let mut side = Side::new(1, 10, &[]);
    let mut raw = Raw::greeted(&mut side, 2, 1);
    until("the hello", || !raw.is_closed() && matches!(raw.reader.next(FRAME_BYTES), Ok(Some(_))));
    assert_eq!(side.links.deadline(), Some(side.turn.awake + Timing::default().pulse));
    side.pass(Timing::default().pulse);
    until("a pulse", || {
        assert!(!raw.is_closed());
        let body = raw.reader.next(FRAME_BYTES).expect("it is short");
        body.is_some_and(|body| frame::decode(body) == Ok(Received::Pulse))
    });
}

#[test]
fn an_isolated_member_looks_dead_until_that_is_over() {
    let mut side = Side::new(1, 10, &[]);
    let mut raw = Raw::greeted(&mut side, 2, 1);
    side.links.isolate(true, &mut side.turn);
    until("ended", || raw.is_closed());
    let mut again = Raw::dial(&side);
    again.hello(&identity(2, 1).hello(Purpose::Link));
    until("refused", || {
        side.spin();
        again.is_closed()
    });
    side.links.isolate(false, &mut side.turn);
    Raw::greeted(&mut side, 2, 1);
}

#[test]
fn a_peer_that_takes_nothing_loses_its_link() {
    let mut side = Side::new(1, 10, &[]);
    let mut raw = Raw::greeted(&mut side, 2, 1);
    let megabyte = Frame::Raft(Message { from: 1, to: 2, context: vec![7; 1 << 20].into(), ..Message::default() });
    for _ in 0..80 {
        side.links.send(2, &megabyte);
        side.links.flush(&mut side.turn);
    }
    assert_eq!(side.linked(), []);
    until("ended", || raw.is_closed());
}
