"""All members apply the same entries in the same order, whatever becomes of the members in between."""

import pytest
import raftlog
from network import NewNetwork
from tinysns.replication.packets import split_packets

sizes = pytest.mark.parametrize("size", [3, 4])


@sizes
def test_members_elect_one_leader_and_apply_what_it_proposes(new_network: NewNetwork, size: int) -> None:
    network = new_network(size)
    network.put(50)
    assert network.agreed() == network.expected()
    assert [member.leads for member in network.members.values()].count(True) == 1


@sizes
def test_fsyncs_that_lag_behind_change_nothing(new_network: NewNetwork, size: int) -> None:
    network = new_network(size)
    network.put(100, lag=True)
    network.settle(4)
    assert network.agreed() == network.expected()


@sizes
def test_the_others_go_on_without_the_leader_and_it_catches_up_later(new_network: NewNetwork, size: int) -> None:
    network = new_network(size)
    network.put(10)
    dead = network.elect().node
    network.down(dead)
    network.put(10)
    network.up(dead)
    network.settle(10)
    assert network.agreed() == network.expected()


@sizes
def test_a_restart_of_all_members_replays_the_log(new_network: NewNetwork, size: int) -> None:
    network = new_network(size)
    network.put(50)
    network.restart()
    network.put(1)
    assert network.agreed() == network.expected()


def test_a_member_that_is_megabytes_behind_gets_them_in_messages_of_bounded_size(
    new_network: NewNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = new_network(3)
    network.put(1)
    behind = network.follower().node
    network.down(behind)
    values = [b"%d" % n * 100_000 for n in range(1000, 1060)]  # 24 MB
    for value in values:
        network.elect().group.propose([value])
        network.settle()
    sizes: list[int] = []
    send = network.send

    def measured_send(sender: int, packets: list[tuple[int, bytes]]) -> None:
        sizes.extend(len(message) for _, packet in packets for message in split_packets(packet, 1))
        send(sender, packets)

    monkeypatch.setattr(network, "send", measured_send)
    network.up(behind)
    network.settle(10)
    assert network.members[behind].state.entries[-len(values) :] == values
    assert sum(sizes) > 24_000_000
    assert max(sizes) < 2 * 1024 * 1024  # gRPC takes 4 MiB


def test_what_was_not_written_when_a_member_died_comes_again_from_the_leader(new_network: NewNetwork) -> None:
    network = new_network(3)
    leader, victim = network.elect(), network.follower()
    leader.group.propose([b"value 0", b"value 1", b"value 2"])
    network.proposed = 3
    network.turn()
    network.handle(victim)  # it has the entries, and never writes them
    network.down(victim.node)
    network.settle(3)
    network.up(victim.node)
    network.settle(10)
    assert network.agreed() == network.expected()


def test_a_suffix_that_only_an_isolated_leader_has_is_overwritten(new_network: NewNetwork) -> None:
    network = new_network(3)
    network.put(5)
    isolated = network.elect()
    network.cut = {isolated.node}
    for _ in range(200):
        isolated.group.propose([b"lost"])
    network.settle(40)
    network.put(10)
    network.cut = set()
    network.settle(30)
    assert network.agreed() == network.expected()
    network.down(isolated.node)
    network.up(isolated.node)
    network.settle(10)
    network.put(1)
    assert network.agreed() == network.expected()


def test_proposals_are_refused_on_a_follower_and_may_not_be_empty(new_network: NewNetwork) -> None:
    network = new_network(3)
    leader = network.elect()
    with pytest.raises(raftlog.ProposalDropped):
        network.follower().group.propose([b"a"])
    with pytest.raises(ValueError, match="empty"):
        leader.group.propose([b"a", b""])


def test_a_batch_gets_consecutive_positions(new_network: NewNetwork) -> None:
    network = new_network(3)
    group = network.elect().group
    before = group.status().last
    first, term = group.propose([b"a", b"b", b"c"])
    assert (first, term) == (before + 1, group.status().term)
    assert group.last() == (term, before + 3)


def test_the_leader_knows_where_its_followers_are(new_network: NewNetwork) -> None:
    network = new_network(4)
    network.put(5)
    leader = network.elect()
    assert sorted(progress.peer for progress in leader.group.progress()) == [1, 2, 3, 4]
    for progress in leader.group.progress():
        assert (progress.matched, progress.state) == (leader.group.status().last, "replicate")


def test_a_member_joins_as_a_learner_becomes_a_voter_and_leaves(new_network: NewNetwork) -> None:
    network = new_network(3)
    network.put(30)
    leader = network.elect()
    leader.group.propose_conf([("learner", 9)])
    network.settle(2)
    leader.compact(keep=0)
    newcomer = network.found(9, [])
    network.settle(12)
    assert newcomer.snapshots
    assert newcomer.group.members() == ([1, 2, 3], [9])
    network.elect().group.propose_conf([("voter", 9)])
    network.settle(6)
    assert newcomer.group.members() == ([1, 2, 3, 9], [])
    network.put(1)
    assert network.agreed() == network.expected()
    network.elect().group.propose_conf([("remove", 9)])
    network.settle(6)
    assert network.elect().group.members() == ([1, 2, 3], [])


def test_membership_survives_a_restart_whose_state_is_ahead_of_the_compaction_point(new_network: NewNetwork) -> None:
    network = new_network(3)
    network.elect().group.propose_conf([("learner", 9)])
    network.settle(3)
    network.put(5)
    for member in network.members.values():
        member.saved = member.state.copy()  # the state is durable, the log is not compacted
    network.restart()
    network.put(1)
    assert all(member.group.members() == ([1, 2, 3], [9]) for member in network.members.values())
    assert network.agreed() == network.expected()


def test_a_change_that_the_membership_does_not_allow_changes_nothing(new_network: NewNetwork) -> None:
    network = new_network(1)
    network.elect().group.propose_conf([("remove", 1)])
    network.put(1)
    assert network.elect().group.members() == ([1], [])
