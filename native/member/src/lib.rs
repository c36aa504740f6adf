//! One member of a consensus group, as rules only. Events go in, actions come out; there is no clock, socket, file, thread
//! or chance in here, so that a simulator can drive it through every order of things and replay each (../sim).
//!
//! ```text
//!   links, clock, log thread, Python          one turn of the driver
//!            |  Event                              member.step(now, events) -> actions
//!            v
//!      [ member.rs ]  raft-rs inside; order of persist, send and apply
//!       |     |    |
//!  succession reads proposals                 who campaigns / read index / own clients' writes
//!            |  Action
//!            v
//!   log thread, links, Python
//! ```
//!
//! The consensus algorithm is TiKV's raft-rs. What is ours: who campaigns and when, how a proposal finds its way through
//! changes of leader, when a read is asked again, what a bad disk means, what is refused.

mod archive;
mod event;
mod failover;
mod flights;
mod limits;
mod member;
mod memberships;
mod proposals;
mod reads;
mod screen;
mod store;
mod succession;
mod timing;
mod turn;

pub use archive::{Archive, Records, Unusable};
pub use event::{
    Action, Change, Committed, Compaction, Disk, Event, Frame, Item, LogEnd, NodeId, Now, Role, Status, Ticket, View,
    Write,
};
pub use limits::Limits;
pub use member::{Member, Opening};
pub use timing::Timing;
