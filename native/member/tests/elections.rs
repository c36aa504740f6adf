//! Who becomes leader, and who may not.

mod group;

use std::time::Duration;

use group::{open, Group};
use raft::eraftpb::{Message, MessageType};
use tinysns_member::{Disk, Event, Frame, Role};

const MS: Duration = Duration::from_millis(1);

#[test]
fn the_death_of_a_leader_is_answered_without_any_clock() {
    for count in [3, 4] {
        let mut group = Group::led(count);
        let term = group.term();
        group.kill(1);
        group.run(); // no time passes
        assert_eq!((group.leader(), group.term()), (2, term + 1), "the next in the list, without a second try");
    }
}

#[test]
fn the_one_with_the_best_log_campaigns_whatever_the_list_says() {
    let mut group = Group::led(4);
    group.cut_link(1, 2);
    group.propose(1, "a");
    group.run();
    group.kill(1);
    group.run();
    assert_eq!(group.leader(), 3, "2 comes first in the list and lacks an entry");
}

#[test]
fn one_broken_link_does_not_depose_a_healthy_leader() {
    let mut group = Group::led(4);
    let term = group.term();
    group.cut_link(1, 3);
    group.pass(group.timing.election * 20);
    assert_eq!((group.leader(), group.term()), (1, term));
    group.relink(1, 3);
    group.pass(group.timing.heartbeat * 2);
    assert_eq!(group.view(3).leader, 1);
}

#[test]
fn a_survivor_that_notices_nothing_believes_the_others() {
    let mut group = Group::led(4);
    group.cut.extend([(1, 2), (1, 3), (1, 4)]);
    for peer in [2, 3] {
        group.tell(peer, Event::LinkLost { peer: 1 }); // 4 still has an open link, to nobody
    }
    group.run();
    assert_eq!((group.leader(), group.view(4).leader), (2, 2));
}

#[test]
fn a_leader_that_fell_silent_is_replaced_by_the_clock() {
    let mut group = Group::led(4);
    group.cut.extend([(1, 2), (1, 3), (1, 4)]); // no link has ended, nothing arrives
    group.pass(group.timing.election * 2);
    assert_eq!(group.leader(), 2);
    assert_eq!(group.role(1), Role::Follower, "without a quorum it has stepped down");
}

#[test]
fn without_a_quorum_nobody_leads_and_terms_stay() {
    let mut group = Group::led(4);
    let term = group.term();
    group.kill(1);
    group.kill(2);
    group.pass(group.timing.election * 20);
    assert_eq!((group.leader(), group.term()), (0, term));
}

#[test]
fn votes_are_asked_for_at_once_but_count_only_behind_the_candidates_own() {
    let mut group = Group::led(4);
    group.nodes.get_mut(&2).expect("it is there").disk_holds = true;
    group.kill(1);
    group.run();
    assert_eq!(group.role(2), Role::Candidate, "it has the votes of both others");
    assert_eq!(group.view(3).term, group.view(2).term);
    assert!(group.write_one(2));
    assert_eq!(group.role(2), Role::Leader);
}

#[test]
fn a_candidate_that_dies_before_its_own_vote_is_written_has_asked_in_vain() {
    let mut group = Group::led(4);
    let term = group.term();
    group.nodes.get_mut(&2).expect("it is there").disk_holds = true;
    group.kill(1);
    group.run();
    let disk = group.kill(2);
    assert_eq!(disk.records().hard.term, term, "its vote never reached the disk");
    group.start(2, &disk, 0);
    group.pass(group.timing.election * 8);
    assert_ne!(group.leader(), 0);
    assert!(group.term() > term + 1, "term {} has been asked for before", term + 1);
}

#[test]
fn a_vote_leaves_only_after_it_is_on_disk() {
    let mut group = Group::led(4);
    group.nodes.get_mut(&3).expect("it is there").disk_holds = true;
    group.kill(1);
    for _ in 0..3 {
        group.deliver_one(3, 2); // where the logs end
        group.deliver_one(4, 2);
        group.deliver_one(2, 3);
    }
    assert_eq!(group.nodes[&3].writes.front().and_then(|w| w.hard.as_ref()).map(|hard| hard.vote), Some(2));
    assert!(!group.kinds(3, 2).contains(&MessageType::MsgRequestVoteResponse));
    group.write_one(3);
    assert_eq!(group.kinds(3, 2), [MessageType::MsgRequestVoteResponse]);
}

