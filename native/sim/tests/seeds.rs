//! Seeds: any of them holds, each replays to the byte, and mistakes made on purpose are found.

use tinysns_sim::check::Violation;
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

/// A mistake, the check that is for it and the seeds within which that one finds it; and the seeds within which others
/// see its consequences with that check switched off, if it can be.
struct Planted {
    bug: Bug,
    invariant: &'static str,
    within: u64,
    consequences_within: Option<u64>,
}

const SAID: &str = "Nothing is said that a crash could take back: votes and acknowledgements are on disk first.";
const READ: &str = "A read sees every write that was acknowledged, and all that any read saw, before it was asked for.";
const ORDER: &str = "No proposal of a member overtakes an earlier one, however often they are sent again.";

/// The first seeds that find them are 0, 0, 1, 2, 0, 0 and 6; 0, 218, 0 and 0 by consequences.
const PLANTED: [Planted; 7] = [
    Planted { bug: Bug::AckBeforeFsync, invariant: SAID, within: 5, consequences_within: Some(50) },
    Planted {
        bug: Bug::VoteForgotten,
        invariant: "Term and vote on disk never go back.",
        within: 20,
        consequences_within: Some(2000),
    },
    Planted { bug: Bug::ReadWithoutQuorum, invariant: READ, within: 10, consequences_within: None },
    Planted { bug: Bug::StaleLeaderReads, invariant: READ, within: 50, consequences_within: None },
    Planted { bug: Bug::Overtaking, invariant: ORDER, within: 20, consequences_within: None },
    Planted {
        bug: Bug::CommitBeforeQuorum,
        invariant: "An entry is committed when a quorum has it on disk.",
        within: 5,
        consequences_within: Some(50),
    },
    Planted {
        bug: Bug::LostTail,
        invariant: "A committed entry is the same at every member.",
        within: 20,
        consequences_within: Some(50),
    },
];

fn found(options: &Options, within: u64, is_it: impl Fn(&Violation) -> bool) -> bool {
    (0..within).any(|seed| run(seed, options, false).violation.is_some_and(|violation| is_it(&violation)))
}

#[test]
fn mistakes_are_found_by_their_checks() {
    for Planted { bug, invariant, within, .. } in PLANTED {
        let options = Options { bug: Some(bug), ..Options::default() };
        let by_its_check = found(&options, within, |violation| violation.invariant == invariant);
        assert!(by_its_check, "{bug:?} is not found by {within} seeds");
    }
}

#[test]
fn mistakes_are_found_by_their_consequences() {
    for Planted { bug, consequences_within, .. } in PLANTED {
        let Some(within) = consequences_within else { continue };
        let options = Options { bug: Some(bug), only_consequences: true, ..Options::default() };
        assert!(found(&options, within, |_| true), "{bug:?} has no consequences in {within} seeds");
    }
}
