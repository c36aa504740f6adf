"""One member of the consensus group: network, clock and disk around the raftlog extension."""
