//! Mistakes made on purpose, around the members and not in them: a simulator that does not find them finds nothing.

use std::time::Duration;

use raft::eraftpb::{Message, MessageType};
use tinysns_member::{Event, Frame, NodeId};

use crate::host::{Host, Process};
use crate::plan::Plan;
use crate::state::State;
use crate::world::World;

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// The log thread says that a write is on disk when it begins with it.
    AckBeforeFsync,
    /// A disk forgets for whom its member voted, and in which term.
    VoteForgotten,
    /// A read is answered from whatever the member has applied.
    ReadWithoutQuorum,
    /// A leader answers reads from its own state without asking a quorum whether it still leads.
    StaleLeaderReads,
    /// Of proposals that are forwarded, a later one sometimes overtakes an earlier one.
    Overtaking,
    /// A leader counts what it has sent to a follower as acknowledged.
    CommitBeforeQuorum,
    /// A disk loses entries that it had fsynced, and the state machine falls back with it, so that nobody notices.
    LostTail,
}

impl Bug {
    /// All of them, with their names on the command line.
    pub const ALL: [(&'static str, Bug); 7] = [
        ("ack-before-fsync", Bug::AckBeforeFsync),
        ("vote-forgotten", Bug::VoteForgotten),
        ("read-without-quorum", Bug::ReadWithoutQuorum),
        ("stale-leader-reads", Bug::StaleLeaderReads),
        ("overtaking", Bug::Overtaking),
        ("commit-before-quorum", Bug::CommitBeforeQuorum),
        ("lost-tail", Bug::LostTail),
    ];

    /// The bug of this name.
    pub fn named(name: &str) -> Option<Bug> {
        Bug::ALL.iter().find(|(its_name, _)| *its_name == name).map(|(_, bug)| *bug)
    }

    /// A run in which the mistake can have consequences.
    pub(crate) fn prepare(bug: Option<Bug>, plan: &mut Plan) {
        if bug == Some(Bug::LostTail) {
            plan.compact_every = Duration::from_secs(1000); // what is lost can be replayed only if it is in the log
        }
    }

    /// What the disk holds when the member is opened.
    pub(crate) fn before_start(bug: Option<Bug>, host: &mut Host) {
        if bug == Some(Bug::VoteForgotten) && host.lives > 0 {
            let mut platter = host.disk.platter();
            let last = platter.last();
            (platter.hard.vote, platter.hard.term) = (0, platter.term(last).unwrap_or(0));
        }
    }

    /// What the disk holds when the process is gone.
    pub(crate) fn after_crash(bug: Option<Bug>, host: &mut Host) {
        if bug != Some(Bug::LostTail) {
            return;
        }
        let mut platter = host.disk.platter();
        let kept = if platter.base.index == 1 { 1 } else { host.checkpoint.position.max(platter.point.index) };
        let most = platter.last().saturating_sub(kept);
        let lost = host.rng.between(0, most.min(20)) as usize;
        platter.lose_tail(lost);
        if host.checkpoint.position > platter.last() {
            host.checkpoint = State::default(); // it replays all of the log, which begins with an empty state
        }
    }

    /// Whether this process answers a read without its member.
    pub(crate) fn answers_at_once(bug: Option<Bug>, process: &Process) -> bool {
        match bug {
            Some(Bug::ReadWithoutQuorum) => true,
            Some(Bug::StaleLeaderReads) => process.view.leads(),
            _ => false,
        }
    }

    /// What leaves instead of this frame.
    pub(crate) fn on_send(world: &mut World, from: NodeId, to: NodeId, frame: Frame) -> Vec<Frame> {
        match (world.bug, frame) {
            (Some(Bug::Overtaking), Frame::Forward { term, mut items }) => {
                if items.len() > 1 && world.rng.chance(0.3) {
                    items.swap(0, 1);
                }
                vec![Frame::Forward { term, items }]
            }
            (Some(Bug::CommitBeforeQuorum), Frame::Raft(message)) => {
                if let Some(forged) = acknowledgement_of(&message) {
                    let now = world.now + Duration::from_micros(10);
                    world.tell(from, Event::Frame { from: to, frame: Frame::Raft(forged) });
                    let life = world.hosts[&from].lives;
                    world.wake(from, life, now);
                }
                vec![Frame::Raft(message)]
            }
            (_, frame) => vec![frame],
        }
    }
}

fn acknowledgement_of(message: &Message) -> Option<Message> {
    if message.get_msg_type() != MessageType::MsgAppend {
        return None;
    }
    let index = message.entries.last()?.index;
    let mut forged = Message { from: message.to, to: message.from, term: message.term, index, ..Message::default() };
    forged.set_msg_type(MessageType::MsgAppendResponse);
    Some(forged)
}
