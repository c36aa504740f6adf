//! What is in a log entry: commands of numbered writes in sessions, and changes of membership.

use bytes::Bytes;
use prost::Message as _;
use protobuf::Message as _;
use raft::eraftpb::{ConfChange, ConfChangeSingle, ConfChangeV2, Entry, EntryType};
use tinysns_member::NodeId;
use tinysns_wire as wire;

/// A write as its client names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Command {
    /// The client's session.
    pub session: u64,
    /// Its number there, from 1.
    pub number: u64,
}

impl Command {
    /// As bytes, with some more behind it.
    pub fn encode(self, padding: usize) -> Bytes {
        let mut bytes = Vec::with_capacity(16 + padding);
        bytes.extend_from_slice(&self.session.to_le_bytes());
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.resize(16 + padding, 0x5a);
        bytes.into()
    }

    fn decode(bytes: &[u8]) -> Option<Command> {
        let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        Some(Command { session: number(0)?, number: number(8)? })
    }
}

/// One command of an entry, with the member that took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// The member that took it from a client.
    pub origin: NodeId,
    /// Its name there.
    pub ticket: u64,
    /// The write.
    pub command: Command,
}

/// The commands in an entry's data. Err: it is not what any member proposed.
pub fn commands(data: &Bytes) -> Result<Vec<Proposed>, String> {
    let entry = wire::Entry::decode(data.clone()).map_err(|error| error.to_string())?;
    let proposed = |item: wire::Item| {
        let command = Command::decode(&item.command).ok_or("a command is too short")?;
        Ok(Proposed { origin: item.origin, ticket: item.ticket, command })
    };
    entry.items.into_iter().map(proposed).collect()
}

/// The changes of membership in an entry; none if it is an ordinary one.
pub fn changes(entry: &Entry) -> Vec<ConfChangeSingle> {
    match entry.get_entry_type() {
        EntryType::EntryNormal => Vec::new(),
        EntryType::EntryConfChangeV2 => {
            let change = ConfChangeV2::parse_from_bytes(&entry.data).expect("a member proposed it");
            change.changes.into_iter().collect()
        }
        EntryType::EntryConfChange => {
            let change = ConfChange::parse_from_bytes(&entry.data).expect("a member proposed it");
            let mut single = ConfChangeSingle { node_id: change.node_id, ..ConfChangeSingle::default() };
            single.set_change_type(change.get_change_type());
            vec![single]
        }
    }
}

/// What is handed to the state machine of it: nothing of entries that are raft's own.
pub fn visible(entry: &Entry) -> Bytes {
    match entry.get_entry_type() {
        EntryType::EntryNormal => entry.data.clone(),
        _ => Bytes::new(),
    }
}

/// Its size as raft counts it.
pub fn bytes_of(entry: &Entry) -> usize {
    entry.compute_size() as usize
}

/// A checksum of bytes (FNV-1a).
pub fn digest(start: u64, bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(start ^ 0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// A checksum of all that makes an entry.
pub fn digest_of(entry: &Entry) -> u64 {
    digest(entry.get_entry_type() as u64, &entry.data)
}
