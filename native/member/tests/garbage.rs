//! Whatever a peer says, it never ends the process.

mod group;

use std::time::Duration;

use bytes::Bytes;
use group::Group;
use protobuf::{Message as _, ProtobufEnum as _};
use raft::eraftpb::{Entry, Message, MessageType};
use tinysns_member::{Event, Frame, Item, LogEnd};

/// splitmix64 (Steele, Lea, Flood 2014): repeatable.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Numbers near what is real, near all limits, and anything.
    fn number(&mut self) -> u64 {
        match self.below(4) {
            0 => self.below(12),
            1 => u64::MAX - self.below(3),
            2 => (1 << 48) - 2 + self.below(4),
            _ => self.next() >> self.below(64),
        }
    }
}

const KINDS: [MessageType; 19] = [
    MessageType::MsgHup,
    MessageType::MsgBeat,
    MessageType::MsgPropose,
    MessageType::MsgAppend,
    MessageType::MsgAppendResponse,
    MessageType::MsgRequestVote,
    MessageType::MsgRequestVoteResponse,
    MessageType::MsgSnapshot,
    MessageType::MsgHeartbeat,
    MessageType::MsgHeartbeatResponse,
    MessageType::MsgUnreachable,
    MessageType::MsgSnapStatus,
    MessageType::MsgCheckQuorum,
    MessageType::MsgTransferLeader,
    MessageType::MsgTimeoutNow,
    MessageType::MsgReadIndex,
    MessageType::MsgReadIndexResp,
    MessageType::MsgRequestPreVote,
    MessageType::MsgRequestPreVoteResponse,
];

fn invented(dice: &mut Dice, from: u64, to: u64) -> Message {
    let mut message = Message { from, to, term: dice.number(), ..Message::default() };
    message.set_msg_type(KINDS[dice.below(19) as usize]);
    (message.index, message.log_term, message.commit) = (dice.number(), dice.number(), dice.number());
    (message.commit_term, message.reject_hint, message.request_snapshot) =
        (dice.number(), dice.number(), if dice.below(3) == 0 { dice.number() } else { 0 });
    message.reject = dice.below(2) == 0;
    message.context = Bytes::from(vec![7; dice.below(30) as usize]);
    for _ in 0..dice.below(3) {
        let mut entry = Entry { index: dice.number(), term: dice.number(), ..Entry::default() };
        entry.data = Bytes::from(vec![9; dice.below(9) as usize]);
        entry.set_entry_type(raft::eraftpb::EntryType::from_i32(dice.below(3) as i32).expect("there are three"));
        message.mut_entries().push(entry);
    }
    message
}

#[test]
fn invented_messages_never_end_a_member() {
    for seed in 0..300 {
        let mut dice = Dice(seed);
        let mut group = Group::led(4);
        group.propose(1, "a");
        group.run();
        for _ in 0..60 {
            let to = 1 + dice.below(4);
            let from = 1 + dice.below(4);
            let message = invented(&mut dice, from, to);
            group.tell(to, Event::Frame { from, frame: Frame::Raft(message) });
            if dice.below(4) == 0 {
                group.pass(Duration::from_millis(dice.below(300)));
            }
        }
        group.run();
    }
}

#[test]
fn damaged_messages_never_end_a_member() {
    for seed in 0..300 {
        let mut dice = Dice(seed);
        let mut group = Group::led(4);
        for round in 0..20 {
            group.propose(1 + dice.below(4), &format!("{round}"));
            for from in 1..=4 {
                for to in 1..=4 {
                    let Some(frame) = group.wires.get_mut(&(from, to)).and_then(|wire| wire.pop_front()) else {
                        continue;
                    };
                    let frame = match frame {
                        Frame::Raft(message) => {
                            let mut bytes = message.write_to_bytes().expect("it can be written");
                            let at = dice.below(bytes.len() as u64) as usize;
                            bytes[at] ^= 1 << dice.below(8);
                            match Message::parse_from_bytes(&bytes) {
                                Ok(damaged) => Frame::Raft(damaged),
                                Err(_) => continue,
                            }
                        }
                        other => other,
                    };
                    group.tell(to, Event::Frame { from, frame });
                }
            }
            for node in 1..=4 {
                group.write_one(node);
            }
        }
        group.pass(Duration::from_millis(100));
    }
}

#[test]
fn invented_frames_of_ours_never_end_a_member() {
    for seed in 0..300 {
        let mut dice = Dice(seed);
        let mut group = Group::led(4);
        for _ in 0..60 {
            let (to, from) = (1 + dice.below(4), 1 + dice.below(4));
            let frame = if dice.below(2) == 0 {
                let said = LogEnd {
                    lost_leader: dice.number(),
                    lost_term: if dice.below(2) == 0 { group.term() } else { dice.number() },
                    last_term: dice.number(),
                    last_index: dice.number(),
                };
                Frame::LogEnd(said)
            } else {
                let item = Item { origin: from, ticket: dice.number(), command: Bytes::from_static(b"x") };
                Frame::Forward { term: group.term(), items: vec![item] }
            };
            group.tell(to, Event::Frame { from, frame });
        }
        group.pass(group.timing.election * 4);
        assert_ne!(group.leader(), 0, "and the group goes on");
    }
}
