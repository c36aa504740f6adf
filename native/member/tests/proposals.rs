//! The way of proposals and reads through changes of leader, term and link.

mod group;

use std::time::Duration;

use bytes::Bytes;
use group::{commands_of, Group};
use tinysns_member::{Event, Frame, Item, NodeId};

const MS: Duration = Duration::from_millis(1);

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{number}")).collect()
}

/// Each only where it was first: what came of proposals that were sent again.
fn first_times(commands: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    commands.into_iter().filter(|command| seen.insert(command.clone())).collect()
}

#[test]
fn a_lone_proposal_waits_for_nothing() {
    for origin in [1, 3] {
        let mut group = Group::led(4);
        let ticket = group.propose(origin, "a");
        group.run(); // no time passes
        for node in 1..=4 {
            assert_eq!(group.commands(node), ["a"], "at {node}");
            let own = group.nodes[&node].committed.iter().filter(|entry| entry.own.contains(&ticket)).count();
            assert_eq!(own, usize::from(node == origin));
        }
    }
}

#[test]
fn nothing_is_committed_before_a_quorum_has_it_on_disk() {
    let mut group = Group::led(4);
    for node in [1, 2, 3] {
        group.nodes.get_mut(&node).expect("it is there").disk_holds = true;
    }
    group.propose(1, "a");
    group.run();
    assert_eq!(group.commands(4), Vec::<String>::new());
    group.write_one(2);
    group.run();
    assert_eq!(group.commands(4), Vec::<String>::new(), "two of four");
    group.write_one(3);
    group.run();
    assert_eq!(group.commands(4), ["a"], "three of four, and none of them the leader");
    assert_eq!(group.commands(1), Vec::<String>::new(), "the leader hands out only what it has itself");
}

#[test]
fn proposals_that_come_while_a_round_is_on_its_way_share_the_next_one() {
    let mut group = Group::led(4);
    group.nodes.get_mut(&1).expect("it is there").disk_holds = true;
    for name in names(10) {
        group.propose(1, &name);
    }
    let first = group.nodes[&1].writes.len();
    assert_eq!(first, 1, "the first one went at once");
    group.nodes.get_mut(&1).expect("it is there").disk_holds = false;
    group.run();
    group.pass(10 * MS);
    let entries = group.nodes[&2].committed.iter().filter(|entry| !entry.data.is_empty());
    assert_eq!(entries.map(|entry| commands_of(&entry.data).len()).collect::<Vec<_>>(), [1, 9]);
}

#[test]
fn everything_pending_is_proposed_again_in_order_when_the_leader_dies() {
    for doomed_writes in 0..3 {
        let mut group = Group::led(4);
        group.nodes.get_mut(&1).expect("it is there").disk_holds = true;
        for name in names(20) {
            group.propose(3, &name);
            if group.nodes[&1].writes.len() < doomed_writes {
                group.run();
            }
        }
        group.kill(1);
        group.pass(50 * MS);
        for node in 2..=4 {
            assert_eq!(first_times(group.commands(node)), names(20), "at {node}");
        }
        assert_eq!(group.nodes[&3].member.status().pending, 0);
    }
}

#[test]
fn a_proposal_without_a_leader_waits_for_one() {
    let mut group = Group::of(4);
    group.propose(4, "early");
    group.pass(group.timing.election * 3);
    assert_eq!(group.commands(1), ["early"]);
}

#[test]
fn what_a_broken_link_swallowed_is_sent_again_over_the_next_one() {
    let mut group = Group::led(4);
    group.propose(3, "swallowed");
    group.cut_link(1, 3);
    group.propose(3, "later");
    group.run();
    assert_eq!(group.commands(2), Vec::<String>::new());
    group.relink(1, 3);
    group.pass(20 * MS);
    assert_eq!(group.commands(2), ["swallowed", "later"]);
}

