"""The log is cut behind a durable state, and a member that is too far behind is told to fetch the state."""

import random

import pytest
import raftlog
from network import ELECTION_TICKS, NewNetwork
from single import lead, pump


@pytest.mark.parametrize("size", [3, 4])
def test_a_member_far_behind_gets_the_state_and_goes_on(new_network: NewNetwork, size: int) -> None:
    network = new_network(size)
    behind = network.leave_behind()
    network.put(5)
    member = network.up(behind)
    network.settle(20)
    assert len(member.snapshots) == 1
    assert network.agreed() == network.expected()
    network.put(2)
    network.restart()  # also from what the snapshot left on disk
    network.put(1)
    assert network.agreed() == network.expected()


def test_a_snapshot_is_acknowledged_only_after_its_write(new_network: NewNetwork) -> None:
    network = new_network(3)
    behind = network.leave_behind()
    leader = network.until_told_to_fetch(behind)
    member = network.members[behind]
    network.handle(member)
    assert member.snapshots == [member.state.position]
    for _ in range(3):  # whatever the others do meanwhile: the state is there, its record is not
        network.handle(leader)
        network.send(leader.node, leader.flush())
        network.handle(member)
    assert [progress.state for progress in leader.group.progress() if progress.peer == behind] == ["snapshot"]
    network.settle(5)
    assert [progress.state for progress in leader.group.progress() if progress.peer == behind] != ["snapshot"]
    assert network.agreed() == network.expected()


@pytest.mark.parametrize("state_is_ahead", [False, True])
def test_no_election_is_started_while_a_snapshot_is_on_its_way_to_the_disk(
    new_network: NewNetwork, state_is_ahead: bool
) -> None:
    """Raft would look for entries that are gone; that would end this process."""
    network = new_network(3)
    behind = network.leave_behind()
    leader = network.until_told_to_fetch(behind)
    if state_is_ahead:  # it died after it had installed the state
        network.handle(network.members[behind])
        installed = network.members[behind].saved.position
        network.down(behind)
        leader.group.unreachable(behind)  # its stream broke
        leader = network.until_told_to_fetch(behind, installed)
    member = network.members[behind]
    network.handle(member)
    term = member.group.status().term
    for _ in range(5 * ELECTION_TICKS):
        member.group.tick()
    member.group.campaign()
    member.group.campaign_now()
    assert member.group.status().role == raftlog.Group.FOLLOWER
    network.send(member.node, member.flush())
    assert member.group.status().term == term
    network.settle(10)
    network.put(1)
    assert network.agreed() == network.expected()
    member.group.campaign_now()
    assert member.group.status().term == leader.group.status().term + 1


def test_a_member_that_died_between_its_new_state_and_the_record_goes_on_from_there(new_network: NewNetwork) -> None:
    network = new_network(3)
    behind = network.leave_behind()
    leader = network.until_told_to_fetch(behind)
    network.handle(network.members[behind])
    installed = network.members[behind].saved.position
    network.down(behind)
    leader.group.unreachable(behind)  # its stream broke
    network.up(behind, installed=installed)
    network.settle(10)
    network.put(1)
    assert network.agreed() == network.expected()


def test_a_lost_snapshot_is_sent_again_after_unreachable(new_network: NewNetwork) -> None:
    network = new_network(3)
    behind = network.leave_behind()
    leader = network.until_told_to_fetch(behind)
    member = network.members[behind]
    member.inbox.clear()
    network.settle(10)
    assert not member.snapshots, "the leader believes that it is on its way"
    leader.group.unreachable(behind)
    network.settle(10)
    assert network.agreed() == network.expected()


def test_an_installed_state_may_be_ahead_of_the_log(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = str(tmp_path_factory.mktemp("log"))
    log = raftlog.Log.open(directory)
    log.found(1, [])
    with pytest.raises(raftlog.Corrupt, match="the log ends at 0 but the state had applied 40"):
        log.group(1, 9, applied=40)
    assert log.group(1, 9, applied=40, installed=40).status().applied == 40


def test_nothing_that_the_state_has_applied_is_handed_out_again(log: raftlog.Log) -> None:
    group = lead(log)
    group.propose([b"a", b"b", b"c"])
    (first, _), *_ = pump(log, group)
    del group
    group = log.group(1, 1, applied=first)
    assert group.status().applied == first
    group.campaign()
    assert pump(log, group) == [(first + 1, b"b"), (first + 2, b"c")]


def test_compaction_keeps_as_many_entries_as_it_is_told(log: raftlog.Log) -> None:
    group = lead(log)
    group.propose([b"x"] * 100)
    pump(log, group)
    write = group.compact(90, keep=20)
    assert group.status().first == 71
    log.write([write])
    assert group.persisted(write) == []
    del group, write
    status = log.group(1, 1, applied=90).status()
    assert (status.first, status.applied) == (71, 90)


def test_a_later_compaction_that_keeps_more_brings_nothing_back(log: raftlog.Log) -> None:
    group = lead(log)
    group.propose([b"x"] * 100)
    pump(log, group)
    writes = [group.compact(90, keep=0), group.compact(91, keep=50)]
    assert group.status().first == 91
    log.write(writes)
    for write in writes:
        group.persisted(write)
    del group, write, writes
    assert log.group(1, 1, applied=91).status().first == 91


def test_what_is_not_applied_cannot_be_compacted(log: raftlog.Log) -> None:
    group = lead(log)
    applied = group.status().applied
    with pytest.raises(ValueError, match="not applied yet"):
        group.compact(applied + 1)
    group.compact(applied)
    with pytest.raises(raftlog.Compacted):
        group.compact(applied)


def test_purge_gives_space_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    log = raftlog.Log.open(str(tmp_path_factory.mktemp("log")), file_mb=1, keep_mb=2)
    log.found(1, [1])
    group = lead(log)
    noise = random.Random(1)  # it must not be compressible
    for _ in range(60):
        group.propose([noise.randbytes(100_000)])
        pump(log, group)
    before = log.size
    write = group.compact(group.status().applied, keep=1)
    log.write([write])
    group.persisted(write)
    log.purge()
    assert log.size < before
