//! Packets: what travels between members. A packet is length-delimited raft messages for one peer, in order.

use protobuf::{CodedInputStream, Message as _, ProtobufError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use raft::eraftpb::Message;

/// `(peer, packet)`; one packet per peer.
pub type Packets = Vec<(u64, Py<PyBytes>)>;

/// Joins messages per receiver, so that each gets one write on its stream.
pub fn pack(py: Python<'_>, messages: Vec<Message>) -> Packets {
    let mut per_peer: Vec<(u64, Vec<u8>)> = Vec::new();
    for message in messages {
        let place = per_peer.iter().position(|(peer, _)| *peer == message.to).unwrap_or_else(|| {
            per_peer.push((message.to, Vec::new()));
            per_peer.len() - 1
        });
        message.write_length_delimited_to_vec(&mut per_peer[place].1).expect("a raft message can always be encoded");
    }
    per_peer.into_iter().map(|(peer, packet)| (peer, PyBytes::new(py, &packet).unbind())).collect()
}

/// The messages of a packet, all of them or none. Nested groups, which exhaust the stack of other versions of the parser
/// (RUSTSEC-2024-0437), are an unexpected wire type to this one; a test holds it to that.
pub fn unpack(packet: &[u8]) -> Result<Vec<Message>, ProtobufError> {
    let mut stream = CodedInputStream::from_bytes(packet);
    let mut messages = Vec::new();
    while !stream.eof()? {
        messages.push(stream.read_message()?);
    }
    Ok(messages)
}