#[test]
fn terms_and_votes_survive_a_restart_of_all() {
    let mut group = Group::led(4);
    let term = group.term();
    let disks: Vec<_> = (1..=4).map(|node| group.kill(node)).collect();
    for (node, disk) in (1..=4).zip(&disks) {
        assert_eq!(disk.records().hard.term, term);
        group.start(node, disk, 0);
    }
    group.pass(group.timing.election * 4);
    assert!(group.term() > term && group.leader() != 0);
}

#[test]
fn followers_whose_disks_are_busy_still_hear_their_leader() {
    let mut group = Group::led(4);
    let term = group.term();
    for follower in 2..=4 {
        group.nodes.get_mut(&follower).expect("it is there").disk_holds = true;
    }
    group.propose(1, "a");
    group.pass(group.timing.election * 10);
    assert_eq!((group.leader(), group.term()), (1, term), "slow is not dead");
    for follower in 2..=4 {
        group.nodes.get_mut(&follower).expect("it is there").disk_holds = false;
    }
    group.pass(10 * MS);
    assert_eq!(group.commands(1), ["a"]);
}

#[test]
fn a_member_that_was_not_run_does_not_judge_who_was_silent() {
    let mut group = Group::led(4);
    group.now += group.timing.election * 50; // all were stopped, and go on
    group.pass(group.timing.heartbeat * 3);
    assert_eq!(group.leader(), 1);
}

#[test]
fn leadership_goes_to_the_best_other_on_request() {
    let mut group = Group::led(4);
    group.cut_link(1, 2);
    group.propose(1, "a");
    group.pass(20 * MS);
    group.tell(1, Event::Transfer);
    group.run();
    assert_eq!(group.leader(), 3, "2 has no link to the leader");
}

#[test]
fn a_stalled_disk_hands_leadership_over_and_then_falls_silent_until_it_is_back() {
    let mut group = Group::led(4);
    group.nodes.get_mut(&1).expect("it is there").disk_holds = true;
    let ticket = group.propose(1, "its write does not return");
    group.run();
    group.tell(1, Event::Disk(Disk::Stalled));
    group.run();
    assert_eq!(group.leader(), 2);
    assert!(!group.nodes[&1].isolated, "the message that hands over goes first");
    group.pass(group.timing.isolate + MS);
    assert!(group.nodes[&1].isolated);
    assert_eq!(group.commands(2)[0], "its write does not return", "a quorum has it on disk");
    assert!(group.nodes[&1].committed.iter().all(|entry| !entry.own.contains(&ticket)), "it has not itself");
    group.nodes.get_mut(&1).expect("it is there").disk_holds = false;
    group.tell(1, Event::Disk(Disk::Good));
    assert!(!group.nodes[&1].isolated);
    for peer in 2..=4 {
        group.relink(1, peer);
    }
    group.pass(group.timing.election);
    assert_eq!((group.leader(), group.view(1).leader), (2, 2));
    assert!(group.nodes[&1].committed.iter().any(|entry| entry.own.contains(&ticket)));
}

#[test]
fn a_stalled_disk_starts_no_election() {
    let mut group = Group::led(4);
    let term = group.term();
    group.tell(4, Event::Disk(Disk::Stalled));
    group.pass(group.timing.election * 20);
    assert_eq!((group.role(4), group.term()), (Role::Follower, term));
}

#[test]
fn a_scarce_disk_follows_and_does_not_lead() {
    let mut group = Group::led(4);
    group.tell(2, Event::Disk(Disk::Scarce));
    group.tell(1, Event::Disk(Disk::Scarce));
    group.pass(group.timing.tick);
    assert_eq!(group.leader(), 1, "2 was asked, and did not take it");
    group.pass(group.timing.election * 2);
    assert_eq!(group.leader(), 3);
}

#[test]
fn a_message_in_another_ones_name_ends_the_link() {
    let mut group = Group::led(4);
    let mut forged = Message { from: 3, to: 1, term: group.term() + 1, ..Message::default() };
    forged.set_msg_type(MessageType::MsgHeartbeat);
    group.tell(1, Event::Frame { from: 2, frame: Frame::Raft(forged) });
    assert_eq!(group.nodes[&1].dropped, [(2, "it speaks for another member")]);
    assert_eq!(group.leader(), 1);
}

#[test]
fn a_log_that_lost_its_end_must_not_vote() {
    let group = Group::led(4);
    let disk = &group.nodes[&2].disk;
    let last = disk.records().last;
    let refused = open(2, &[1, 2, 3, 4], disk, last + 1, 0).err().expect("it is refused");
    assert_eq!(
        refused.0,
        format!("the log ends at {last} but the state had applied {}: the log lost its end", last + 1)
    );
    assert!(open(2, &[1, 2, 3, 4], disk, last + 1, last + 1).is_ok(), "a state that another member gave may be ahead");
}
