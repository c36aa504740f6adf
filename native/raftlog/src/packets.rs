//! Packets: what travels between members. A packet is length-delimited raft messages for one peer, in order.

use protobuf::Message as _;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use raft::eraftpb::Message;

/// `(peer, packet)`; one packet per peer.
pub type Packets = Vec<(u64, Py<PyBytes>)>;

/// Joins messages per receiver, so that each gets one write on its stream.
pub fn pack(py: Python<'_>, messages: Vec<Message>) -> Packets {
    let mut per_peer: Vec<(u64, Vec<u8>)> = Vec::new();
    for message in messages {
        let place = per_peer
            .iter()
            .position(|(peer, _)| *peer == message.to)
            .unwrap_or_else(|| {
                per_peer.push((message.to, Vec::new()));
                per_peer.len() - 1
            });
        message
            .write_length_delimited_to_vec(&mut per_peer[place].1)
            .expect("a raft message can always be encoded");
    }
    per_peer
        .into_iter()
        .map(|(peer, packet)| (peer, PyBytes::new(py, &packet).unbind()))
        .collect()
}

/// The messages of a packet, all of them or none.
pub fn unpack(packet: &[u8]) -> Result<Vec<Message>, String> {
    let mut rest = packet;
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let body = length_delimited(&mut rest).ok_or("garbled packet: cut off")?;
        if !is_flat(Shape::Message, body) {
            return Err("garbled packet: not a raft message".into());
        }
        messages.push(Message::parse_from_bytes(body).map_err(|error| format!("garbled packet: {error}"))?);
    }
    Ok(messages)
}

/// The messages of raft's protocol, as far as they hold others.
#[derive(Clone, Copy)]
pub enum Shape {
    Message,
    Snapshot,
    SnapshotMetadata,
    ConfChangeV2,
    Leaf,
}

impl Shape {
    /// What a length-delimited field holds; None for bytes, packed numbers and unknown fields. Numbers: eraftpb.proto.
    fn field(self, number: u64) -> Option<Shape> {
        match (self, number) {
            (Shape::Message, 7) => Some(Shape::Leaf), // entries
            (Shape::Message, 9) => Some(Shape::Snapshot),
            (Shape::Snapshot, 2) => Some(Shape::SnapshotMetadata),
            (Shape::SnapshotMetadata, 1) => Some(Shape::Leaf), // members
            (Shape::ConfChangeV2, 2) => Some(Shape::Leaf),     // changes
            _ => None,
        }
    }
}

/// Whether these bytes are free of protobuf groups, wherever the parser would look for them. Raft's messages have none,
/// and the parser of protobuf 2 calls itself for every level of nested groups until the stack ends (RUSTSEC-2024-0437).
pub fn is_flat(shape: Shape, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let Some(tag) = varint(&mut bytes) else { return false };
        let skipped = match tag & 7 {
            0 => varint(&mut bytes).map(|_| true),
            1 => take(&mut bytes, 8).map(|_| true),
            5 => take(&mut bytes, 4).map(|_| true),
            2 => {
                length_delimited(&mut bytes).map(|body| shape.field(tag >> 3).is_none_or(|shape| is_flat(shape, body)))
            }
            _ => None, // 3 and 4 begin and end a group
        };
        if skipped != Some(true) {
            return false;
        }
    }
    true
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for position in 0..10 {
        let byte = *take(bytes, 1)?.first()?;
        value |= u64::from(byte & 0x7f).checked_shl(7 * position)?;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn length_delimited<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(varint(bytes)?).ok()?;
    take(bytes, length)
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, tail) = bytes.split_at_checked(count)?;
    *bytes = tail;
    Some(head)
}
