"""Who becomes leader, and who may not: leases, pre-vote, obituaries, transfers and read points."""

import pytest
import raftlog
from network import Member, Network, NewNetwork
from raftlog import Group


def without_leader(network: Network) -> tuple[int, Member]:
    """Ends the leader; returns which one it was, and a survivor."""
    network.put(3)
    leader = network.elect().node
    network.settle(3)
    network.down(leader)
    return leader, next(iter(network.members.values()))


def test_the_lease_of_a_leader_that_died_stops_a_campaign(new_network: NewNetwork) -> None:
    network = new_network(4)
    _, survivor = without_leader(network)
    survivor.group.campaign()
    network.settle()
    assert network.leader() is None


def test_after_all_forgot_the_leader_a_campaign_wins_at_once(new_network: NewNetwork) -> None:
    network = new_network(4)
    leader, survivor = without_leader(network)
    for member in network.members.values():
        member.group.forget_leader(leader)
    survivor.group.campaign()
    network.settle()
    assert network.leader() is survivor


def test_an_obituary_lets_campaign_now_win_against_the_lease(new_network: NewNetwork) -> None:
    network = new_network(4)
    _, survivor = without_leader(network)
    survivor.group.campaign_now()
    network.settle()
    assert network.leader() is survivor


def test_votes_are_asked_for_at_once_but_count_only_behind_the_candidates_own(new_network: NewNetwork) -> None:
    network = new_network(4)
    _, candidate = without_leader(network)
    candidate.group.campaign_now()
    network.handle(candidate)  # it asks; its own vote is not written
    for voter in [member for member in network.members.values() if member is not candidate]:
        network.handle(voter)
        network.send(voter.node, voter.flush())
    assert len(candidate.inbox) == 2
    network.handle(candidate)
    assert candidate.group.status().role == Group.CANDIDATE
    network.send(candidate.node, candidate.flush())
    assert candidate.leads


def test_a_candidate_that_dies_before_its_own_vote_is_written_has_asked_in_vain(new_network: NewNetwork) -> None:
    network = new_network(3)
    _, candidate = without_leader(network)
    term = candidate.group.status().term
    candidate.group.campaign_now()
    network.handle(candidate)
    voter = next(member for member in network.members.values() if member is not candidate)
    network.handle(voter)
    network.send(voter.node, voter.flush())
    network.handle(candidate)
    network.down(candidate.node)
    assert voter.group.status().term == term + 1
    restarted = network.up(candidate.node)
    assert restarted.group.status().term == term
    network.elect()


def test_a_false_alarm_does_not_depose_a_live_leader(new_network: NewNetwork) -> None:
    network = new_network(4)
    network.put(3)
    leader, alarmed = network.elect(), network.follower()
    term = leader.group.status().term
    alarmed.group.forget_leader(leader.node)
    alarmed.group.campaign()
    network.settle(5)
    assert network.leader() is leader
    assert leader.group.status().term == term


def test_forgetting_somebody_who_does_not_lead_changes_nothing(new_network: NewNetwork) -> None:
    network = new_network(3)
    leader, follower = network.elect(), network.follower()
    follower.group.forget_leader(follower.node)
    assert follower.group.status().leader == leader.node
    leader.group.forget_leader(leader.node)
    assert leader.leads


def test_a_member_whose_log_lacks_the_end_cannot_win(new_network: NewNetwork) -> None:
    network = new_network(3)
    behind = network.follower()
    network.cut = {behind.node}
    network.put(5)
    leader = network.elect()
    network.cut = set()
    network.down(leader.node)
    behind.inbox.clear()
    (other,) = (member for member in network.members.values() if member is not behind)
    assert behind.group.last() < other.group.last()
    for member in (behind, other):
        member.group.forget_leader(leader.node)
    behind.group.campaign()
    network.settle()
    assert not behind.leads
    other.group.campaign()
    network.settle(2)
    assert network.leader() is other


