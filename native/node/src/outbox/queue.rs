//! The queue of what is kept for Python, and how it is kept small.

use std::collections::VecDeque;

use bytes::Bytes;
use tinysns_member::Committed;

use super::output::{Made, Output};

/// Notes beyond it are counted only.
const UNTAKEN_NOTES: usize = 256;

/// See the module.
pub struct Queue {
    kept: VecDeque<Kept>,
    /// Of entries in `kept`, and how many may be there.
    bytes: usize,
    most_bytes: usize,
    notes: usize,
    lost_notes: usize,
    /// Counts how often entries that were kept became void.
    pub void: u64,
    /// Python was woken and has not asked since.
    pub signalled: bool,
}

enum Kept {
    Ready(Output),
    /// Committed, and on disk: from and up to these indexes.
    OnDisk {
        low: u64,
        high: u64,
    },
}

/// What comes next.
#[derive(Debug, PartialEq)]
pub enum Next {
    Ready(Output),
    /// Entries that have to be read: from and up to these indexes. They stay in the queue until `have_read`.
    Read {
        low: u64,
        high: u64,
    },
}

impl Queue {
    pub fn new(most_bytes: usize) -> Queue {
        let kept = VecDeque::new();
        Queue { kept, bytes: 0, most_bytes, notes: 0, lost_notes: 0, void: 0, signalled: false }
    }

    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub fn push(&mut self, made: Made) {
        match made {
            Made::Output(output) => self.push_output(output),
            Made::Commit(entry) => self.push_entry(entry),
            Made::ForgetCommitted => {
                self.kept
                    .retain(|kept| matches!(kept, Kept::Ready(output) if !matches!(output, Output::Committed { .. })));
                self.bytes = 0;
                self.void += 1;
            }
        }
    }

    fn push_output(&mut self, output: Output) {
        if matches!(output, Output::Note { .. }) {
            if self.notes >= UNTAKEN_NOTES {
                self.lost_notes += 1;
                return;
            }
            self.notes += 1;
        }
        let older = |kept: &Kept| matches!(kept, Kept::Ready(older) if replaces(&output, older));
        if let Some(at) = self.kept.iter().position(older) {
            self.kept.remove(at);
        }
        self.kept.push_back(Kept::Ready(output));
    }

    /// Raft's own entries move the index only.
    fn push_entry(&mut self, Committed { index, data, .. }: Committed) {
        if let Some(Kept::OnDisk { high, .. }) = self.kept.back_mut() {
            *high = index;
            return;
        }
        let bytes = entry_bytes(&data);
        if self.bytes + bytes > self.most_bytes {
            self.kept.push_back(Kept::OnDisk { low: index, high: index });
            return;
        }
        self.bytes += bytes;
        let entry = (!data.is_empty()).then_some((index, data));
        if let Some(Kept::Ready(Output::Committed { entries, index: end })) = self.kept.back_mut() {
            entries.extend(entry);
            *end = index;
        } else {
            let entries = entry.into_iter().collect();
            self.kept.push_back(Kept::Ready(Output::Committed { entries, index }));
        }
    }

    /// Takes the next one. `room`: for so many bytes of entries; at least one entry comes while there is any.
    pub fn take(&mut self, room: &mut usize) -> Option<Next> {
        if *room == 0 {
            return None;
        }
        match self.kept.pop_front() {
            Some(Kept::OnDisk { low, high }) => {
                self.kept.push_front(Kept::OnDisk { low, high });
                Some(Next::Read { low, high })
            }
            Some(Kept::Ready(Output::Committed { entries, index })) => {
                Some(Next::Ready(self.take_entries(entries, index, room)))
            }
            Some(Kept::Ready(output)) => {
                self.notes -= usize::from(matches!(output, Output::Note { .. }));
                Some(Next::Ready(output))
            }
            None if self.lost_notes > 0 => {
                let lost = std::mem::take(&mut self.lost_notes);
                let text = format!("{lost} more notes were dropped: nobody took them");
                Some(Next::Ready(Output::Note { text, warning: true }))
            }
            None => None,
        }
    }

    /// Cuts a long list where there is no more room for it.
    fn take_entries(&mut self, mut entries: Vec<(u64, Bytes)>, index: u64, room: &mut usize) -> Output {
        let mut count = 0;
        for (_, data) in &entries {
            if *room == 0 {
                break;
            }
            count += 1;
            *room = room.saturating_sub(entry_bytes(data));
            self.bytes -= entry_bytes(data);
        }
        if count == entries.len() {
            return Output::Committed { entries, index };
        }
        let rest = entries.split_off(count);
        let end = entries.last().expect("there was room for one").0;
        self.kept.push_front(Kept::Ready(Output::Committed { entries: rest, index }));
        Output::Committed { entries, index: end }
    }

    /// Of the entries that had to be read, those up to `index` were.
    pub fn have_read(&mut self, index: u64) {
        match self.kept.front_mut() {
            Some(Kept::OnDisk { low, high }) if index < *high => *low = index + 1,
            front => {
                assert!(matches!(front, Some(Kept::OnDisk { .. })), "they stay in front until they were read");
                self.kept.pop_front();
            }
        }
    }

