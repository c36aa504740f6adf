//! How much of everything a member carries. Bytes count commands and a little for each (`Item::bytes`).

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of one log entry's data. A post takes at least 3 bytes, so an entry cannot outgrow the 16 bits that number the
    /// posts in it (tinysns/domain/positions.py).
    pub entry_bytes: usize,
    /// Rounds to the disks that a leader has on their way at once. More is slower (measured).
    pub rounds: usize,
    /// Of one round.
    pub round_bytes: usize,
    /// Own proposals that wait: beyond it clients are refused, definitely and at once.
    pub pending_bytes: usize,
    /// Of those, what is on its way to another leader. With this each member's share of the leader's memory is bounded.
    pub forward_bytes: usize,
    /// Of one Forward frame.
    pub frame_bytes: usize,
    /// Entries on disk that are kept in memory as well, for followers that are just behind.
    pub cache_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            entry_bytes: 128 << 10,
            rounds: 2,
            round_bytes: 4 << 20,
            pending_bytes: 64 << 20,
            forward_bytes: 16 << 20,
            frame_bytes: 256 << 10,
            cache_bytes: 16 << 20,
        }
    }
}
