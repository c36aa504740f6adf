//! Seeds: any of them holds, each replays to the byte, and mistakes made on purpose are found.

use tinysns_sim::planted::Bug;
use tinysns_sim::run::{run, Options, Report};

#[test]
fn some_seeds_hold() {
    for seed in 1_000_000..1_000_200 {
        let report = run(seed, &Options::default(), false);
        assert_eq!(report.violation, None, "seed {seed}: target/sim/sim replay {seed}");
    }
}

#[test]
fn a_seed_replays_to_the_byte() {
    for seed in 0..12 {
        let text = |Report { trace, .. }: Report| trace.join("\n");
        let options = Options::default();
        let (first, again) = (run(seed, &options, true), run(seed, &options, true));
        assert!(first.trace.len() > 1000);
        assert_eq!(text(first), text(again), "seed {seed}");
    }
}

#[test]
fn a_trace_changes_nothing() {
    for seed in 0..12 {
        let (told, silent) = (run(seed, &Options::default(), true), run(seed, &Options::default(), false));
        assert_eq!((told.happened, told.committed), (silent.happened, silent.committed), "seed {seed}");
    }
}

/// Each of the mistakes is found within so many seeds: by the check that is for it, and, where it has consequences that
/// others see, with that check switched off.
const FOUND_WITHIN: [(Bug, u64, Option<u64>); 7] = [
    (Bug::AckBeforeFsync, 10, Some(300)),
    (Bug::VoteForgotten, 20, Some(3000)),
    (Bug::ReadWithoutQuorum, 10, None),
    (Bug::StaleLeaderReads, 100, None),
    (Bug::Overtaking, 30, None),
    (Bug::CommitBeforeQuorum, 10, Some(300)),
    (Bug::LostTail, 30, Some(300)),
];

fn found(bug: Bug, only_consequences: bool, within: u64) -> bool {
    let options = Options { bug: Some(bug), only_consequences, ..Options::default() };
    (0..within).any(|seed| run(seed, &options, false).violation.is_some())
}

#[test]
fn mistakes_are_found_by_their_checks() {
    for (bug, within, _) in FOUND_WITHIN {
        assert!(found(bug, false, within), "{bug:?} is not found by {within} seeds");
    }
}

#[test]
fn mistakes_are_found_by_their_consequences() {
    for (bug, _, within) in FOUND_WITHIN {
        if let Some(within) = within {
            assert!(found(bug, true, within), "{bug:?} has no consequences in {within} seeds");
        }
    }
}
