//! What is said must be on disk first: a vote or an acknowledgement that a crash could take back would count twice.

use raft::eraftpb::{Message, MessageType};
use tinysns_member::{Frame, NodeId};

use super::{violated, Checked, Checker};
use crate::agenda::Life;
use crate::disk::Platter;

/// A frame on its way out.
pub struct Said<'a> {
    /// Who says it.
    pub by: NodeId,
    /// In which life.
    pub life: Life,
    /// What.
    pub frame: &'a Frame,
    /// The log of the leader of the message's term with all that it has handed out, if that one lives and leads still.
    pub leaders_log: Option<&'a Platter>,
}

const FIRST: &str = "Nothing is said that a crash could take back: votes and acknowledgements are on disk first.";

impl Checker {
    /// A frame leaves its member.
    pub fn said(&mut self, said: &Said<'_>) -> Checked {
        let Frame::Raft(message) = said.frame else { return Ok(()) };
        if message.from != said.by {
            return violated("A member speaks for itself.", format!("n{} sends as n{}", said.by, message.from));
        }
        if matches!(
            message.get_msg_type(),
            MessageType::MsgAppend | MessageType::MsgHeartbeat | MessageType::MsgSnapshot
        ) {
            self.leads(said.by, said.life, message.term)?;
        }
        if self.only_consequences {
            return Ok(());
        }
        let platter = self.disks[&said.by].platter();
        match message.get_msg_type() {
            MessageType::MsgRequestVoteResponse if !message.reject => vote(said.by, message, &platter),
            MessageType::MsgRequestVote => candidacy(said.by, message, &platter),
            MessageType::MsgAppendResponse if !message.reject => acknowledgement(said, message, &platter),
            MessageType::MsgAppend | MessageType::MsgHeartbeat | MessageType::MsgSnapshot => {
                leadership(said.by, message, &platter)
            }
            _ => Ok(()),
        }
    }
}

/// A leader's own vote in its term is on disk.
fn leadership(by: NodeId, message: &Message, platter: &Platter) -> Checked {
    let hard = &platter.hard;
    if hard.term < message.term || hard.term == message.term && hard.vote != by {
        return violated(
            FIRST,
            format!("n{by} leads in {}; its disk has term {} vote {}", message.term, hard.term, hard.vote),
        );
    }
    Ok(())
}

fn vote(by: NodeId, message: &Message, platter: &Platter) -> Checked {
    let hard = &platter.hard;
    if hard.term > message.term || hard.term == message.term && hard.vote == message.to {
        return Ok(());
    }
    let what = format!("votes for n{} in term {}", message.to, message.term);
    violated(FIRST, format!("n{by} {what}; its disk has term {} vote {}", hard.term, hard.vote))
}

/// Its own vote may still be on its way (it is counted later), but not the log that it asks votes for. Once it has an entry
/// of that term somebody else leads in it, and a request that is late asks for nothing any more.
fn candidacy(by: NodeId, message: &Message, platter: &Platter) -> Checked {
    let over = platter.term(platter.last()).is_some_and(|term| term >= message.term);
    if over || platter.holds(message.index, message.log_term) {
        return Ok(());
    }
    let what = format!("asks for votes for a log up to {} of term {}", message.index, message.log_term);
    violated(FIRST, format!("n{by} {what}; its disk ends at {}", platter.last()))
}

fn acknowledgement(said: &Said<'_>, message: &Message, platter: &Platter) -> Checked {
    let (by, index) = (said.by, message.index);
    if platter.hard.term < message.term {
        return violated(
            FIRST,
            format!("n{by} acknowledges in term {}; its disk has term {}", message.term, platter.hard.term),
        );
    }
    if platter.last() < index {
        return violated(FIRST, format!("n{by} acknowledges {index}; its disk ends at {}", platter.last()));
    }
    let theirs = said.leaders_log.and_then(|log| log.term(index));
    match (theirs, platter.term(index)) {
        (Some(theirs), Some(ours)) if theirs != ours => violated(
            FIRST,
            format!("n{by} acknowledges {index}, of term {theirs} at its leader; its disk has it of term {ours}"),
        ),
        _ => Ok(()),
    }
}
