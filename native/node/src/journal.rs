//! What the node's threads have to say to people: collected during a turn, and told at a bounded rate.

use std::collections::HashMap;
use std::time::Duration;

use crate::outbox::{Made, Output};

/// Of one kind, a note is told so often at most.
const PAUSE: Duration = Duration::from_secs(10);

/// See the module. Times are of the monotonic clock.
#[derive(Default)]
pub struct Journal {
    notes: Vec<Made>,
    kinds: HashMap<&'static str, Kind>,
}

struct Kind {
    told: Duration,
    untold: usize,
}

impl Journal {
    pub fn note(&mut self, text: String) {
        self.notes.push(Made::Output(Output::Note { text, warning: false }));
    }

    pub fn warn(&mut self, text: String) {
        self.notes.push(Made::Output(Output::Note { text, warning: true }));
    }

    /// What somebody else can cause as often as they like: at most one of a kind in a while, and then how many it were.
    pub fn warn_rarely(&mut self, now: Duration, kind: &'static str, text: impl FnOnce() -> String) {
        let text = match self.kinds.get_mut(kind) {
            Some(known) if now < known.told + PAUSE => {
                known.untold += 1;
                return;
            }
            Some(known) if known.untold > 0 => format!("{} (and {} times before)", text(), known.untold),
            _ => text(),
        };
        self.kinds.insert(kind, Kind { told: now, untold: 0 });
        self.warn(text);
    }

    /// What was noted since the last time.
    pub fn take(&mut self) -> Vec<Made> {
        std::mem::take(&mut self.notes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_repeats_is_told_once_in_a_while() {
        let mut journal = Journal::default();
        for second in 0..12 {
            journal.warn_rarely(Duration::from_secs(second), "stranger", || format!("at {second}"));
        }
        journal.warn_rarely(Duration::from_secs(3), "other", || "another".into());
        let note = |text: &str| Made::Output(Output::Note { text: text.into(), warning: true });
        assert_eq!(journal.take(), [note("at 0"), note("at 10 (and 9 times before)"), note("another")]);
        assert_eq!(journal.take(), []);
    }
}
