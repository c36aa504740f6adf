//! What is told of a run. A trace costs much more than the run itself, so it is only made when a seed is replayed.

use std::fmt::Write as _;
use std::time::Duration;

use raft::eraftpb::{Message, MessageType};
use tinysns_member::{Action, Event, Frame, NodeId};

/// Lines of a run, or nothing.
#[derive(Debug, Default)]
pub struct Trace {
    lines: Option<Vec<String>>,
}

impl Trace {
    /// Keeps lines if `on`.
    pub fn new(on: bool) -> Trace {
        Trace { lines: on.then(Vec::new) }
    }

    /// Whether anybody wants lines.
    pub fn is_on(&self) -> bool {
        self.lines.is_some()
    }

    /// Adds a line, which is made only if it is wanted.
    pub fn line(&mut self, now: Duration, make: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>13.6}  {}", now.as_secs_f64() * 1000.0, make()));
        }
    }

    /// All lines.
    pub fn take(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }
}

/// One line of what a member heard.
pub fn event(node: NodeId, event: &Event) -> String {
    match event {
        Event::Frame { from, frame } => format!("n{node} <- n{from}  {}", self::frame(frame)),
        Event::Propose { ticket, command } => format!("n{node} propose {ticket:x} ({} bytes)", command.len()),
        other => format!("n{node} {other:?}"),
    }
}

/// One line of what it wanted to have done.
pub fn action(node: NodeId, action: &Action) -> String {
    match action {
        Action::Send { to, frame } => format!("n{node} -> n{to}  {}", self::frame(frame)),
        Action::Write(write) => {
            let mut line = format!("n{node} write {}", write.order);
            if let Some(hard) = &write.hard {
                let _ = write!(line, " term {} vote {} commit {}", hard.term, hard.vote, hard.commit);
            }
            if let (Some(first), Some(last)) = (write.entries.first(), write.entries.last()) {
                let _ = write!(line, " entries {}..={} of term {}", first.index, last.index, last.term);
            }
            if let Some(start) = &write.restore {
                let _ = write!(line, " restore {}", start.index);
            }
            if let Some(compaction) = &write.compact {
                let _ = write!(line, " compact point {} base {}", compaction.point.index, compaction.base.index);
            }
            line
        }
        Action::Commit(committed) => {
            let own: Vec<String> = committed.own.iter().map(|ticket| format!("{ticket:x}")).collect();
            let (index, term) = (committed.index, committed.term);
            format!("n{node} commit {index} of term {term} ({} bytes) own [{}]", committed.data.len(), own.join(" "))
        }
        other => format!("n{node} {other:?}"),
    }
}

fn frame(frame: &Frame) -> String {
    match frame {
        Frame::Raft(message) => raft_message(message),
        Frame::Forward { term, items } => {
            let tickets: Vec<String> = items.iter().map(|item| format!("{:x}", item.ticket)).collect();
            format!("Forward term {term} [{}]", tickets.join(" "))
        }
        Frame::LogEnd(end) => format!("{end:?}"),
    }
}

fn raft_message(message: &Message) -> String {
    let mut line = format!("{:?} term {}", message.get_msg_type(), message.term);
    if message.reject {
        let _ = write!(line, " REJECT hint {}", message.reject_hint);
    }
    match message.get_msg_type() {
        MessageType::MsgAppend => {
            let (index, log_term, commit) = (message.index, message.log_term, message.commit);
            let _ = write!(line, " behind {index}/{log_term} {} entries commit {commit}", message.entries.len());
        }
        MessageType::MsgSnapshot => {
            let _ = write!(line, " at {}", message.get_snapshot().get_metadata().index);
        }
        _ => {
            let _ = write!(line, " index {}/{} commit {}", message.index, message.log_term, message.commit);
        }
    }
    line
}
