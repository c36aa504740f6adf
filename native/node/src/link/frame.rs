//! Frames on a connection: a length (4 bytes, little endian) and a `LinkFrame` (proto/tinysns/wire/v1/link.proto).

use bytes::Bytes;
use prost::encoding::{encode_key, encode_varint, WireType};
use prost::Message as _;
use protobuf::Message as _;
use raft::eraftpb::Message;
use tinysns_member::{Frame, Item, LogEnd};
use tinysns_wire::{self as wire, link_frame};

use super::screen;

/// raft fills messages up to 1 MiB and then adds one entry; Forward frames are smaller (member: limits.rs).
pub const FRAME_BYTES: usize = 4 << 20;
/// Before a hello nobody is known, and nothing but a hello is due.
pub const HELLO_BYTES: usize = 1 << 10;

const LENGTH_BYTES: usize = 4;
/// Of `LinkFrame::raft`.
const RAFT_TAG: u32 = 2;

/// What came over a connection.
#[derive(Debug, PartialEq)]
pub enum Received {
    Hello(wire::LinkHello),
    Frame(Frame),
    /// Nothing but that the peer lives.
    Pulse,
}

/// What came is not what a member says: the connection ends. str says what it was.
#[derive(Debug, PartialEq, Eq)]
pub struct Garbled(pub &'static str);

/// Appends a frame for the member's side of the link.
pub fn encode(frame: &Frame, out: &mut Vec<u8>) {
    match frame {
        Frame::Raft(message) => framed(out, |out| {
            encode_key(RAFT_TAG, WireType::LengthDelimited, out);
            encode_varint(u64::from(message.compute_size()), out);
            message.write_to_vec(out).expect("a message has all it needs, and a vector takes it");
        }),
        Frame::Forward { term, items } => {
            let item = |item: &Item| wire::Item {
                origin: item.origin,
                ticket: item.ticket,
                command: item.command.clone(), // counts a reference
            };
            let items = items.iter().map(item).collect();
            encode_wire(link_frame::Frame::Forward(wire::LinkForward { term: *term, items }), out);
        }
        Frame::LogEnd(LogEnd { lost_leader, lost_term, last_term, last_index }) => {
            let (lost_leader, lost_term) = (*lost_leader, *lost_term);
            let (last_term, last_index) = (*last_term, *last_index);
            let end = wire::LinkLogEnd { lost_leader, lost_term, last_term, last_index };
            encode_wire(link_frame::Frame::LogEnd(end), out);
        }
    }
}

pub fn encode_hello(hello: &wire::LinkHello, out: &mut Vec<u8>) {
    encode_wire(link_frame::Frame::Hello(hello.clone()), out);
}

pub fn encode_pulse(out: &mut Vec<u8>) {
    encode_wire(link_frame::Frame::Pulse(wire::LinkPulse {}), out);
}

fn encode_wire(frame: link_frame::Frame, out: &mut Vec<u8>) {
    framed(out, |out| wire::LinkFrame { frame: Some(frame) }.encode_raw(out));
}

fn framed(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    body(out);
    let length = u32::try_from(out.len() - start - LENGTH_BYTES).expect("the member bounds its frames");
    out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
}

/// Reads the body of a frame. What it holds is copied: a slice would keep the whole buffer that it came in.
pub fn decode(body: &[u8]) -> Result<Received, Garbled> {
    let frame = wire::LinkFrame::decode(body).map_err(|_| Garbled("a frame that cannot be read"))?;
    match frame.frame.ok_or(Garbled("an empty frame"))? {
        link_frame::Frame::Hello(hello) => Ok(Received::Hello(hello)),
        link_frame::Frame::Raft(bytes) => Ok(Received::Frame(Frame::Raft(raft_message(&bytes)?))),
        link_frame::Frame::Forward(wire::LinkForward { term, items }) => {
            let item = |wire::Item { origin, ticket, command }| Item { origin, ticket, command };
            Ok(Received::Frame(Frame::Forward { term, items: items.into_iter().map(item).collect() }))
        }
        link_frame::Frame::LogEnd(wire::LinkLogEnd { lost_leader, lost_term, last_term, last_index }) => {
            Ok(Received::Frame(Frame::LogEnd(LogEnd { lost_leader, lost_term, last_term, last_index })))
        }
        link_frame::Frame::Pulse(_) => Ok(Received::Pulse),
    }
}

fn raft_message(bytes: &Bytes) -> Result<Message, Garbled> {
    screen::check_message(bytes)?;
    Message::parse_from_bytes(bytes).map_err(|_| Garbled("a raft message that cannot be read"))
}

/// Cuts what comes in into frames, wherever the network has cut it.
#[derive(Default)]
pub struct FrameReader {
    buffer: Vec<u8>,
    start: usize,
}

impl FrameReader {
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        } else if self.start > self.buffer.len() / 2 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The body of the next frame that is complete; one of more than `most_bytes` is an error.
    pub fn next(&mut self, most_bytes: usize) -> Result<Option<&[u8]>, Garbled> {
        let waiting = &self.buffer[self.start..];
        let Some((length, rest)) = waiting.split_first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let length = u32::from_le_bytes(*length) as usize;
        if length > most_bytes {
            return Err(Garbled("a frame that is too long"));
        }
        if rest.len() < length {
            return Ok(None);
        }
        let body = self.start + LENGTH_BYTES;
        self.start = body + length;
        Ok(Some(&self.buffer[body..body + length]))
    }
}