#[test]
fn a_forward_of_another_term_is_dropped() {
    let mut group = Group::led(4);
    let forward = |term, command: &'static [u8]| Frame::Forward {
        term,
        items: vec![Item { origin: 2, ticket: 900, command: Bytes::from_static(command) }],
    };
    let term = group.term();
    for (said, command) in [(term - 1, b"old"), (term + 1, b"new"), (term, b"now")] {
        group.tell(1, Event::Frame { from: 2, frame: forward(said, command) });
    }
    group.run();
    assert_eq!(group.commands(3), ["now"]);
}

#[test]
fn what_is_on_its_way_to_a_leader_is_bounded() {
    let mut group = Group::led(4);
    group.nodes.get_mut(&1).expect("it is there").disk_holds = true;
    let megabyte = "x".repeat(1 << 20);
    for _ in 0..40 {
        group.propose(2, &megabyte);
    }
    let on_the_wire = |group: &Group, pair: (NodeId, NodeId)| -> usize {
        let frames = group.wires.get(&pair).into_iter().flatten();
        frames.map(|frame| if let Frame::Forward { items, .. } = frame { items.len() } else { 0 }).sum()
    };
    assert_eq!(on_the_wire(&group, (2, 1)), 15, "of 16 MiB");
    assert!(group.nodes[&2].member.room() < group.limits.pending_bytes - (40 << 20));
    group.nodes.get_mut(&1).expect("it is there").disk_holds = false;
    group.pass(50 * MS);
    assert_eq!(group.commands(4).len(), 40);
    assert_eq!(group.nodes[&2].member.room(), group.limits.pending_bytes);
}

#[test]
fn proposals_during_a_transfer_are_kept_and_keep_their_order() {
    let mut group = Group::led(4);
    group.tell(1, Event::Transfer);
    for name in names(5) {
        group.propose(1, &name);
        group.propose(3, &format!("of 3: {name}"));
    }
    group.pass(50 * MS);
    assert_eq!(group.leader(), 2);
    let (own, others): (Vec<_>, Vec<_>) =
        first_times(group.commands(4)).into_iter().partition(|command| !command.starts_with("of 3"));
    assert_eq!(own, names(5));
    assert_eq!(others, names(5).iter().map(|name| format!("of 3: {name}")).collect::<Vec<_>>());
}

// -- reads ---------------------------------------------------------------------------------------------------------------

fn reads(group: &Group, node: NodeId) -> Vec<u64> {
    group.nodes[&node].reads.iter().map(|(ticket, _)| *ticket).collect()
}

#[test]
fn a_read_anywhere_covers_what_was_committed_before_it() {
    for node in 1..=4 {
        let mut group = Group::led(4);
        group.propose(2, "a");
        group.run();
        let commit = group.nodes[&1].member.status().commit;
        group.tell(node, Event::Read { ticket: 1 << 40 });
        group.run(); // no time passes
        assert_eq!(group.nodes[&node].reads, [(1 << 40, commit)], "at {node}");
    }
}

#[test]
fn a_deposed_leader_that_has_not_noticed_answers_no_read() {
    let mut group = Group::led(4);
    group.cut.extend([(1, 2), (1, 3), (1, 4)]);
    for peer in 2..=4 {
        group.tell(peer, Event::LinkLost { peer: 1 });
    }
    group.run();
    group.propose(2, "behind its back");
    group.run();
    assert_eq!(group.commands(3), ["behind its back"]);
    group.tell(1, Event::Read { ticket: 1 << 40 });
    group.pass(group.timing.heartbeat);
    assert_eq!(reads(&group, 1), []);
}

#[test]
fn reads_without_a_leader_wait_for_one() {
    let mut group = Group::of(3);
    group.tell(2, Event::Read { ticket: 1 << 40 });
    group.pass(group.timing.election * 3);
    assert_eq!(reads(&group, 2), [1 << 40]);
}

#[test]
fn reads_go_through_a_change_of_leader() {
    for node in 2..=4 {
        let mut group = Group::led(4);
        group.tell(node, Event::Read { ticket: 1 << 40 });
        group.kill(1);
        group.pass(20 * MS);
        assert_eq!(reads(&group, node), [1 << 40], "at {node}");
    }
}
