//! A model of the state machine: sessions, and which write of each was executed last (src/tinysns/domain/writes.py).

use std::collections::BTreeMap;

use tinysns_member::Committed;

use crate::entry::{commands, digest, Proposed};

/// What came of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Executed now.
    Done,
    /// It was executed before.
    Retry,
    /// One before it is missing: not executed.
    Gap {
        /// The number that the session takes next.
        expected: u64,
    },
}

/// The state at one position of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The last index that was applied.
    pub position: u64,
    /// What all executed commands were, in order.
    pub digest: u64,
    last: BTreeMap<u64, u64>,
}

impl State {
    /// Nothing was written yet, up to this position.
    pub fn empty_at(position: u64) -> State {
        State { position, ..State::default() }
    }

    /// Applies the next entry; says what came of each command. Err: it is not the next one, or no entry.
    pub fn apply(&mut self, entry: &Committed) -> Result<Vec<(Proposed, Outcome)>, String> {
        if entry.index != self.position + 1 {
            return Err(format!("entry {} is applied to a state at {}", entry.index, self.position));
        }
        self.position = entry.index;
        if entry.data.is_empty() {
            return Ok(Vec::new());
        }
        let judged = commands(&entry.data)?.into_iter().map(|proposed| {
            let command = proposed.command;
            let last = self.last.entry(command.session).or_default();
            let outcome = match command.number {
                number if number <= *last => Outcome::Retry,
                number if number == *last + 1 => {
                    *last = number;
                    self.digest = digest(self.digest, &command.session.to_le_bytes());
                    self.digest = digest(self.digest, &number.to_le_bytes());
                    Outcome::Done
                }
                _ => Outcome::Gap { expected: *last + 1 },
            };
            (proposed, outcome)
        });
        Ok(judged.collect())
    }

    /// The last write of this session that was executed; 0 if none was.
    pub fn last(&self, session: u64) -> u64 {
        self.last.get(&session).copied().unwrap_or(0)
    }
}