def test_a_vote_leaves_only_after_it_is_on_disk(new_network: NewNetwork) -> None:
    network = new_network(3)
    candidate, voter = network.members[1], network.members[2]
    candidate.group.campaign()
    syncs = []
    for _ in ("pre-vote", "vote"):
        network.handle(candidate)
        network.send(1, candidate.flush())
        for packet in voter.inbox:
            voter.group.step(packet)
        voter.inbox.clear()
        ready = voter.group.ready()
        assert ready is not None
        assert ready.messages == []
        voter.log.write([ready.write])
        answers = voter.group.persisted(ready.write)
        assert [peer for peer, _ in answers] == [1]
        network.send(2, answers)
        syncs.append(ready.write.sync)
    assert syncs == [False, True], "only the vote itself has to be durable"
    network.handle(candidate)
    assert candidate.leads


def test_a_vote_survives_a_restart(new_network: NewNetwork) -> None:
    network = new_network(3)
    term = network.elect().group.status().term
    network.restart()
    assert all(member.group.status().term == term for member in network.members.values())
    assert network.elect().group.status().term > term


def test_a_leader_hands_over_although_its_disk_hangs(new_network: NewNetwork) -> None:
    network = new_network(3)
    network.put(3)
    leader, heir = network.elect(), network.follower()
    leader.group.propose([b"never on the leader's disk"])
    network.handle(leader)  # it sends the entry; its own write of it never returns
    others = [member for member in network.members.values() if member is not leader]

    def round_without_the_leaders_disk() -> None:
        network.handle(leader)
        for member in others:
            network.handle(member)
            network.send(member.node, member.flush())

    for _ in range(4):
        round_without_the_leaders_disk()
    leader.group.transfer_leader(heir.node)
    for _ in range(4):
        round_without_the_leaders_disk()
    assert heir.leads
    assert leader.writes, "the write of the old leader is still in flight"
    assert b"never on the leader's disk" in heir.state.entries


def test_a_leader_with_a_hung_disk_commits_nothing_that_it_has_not_written_itself(new_network: NewNetwork) -> None:
    network = new_network(3)
    leader = network.elect()
    leader.group.propose([b"a"])
    for _ in range(4):
        network.handle(leader)
        for member in network.members.values():
            if member is not leader:
                network.handle(member)
                network.send(member.node, member.flush())
    assert b"a" not in leader.state.entries
    leader_packets = leader.flush()
    network.send(leader.node, leader_packets)
    network.settle()
    assert b"a" in leader.state.entries


def test_a_read_point_covers_what_was_committed_before_it(new_network: NewNetwork) -> None:
    network = new_network(3)
    network.put(5)
    for member in network.members.values():  # a follower's question travels to the leader
        commit = network.elect().group.status().commit
        assert member.group.read_index(b"question of %d" % member.node)
        network.settle(1)
        assert member.reads == [(b"question of %d" % member.node, commit)]


def test_a_new_leader_gives_no_read_point_until_it_has_committed_in_its_term(new_network: NewNetwork) -> None:
    network = new_network(3)
    network.put(3)
    leader, heir = network.elect(), network.follower()
    network.down(leader.node)
    heir.group.campaign_now()
    while not heir.leads:
        network.turn()
    assert heir.group.read_index(b"too early") is False
    network.settle(1)
    assert heir.reads == []
    assert heir.group.read_index(b"now") is True
    network.settle(1)
    assert [context for context, _ in heir.reads] == [b"now"]


def test_a_member_that_knows_no_leader_asks_for_no_read_point(new_network: NewNetwork) -> None:
    assert new_network(3).members[1].group.read_index(b"nobody") is False


def test_proposals_during_a_transfer_are_dropped(new_network: NewNetwork) -> None:
    network = new_network(3)
    network.put(3)
    leader, heir = network.elect(), network.follower()
    network.cut = {heir.node}
    leader.group.transfer_leader(heir.node)
    with pytest.raises(raftlog.ProposalDropped):
        leader.group.propose([b"a"])


def test_roles_have_names() -> None:
    assert (Group.FOLLOWER, Group.PRECANDIDATE, Group.CANDIDATE, Group.LEADER) == (0, 1, 2, 3)
