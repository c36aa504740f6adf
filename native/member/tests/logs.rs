//! Logs that end early, begin late, or are far behind: restarts, compaction, states from other members, membership.

mod group;

use std::time::Duration;

use group::Group;
use raft::eraftpb::MessageType;
use tinysns_member::{Change, Event, Frame, NodeId, Role};

const MS: Duration = Duration::from_millis(1);

fn applied(group: &Group, node: NodeId) -> u64 {
    group.nodes[&node].member.status().handed_out
}

/// A group in which 4 is away and the others have compacted what it lacks.
fn left_behind() -> Group {
    let mut group = Group::led(4);
    for peer in 1..=3 {
        group.cut_link(4, peer);
    }
    for number in 0..50 {
        group.propose(1, &format!("{number}"));
        group.run();
    }
    group.pass(10 * MS);
    for node in 1..=3 {
        let index = applied(&group, node);
        group.tell(node, Event::Compact { index, keep: 5 });
    }
    group.run();
    group
}

fn back(group: &mut Group) {
    for peer in 1..=3 {
        group.relink(4, peer);
    }
    group.pass(group.timing.heartbeat * 2);
}

#[test]
fn a_restart_of_all_hands_out_only_what_the_states_lack() {
    let mut group = Group::led(4);
    for number in 0..5 {
        group.propose(2, &format!("{number}"));
        group.run();
    }
    group.pass(group.timing.heartbeat * 2);
    let states: Vec<u64> = (1..=4).map(|node| applied(&group, node) - node).collect();
    let disks: Vec<_> = (1..=4).map(|node| group.kill(node)).collect();
    for (node, (disk, state)) in (1..=4).zip(disks.iter().zip(&states)) {
        group.start(node, disk, *state);
    }
    group.pass(group.timing.election * 4);
    assert_ne!(group.leader(), 0);
    for node in 1..=4 {
        let again = node as usize;
        let expected: Vec<String> = (5 - again..5).map(|number| format!("{number}")).collect();
        assert_eq!(group.commands(node), expected, "at {node}");
    }
}

#[test]
fn a_member_far_behind_is_told_to_fetch_the_state_and_goes_on_from_there() {
    let mut group = left_behind();
    back(&mut group);
    let wanted = group.nodes[&4].fetch.expect("it has to fetch");
    assert!(group.nodes[&4].writes.is_empty(), "nothing is said in the log before the state is in place");
    assert!(group.nodes[&4].member.status().fetching);
    group.propose(1, "meanwhile");
    group.pass(group.timing.election * 3);
    let index = applied(&group, 1);
    assert!(index >= wanted);
    group.tell(4, Event::Installed { index });
    group.propose(1, "afterwards");
    group.pass(group.timing.heartbeat * 3);
    assert_eq!(group.commands(4), ["afterwards"], "what came with the state is not handed out");
    assert_eq!(applied(&group, 4), applied(&group, 1));
}

#[test]
fn what_was_pending_at_a_member_that_fetched_is_proposed_again() {
    let mut group = left_behind();
    let ticket = group.propose(4, "of 4");
    back(&mut group);
    let index = applied(&group, 1);
    group.tell(4, Event::Installed { index });
    group.pass(group.timing.heartbeat * 3);
    assert!(group.nodes[&4].committed.iter().any(|entry| entry.own.contains(&ticket)));
    assert_eq!(group.nodes[&4].member.status().pending, 0);
}

#[test]
fn a_member_that_fetches_neither_campaigns_nor_answers() {
    let mut group = left_behind();
    back(&mut group);
    let term = group.term();
    group.kill(1);
    group.pass(group.timing.election * 10);
    assert_eq!(group.role(4), Role::Follower);
    assert!(group.leader() == 0, "two of four are no quorum while it fetches");
    let index = applied(&group, 2);
    group.tell(4, Event::Installed { index });
    group.pass(group.timing.election * 10);
    assert!(group.leader() != 0 && group.term() > term);
}

#[test]
fn no_election_is_started_while_a_restore_is_on_its_way_to_the_disk() {
    let mut group = left_behind();
    back(&mut group);
    group.nodes.get_mut(&4).expect("it is there").disk_holds = true;
    let index = applied(&group, 1);
    group.tell(4, Event::Installed { index });
    let leader = group.kill(1);
    group.pass(group.timing.election * 10);
    assert_eq!(group.role(4), Role::Follower);
    drop(leader);
    group.nodes.get_mut(&4).expect("it is there").disk_holds = false;
    group.pass(group.timing.election * 10);
    assert_ne!(group.leader(), 0);
}

