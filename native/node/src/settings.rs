//! How a node is started, and why it may not be.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tinysns_member::{Limits, NodeId, Ticket, Timing, Unusable};

/// How a node is started.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Folder of the log.
    pub path: PathBuf,
    pub node: NodeId,
    /// Where links from other members come in.
    pub listen: SocketAddr,
    /// All members, this one included, in the order of succession, and where links to them go.
    pub peers: Vec<(NodeId, SocketAddr)>,
    pub cluster_id: String,
    /// Greater with each start of this member.
    pub incarnation: u64,
    /// What the state machine has applied.
    pub applied: u64,
    /// Where the copy stood from which the state began; 0 if it began empty.
    pub installed: u64,
    /// With less free space than this the member follows but does not lead.
    pub reserve_bytes: u64,
    /// A leader whose owner has not asked for events for so long hands over.
    pub stuck: Duration,
    pub timing: Timing,
    pub limits: Limits,
    /// Size of one file of the log.
    pub file_mb: u64,
    /// Files are given back when the log is larger than this.
    pub keep_mb: u64,
}

impl Settings {
    /// Err: a sentence about the first thing that cannot work.
    pub fn validate(&self) -> Result<(), String> {
        if self.node == 0 || self.peers.iter().any(|(node, _)| *node == 0) {
            return Err("members are numbered from 1".into());
        }
        if !self.peers.iter().any(|(node, _)| *node == self.node) {
            return Err(format!("member {} is not among its peers", self.node));
        }
        let mut nodes: Vec<_> = self.peers.iter().map(|(node, _)| *node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        if nodes.len() != self.peers.len() {
            return Err("a member is among the peers twice".into());
        }
        if self.incarnation == 0 || self.incarnation > u64::from(u32::MAX) {
            return Err("an incarnation is a number from 1 to 2^32 - 1".into());
        }
        if self.file_mb == 0 || self.keep_mb < self.file_mb {
            return Err("keep_mb must not be less than file_mb, nor file_mb 0".into());
        }
        self.timing.validate()
    }

    /// Before the first ticket of this life: greater than all of earlier ones.
    pub(crate) fn first_ticket(&self) -> Ticket {
        self.incarnation << 32
    }
}

/// Durations by the names that `Timing` gives them; the others keep their defaults. Err: the name that is none.
pub fn timing<'a>(durations: impl IntoIterator<Item = (&'a str, Duration)>) -> Result<Timing, String> {
    let mut timing = Timing::default();
    for (name, duration) in durations {
        *duration_named(&mut timing, name).ok_or_else(|| format!("there is no duration '{name}'"))? = duration;
    }
    Ok(timing)
}

fn duration_named<'a>(timing: &'a mut Timing, name: &str) -> Option<&'a mut Duration> {
    // taken apart without `..`: one that is missing here does not compile
    macro_rules! named {
        ($($field:ident)*) => {{
            let Timing { $($field),* } = timing;
            match name { $(stringify!($field) => Some($field),)* _ => None }
        }};
    }
    named!(tick heartbeat election election_per_rank pulse silence redial connect succession succession_per_rank
           quick_fsync ask_again ask_again_most gather disk_stall isolate transfer_again)
}

/// Why a node did not start. str is a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartError {
    /// These settings cannot work.
    Invalid(String),
    /// The log, or log and state together, cannot be used as they are: the member must not vote.
    Unusable(String),
    /// Another process, or another node of this one, has the log open.
    InUse(String),
    /// The address of the links cannot be had.
    CannotListen(String),
    /// The operating system gave no thread or descriptor.
    NoResources(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (StartError::Invalid(sentence)
        | StartError::Unusable(sentence)
        | StartError::InUse(sentence)
        | StartError::CannotListen(sentence)
        | StartError::NoResources(sentence)) = self;
        f.write_str(sentence)
    }
}

impl std::error::Error for StartError {}

impl From<Unusable> for StartError {
    fn from(Unusable(sentence): Unusable) -> StartError {
        StartError::Unusable(sentence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_set_by_name() {
        let ours = timing([("pulse", Duration::from_millis(7))]).expect("there is one");
        assert_eq!(ours, Timing { pulse: Duration::from_millis(7), ..Timing::default() });
        assert_eq!(timing([("puls", Duration::ZERO)]), Err("there is no duration 'puls'".into()));
    }
}