    /// What has to be read never will be.
    pub fn forget_unread(&mut self) {
        self.kept.retain(|kept| matches!(kept, Kept::Ready(_)));
    }
}

/// Of some things only the newest is of interest.
fn replaces(newer: &Output, older: &Output) -> bool {
    match (newer, older) {
        (Output::View(_), Output::View(_)) | (Output::Health(_), Output::Health(_)) => true,
        (Output::Contact { peer, .. }, Output::Contact { peer: other, .. }) => peer == other,
        _ => false,
    }
}

/// What an entry takes in memory, about.
pub fn entry_bytes(data: &Bytes) -> usize {
    if data.is_empty() {
        0
    } else {
        data.len() + 32
    }
}

#[cfg(test)]
mod tests {
    use tinysns_member::View;

    use super::*;

    fn entry(index: u64, size: usize) -> Made {
        Made::Commit(Committed { index, term: 1, data: vec![index as u8; size].into(), own: vec![] })
    }

    fn queue(most_bytes: usize, made: impl IntoIterator<Item = Made>) -> Queue {
        let mut queue = Queue::new(most_bytes);
        made.into_iter().for_each(|made| queue.push(made));
        queue
    }

    fn committed(sizes: &[(u64, usize)], index: u64) -> Option<Next> {
        let entries = sizes.iter().map(|(index, size)| (*index, vec![*index as u8; *size].into())).collect();
        Some(Next::Ready(Output::Committed { entries, index }))
    }

    fn note(text: &str) -> Output {
        Output::Note { text: text.into(), warning: false }
    }

    #[test]
    fn consecutive_entries_come_together_and_those_of_raft_move_the_index_only() {
        let mut queue = queue(1000, [entry(1, 10), entry(2, 0), entry(3, 10), entry(4, 0)]);
        assert_eq!(queue.take(&mut 1000), committed(&[(1, 10), (3, 10)], 4));
        assert_eq!(queue.take(&mut 1000), None);
    }

    #[test]
    fn a_long_list_is_cut_but_never_to_nothing() {
        let mut queue = queue(1000, [entry(1, 68), entry(2, 68), entry(3, 68), entry(4, 0)]);
        let mut room = 150;
        assert_eq!(queue.take(&mut room), committed(&[(1, 68), (2, 68)], 2));
        assert_eq!((room, queue.take(&mut room)), (0, None));
        assert_eq!(queue.take(&mut 1), committed(&[(3, 68)], 4));
        assert!(queue.is_empty());
    }

    #[test]
    fn beyond_the_limit_only_the_range_is_kept() {
        let mut queue = queue(200, (1..=9).map(|index| entry(index, 68)));
        assert_eq!(queue.take(&mut 1000), committed(&[(1, 68), (2, 68)], 2));
        assert_eq!(queue.take(&mut 1000), Some(Next::Read { low: 3, high: 9 }));
        queue.have_read(5);
        queue.push(entry(10, 1)); // behind them, although there would be room
        assert_eq!(queue.take(&mut 1000), Some(Next::Read { low: 6, high: 10 }));
        queue.have_read(10);
        queue.push(entry(11, 1));
        assert_eq!(queue.take(&mut 1000), committed(&[(11, 1)], 11));
        assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn what_came_before_another_state_is_void() {
        let mut queue = queue(150, [entry(1, 68), Made::Output(note("n")), entry(2, 68), Made::ForgetCommitted]);
        assert_eq!((queue.void, queue.bytes), (1, 0));
        queue.push(entry(50, 10));
        assert_eq!(queue.take(&mut 1000), Some(Next::Ready(note("n"))));
        assert_eq!(queue.take(&mut 1000), committed(&[(50, 10)], 50));
    }

    #[test]
    fn of_views_and_contacts_the_newest_counts() {
        let view = |term| Output::View(View { term, ..View::default() });
        let contact = |peer, up| Output::Contact { peer, up, incarnation: 1 };
        let outputs = [view(1), contact(2, true), contact(3, true), contact(2, false), view(2)];
        let mut queue = queue(0, outputs.map(Made::Output));
        let taken = std::iter::from_fn(|| queue.take(&mut 1));
        assert_eq!(taken.collect::<Vec<_>>(), [contact(3, true), contact(2, false), view(2)].map(Next::Ready));
    }

    #[test]
    fn notes_that_nobody_takes_are_counted() {
        let notes = (0..UNTAKEN_NOTES + 5).map(|_| Made::Output(note("n")));
        let mut queue = queue(0, notes);
        let taken: Vec<_> = std::iter::from_fn(|| queue.take(&mut 1)).collect();
        assert_eq!(taken.len(), UNTAKEN_NOTES + 1);
        let last = Output::Note { text: "5 more notes were dropped: nobody took them".into(), warning: true };
        assert_eq!(taken.last(), Some(&Next::Ready(last)));
        assert_eq!(queue.notes, 0);
    }
}
