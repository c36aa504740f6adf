//! The IO around one consensus member (../member): what it decides, these threads do.
//!
//! ```text
//!   Python  -- inbox -->  event loop  -- jobs -->  log thread        the only one that waits for the disk
//!   Python  <- outbox --  (member)    <- inbox --  log thread
//!                           |     \-- hand over --> lifeline thread   holds what ends first when the process is killed
//!                         links to the peers
//! ```
//!
//! No thread waits for Python. What they judge by time (a silent peer, a stalled disk, a Python that does not come) they
//! judge by notes of those concerned, and only while they were running themselves.

mod clock;
mod disk;
mod event_loop;
mod inbox;
mod journal;
mod lifeline;
mod link;
mod node;
mod outbox;
mod published;
mod settings;
mod threads;
mod turn;
mod wake;

pub use disk::log::FSYNC;
pub use disk::space::Space;
pub use inbox::Overloaded;
pub use node::{found, Counters, Node, COMMAND_BYTES};
pub use outbox::{DiskState, Health, Output};
pub use settings::{timing, Settings, StartError};
pub use tinysns_member::{Change, Limits, NodeId, Role, Status, Ticket, Timing, View};

#[cfg(test)]
mod tests;