#[test]
fn a_lost_snapshot_is_sent_again_over_the_next_link() {
    let mut group = left_behind();
    for peer in 1..=3 {
        group.relink(4, peer);
    }
    while !group.kinds(1, 4).contains(&MessageType::MsgSnapshot) {
        let moved = group.deliver_one(4, 1) || group.deliver_one(1, 4);
        if !moved {
            group.now += group.timing.tick;
            group.step(1, vec![]);
        }
    }
    group.cut_link(1, 4);
    group.relink(1, 4);
    group.pass(group.timing.heartbeat * 3);
    assert!(group.nodes[&4].fetch.is_some());
}

#[test]
fn a_compaction_is_told_of_once_it_is_on_disk_and_keeps_what_it_should() {
    let group = left_behind();
    let records = group.nodes[&1].disk.records();
    let index = applied(&group, 1);
    assert_eq!((records.point.index, records.base.index), (index, index - 5));
    assert_eq!(group.nodes[&1].member.status().first, index - 4);
}

#[test]
fn a_member_that_is_megabytes_behind_gets_them_in_messages_of_bounded_size() {
    let mut group = Group::led(4);
    for peer in 1..=3 {
        group.cut_link(4, peer);
    }
    let large = "x".repeat(100 << 10);
    for _ in 0..100 {
        group.propose(1, &large);
        group.run();
    }
    for peer in 1..=3 {
        group.relink(4, peer);
    }
    let mut largest = 0;
    for _ in 0..1000 {
        for frame in group.wires.get(&(1, 4)).into_iter().flatten() {
            if let Frame::Raft(message) = frame {
                largest = largest.max(message.entries.iter().map(|entry| entry.data.len()).sum());
            }
        }
        if !(group.deliver_one(1, 4) || group.write_one(4) || group.deliver_one(4, 1)) {
            group.now += group.timing.tick;
            group.step(1, vec![]);
            group.step(4, vec![]);
        }
    }
    assert!(largest <= 2 << 20, "{largest} bytes in one message");
    group.pass(group.timing.heartbeat * 2);
    assert_eq!(group.commands(4).len(), 100);
}

#[test]
fn a_suffix_that_only_a_cut_off_leader_has_is_replaced() {
    let mut group = Group::led(4);
    group.cut.extend([(1, 2), (1, 3), (1, 4)]);
    group.propose(1, "never committed as it stands");
    group.pass(group.timing.election * 3);
    let leader = group.leader();
    assert_ne!(leader, 1);
    group.propose(leader, "committed");
    group.pass(10 * MS);
    group.cut.clear();
    for peer in 2..=4 {
        group.relink(1, peer);
    }
    group.pass(group.timing.election);
    let commands = group.commands(1);
    assert_eq!(commands, ["committed", "never committed as it stands"], "its proposal came again, behind");
    assert_eq!(group.commands(3), commands);
}

#[test]
fn a_member_joins_as_a_learner_becomes_a_voter_and_leaves() {
    let mut group = Group::led(4);
    let steps = [
        (Change::Remove(4), (vec![1, 2, 3], vec![])),
        (Change::Learner(4), (vec![1, 2, 3], vec![4])),
        (Change::Voter(4), (vec![1, 2, 3, 4], vec![])),
    ];
    for (change, members) in steps {
        group.tell(1, Event::Change(vec![change]));
        group.pass(group.timing.heartbeat * 3);
        for node in 1..=3 {
            assert_eq!(group.nodes[&node].member.members(), members, "at {node}");
        }
    }
    group.propose(1, "with four");
    group.pass(group.timing.heartbeat * 2);
    assert_eq!(group.commands(4), ["with four"]);
}

#[test]
fn a_learner_does_not_campaign() {
    let mut group = Group::led(4);
    group.tell(1, Event::Change(vec![Change::Learner(2)]));
    group.pass(group.timing.heartbeat * 3);
    group.kill(1);
    group.run();
    assert_eq!(group.leader(), 3, "2 came first in the list, and is no voter now");
}