#[cfg(test)]
mod tests {
    use raft::eraftpb::{Entry, MessageType};

    use super::*;

    fn append() -> Message {
        let mut message = Message { to: 2, from: 1, term: 7, index: 40, commit: 39, ..Message::default() };
        message.set_msg_type(MessageType::MsgAppend);
        let entry = |index| Entry { term: 7, index, data: vec![index as u8; 300].into(), ..Entry::default() };
        message.set_entries((41..44).map(entry).collect::<Vec<_>>().into());
        message
    }

    fn frames() -> Vec<Frame> {
        let item = |ticket| Item { origin: 3, ticket, command: Bytes::from_static(b"command") };
        vec![
            Frame::Raft(append()),
            Frame::Forward { term: 7, items: vec![item(1), item(2)] },
            Frame::LogEnd(LogEnd { lost_leader: 1, lost_term: 7, last_term: 7, last_index: 43 }),
            Frame::Raft(Message::default()),
        ]
    }

    fn read_all(reader: &mut FrameReader) -> Vec<Received> {
        let mut received = vec![];
        while let Some(body) = reader.next(FRAME_BYTES).expect("no frame is too long") {
            received.push(decode(body).expect("it can be read"));
        }
        received
    }

    #[test]
    fn frames_survive_being_cut_anywhere() {
        let mut bytes = vec![];
        frames().iter().for_each(|frame| encode(frame, &mut bytes));
        encode_pulse(&mut bytes);
        let mut expected: Vec<_> = frames().into_iter().map(Received::Frame).collect();
        expected.push(Received::Pulse);
        for cut in 0..=bytes.len() {
            let mut reader = FrameReader::default();
            reader.push(&bytes[..cut]);
            let mut received = read_all(&mut reader);
            reader.push(&bytes[cut..]);
            received.extend(read_all(&mut reader));
            assert_eq!(received, expected, "cut at {cut}");
        }
        let mut reader = FrameReader::default();
        let mut received = vec![];
        for byte in bytes.chunks(1) {
            reader.push(byte);
            received.extend(read_all(&mut reader));
        }
        assert_eq!(received, expected);
    }

    #[test]
    fn what_is_too_long_is_refused_before_it_is_there() {
        let mut reader = FrameReader::default();
        reader.push(&(HELLO_BYTES as u32 + 1).to_le_bytes());
        assert_eq!(reader.next(HELLO_BYTES), Err(Garbled("a frame that is too long")));
        assert_eq!(reader.next(FRAME_BYTES), Ok(None));
    }

    #[test]
    fn every_flipped_bit_is_a_frame_or_an_error() {
        for frame in frames() {
            let mut bytes = vec![];
            encode(&frame, &mut bytes);
            let body = &mut bytes[LENGTH_BYTES..];
            for bit in 0..body.len() * 8 {
                body[bit / 8] ^= 1 << (bit % 8);
                let _ = decode(body); // neither panics nor overflows the stack
                body[bit / 8] ^= 1 << (bit % 8);
            }
            for end in 0..body.len() {
                let _ = decode(&body[..end]);
            }
        }
    }

    #[test]
    fn an_empty_frame_is_none() {
        assert_eq!(decode(&[]), Err(Garbled("an empty frame")));
    }
}
