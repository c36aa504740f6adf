//! Who may talk to this member. A hello is compared with what is configured here, never believed.

use std::fmt;

use tinysns_member::NodeId;
use tinysns_wire::link_hello::Purpose;
use tinysns_wire::LinkHello;

/// Of the frames. Members with another one are refused: an upgrade that changes it stops all members first.
pub const FORMAT: u32 = 1;

/// What this member says of itself, and whom it knows.
#[derive(Clone, Debug)]
pub struct Identity {
    pub cluster_id: String,
    pub node: NodeId,
    pub incarnation: u64,
    /// All members, this one too.
    pub members: Vec<NodeId>,
}

/// A peer that said who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    pub node: NodeId,
    pub incarnation: u64,
}

/// Why a connection is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    OtherCluster(String),
    OtherFormat {
        node: NodeId,
        format: u32,
    },
    Stranger(NodeId),
    /// The member that was dialed is not the one that answers.
    Impostor {
        dialed: NodeId,
        answers: NodeId,
    },
}

impl Refusal {
    /// Of those of one kind, one in a while is told.
    pub fn kind(&self) -> &'static str {
        match self {
            Refusal::OtherCluster(_) => "other cluster",
            Refusal::OtherFormat { .. } => "other format",
            Refusal::Stranger(_) => "stranger",
            Refusal::Impostor { .. } => "impostor",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::OtherCluster(id) => {
                write!(f, "it belongs to cluster '{id}'; two clusters share an address, or a host was founded twice")
            }
            Refusal::OtherFormat { node, format } => {
                write!(f, "member {node} speaks format {format}, this one {FORMAT}; bring both to one release")
            }
            Refusal::Stranger(node) => write!(f, "member {node} is not among the peers that are configured here"),
            Refusal::Impostor { dialed, answers } => {
                write!(f, "member {answers} answers where {dialed} was dialed; check the addresses of the peers")
            }
        }
    }
}

impl Identity {
    pub fn hello(&self, purpose: Purpose) -> LinkHello {
        LinkHello {
            cluster_id: self.cluster_id.clone(),
            node: self.node,
            incarnation: self.incarnation,
            format: FORMAT,
            purpose: purpose.into(),
        }
    }

    /// Whether whoever says this may go on. `dialed`: whom this side dialed, if it did.
    pub fn check(&self, hello: &LinkHello, dialed: Option<NodeId>) -> Result<(Peer, Purpose), Refusal> {
        let node = hello.node;
        if hello.cluster_id != self.cluster_id {
            let shown = hello.cluster_id.chars().filter(|c| !c.is_control()).take(64).collect();
            return Err(Refusal::OtherCluster(shown));
        }
        if hello.format != FORMAT {
            return Err(Refusal::OtherFormat { node, format: hello.format });
        }
        if node == self.node || !self.members.contains(&node) {
            return Err(Refusal::Stranger(node));
        }
        if let Some(dialed) = dialed.filter(|dialed| *dialed != node) {
            return Err(Refusal::Impostor { dialed, answers: node });
        }
        Ok((Peer { node, incarnation: hello.incarnation }, hello.purpose()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(node: NodeId) -> Identity {
        Identity { cluster_id: "ours".into(), node, incarnation: 5, members: vec![1, 2, 3] }
    }

    #[test]
    fn members_of_one_cluster_know_each_other() {
        let hello = identity(2).hello(Purpose::Lifeline);
        let peer = Peer { node: 2, incarnation: 5 };
        assert_eq!(identity(1).check(&hello, None), Ok((peer, Purpose::Lifeline)));
        assert_eq!(identity(1).check(&hello, Some(2)), Ok((peer, Purpose::Lifeline)));
    }

    #[test]
    fn whoever_is_not_one_is_refused() {
        let hello = || identity(2).hello(Purpose::Link);
        let refused = |hello: LinkHello, dialed| identity(1).check(&hello, dialed).expect_err("refused");
        let other = LinkHello { cluster_id: "the\nirs".into(), ..hello() };
        assert_eq!(refused(other, None), Refusal::OtherCluster("theirs".into()));
        assert_eq!(refused(LinkHello { format: 2, ..hello() }, None), Refusal::OtherFormat { node: 2, format: 2 });
        assert_eq!(refused(LinkHello { node: 4, ..hello() }, None), Refusal::Stranger(4));
        assert_eq!(refused(LinkHello { node: 1, ..hello() }, None), Refusal::Stranger(1));
        assert_eq!(refused(hello(), Some(3)), Refusal::Impostor { dialed: 3, answers: 2 });
    }
}
