"""Members with threads of their own, over real links and disks: in one process, and in processes that are killed."""

import contextlib
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import raftnode
from nodes import Member, Process, free_addresses, leader, leading, running, until, wait_for

THREE = [1, 2, 3]


def found(folder: Path, peers: dict[int, str]) -> None:
    for node in peers:
        raftnode.found(str(folder / str(node)), list(peers))


@pytest.fixture
def peers(tmp_path: Path) -> dict[int, str]:
    """Three founded members."""
    peers = free_addresses(3)
    found(tmp_path, peers)
    return peers


@contextlib.contextmanager
def three(folder: Path, peers: dict[int, str], **more: Any) -> Iterator[list[Member]]:
    with running(*(Member(folder, node, peers, **more) for node in peers)) as members:
        yield members


# -- proposals and reads -----------------------------------------------------------------------------------------------


def test_proposals_of_all_members_reach_all_in_one_order(tmp_path: Path, peers: dict[int, str]) -> None:
    with three(tmp_path, peers) as members:
        leader(members)
        for number in range(100):
            for member in members:
                member.node.propose([b"%d-%d" % (member.id, number)])
        until(lambda: all(len(member.commands) == 300 for member in members), members)
        assert members[0].commands == members[1].commands == members[2].commands
        for member in members:  # each in the order in which it was proposed
            own = [command for command in members[0].commands if command.startswith(b"%d-" % member.id)]
            assert own == [b"%d-%d" % (member.id, number) for number in range(100)]


def test_proposals_before_there_is_a_leader_wait_for_one(tmp_path: Path, peers: dict[int, str]) -> None:
    with three(tmp_path, peers) as members:
        members[2].node.propose([b"early"])
        until(lambda: all(member.commands == [b"early"] for member in members), members)


def test_a_read_sees_what_was_written_before_it(tmp_path: Path, peers: dict[int, str]) -> None:
    with three(tmp_path, peers) as members:
        leader(members)
        for number, writer in enumerate(members, 1):
            writer.node.propose([b"x"])
            until(lambda: len(writer.commands) == number, members)  # noqa: B023
            for reader in members:
                ticket = reader.node.read_index()
                until(lambda: ticket in reader.reads, members)  # noqa: B023
                assert reader.reads[ticket] >= writer.applied
                until(lambda: reader.applied >= reader.reads[ticket], members)  # noqa: B023
                assert len(reader.commands) == number


def test_leadership_is_handed_over(tmp_path: Path, peers: dict[int, str]) -> None:
    with three(tmp_path, peers) as members:
        old = leader(members)
        until(lambda: len({contact.peer for contact in old.of(raftnode.Contact) if contact.up}) == 2, members)
        old.node.transfer()
        until(lambda: not old.leads, members)
        assert leader(members) is not old


def test_too_much_is_refused_at_once_and_has_no_effect(tmp_path: Path, peers: dict[int, str]) -> None:
    with running(Member(tmp_path, 1, peers)) as (alone,):  # no quorum: everything waits
        megabyte = bytes(1 << 20)
        taken = 0
        with contextlib.suppress(raftnode.Overloaded):
            while taken < 100:
                alone.node.propose([megabyte])
                taken += 1
        assert 60 <= taken < 64
        with pytest.raises(raftnode.Overloaded, match="too much waits for the log"):
            alone.node.propose([megabyte])
        until(lambda: alone.node.status().pending == taken, [alone])
        with pytest.raises(raftnode.Overloaded):
            alone.node.propose([b"small"] * 100_000)
        alone.node.propose([b"small"])
        with pytest.raises(ValueError, match="a command of 1048577 bytes; 1048576 are the most"):
            alone.node.propose([b"small", megabyte + b"x"])


def test_what_python_does_not_take_comes_later_and_whole(tmp_path: Path, peers: dict[int, str]) -> None:
    with three(tmp_path, peers) as members:
        leads = leader(members)
        idle = next(member for member in members if not member.leads)
        others = [member for member in members if member is not idle]
        commands = [b"%04d" % number * 25_000 for number in range(480)]  # 48 MB; 32 are kept in memory
        for start in range(0, 480, 48):
            leads.node.propose(commands[start : start + 48])
            until(lambda: len(leads.commands) == start + 48, others)  # noqa: B023
        until(lambda: idle.node.status().handed_out >= leads.applied, others)
        until(lambda: len(idle.commands) == 480, members)
        assert idle.commands == leads.commands == commands
        assert max(sum(len(data) for _, data in event.entries) for event in idle.of(raftnode.Committed)) < 5 << 20


def test_entries_of_others_may_wait_before_python_is_woken(tmp_path: Path, peers: dict[int, str]) -> None:
    with three(tmp_path, peers) as members:
        leads = leader(members)
        lazy = next(member for member in members if not member.leads)
        others = [member for member in members if member is not lazy]
        lazy.node.lazy(60_000)
        lazy.pump()
        wakes = lazy.node.status().wakes
        leads.node.propose([b"of another one"])
        until(lambda: lazy.node.status().handed_out >= leads.applied and leads.commands, others)
        assert lazy.node.status().wakes == wakes
        lazy.node.propose([b"its own"])
        until(lambda: len(lazy.commands) == 2, members)


# -- starting ----------------------------------------------------------------------------------------------------------


def test_founding_happens_once(tmp_path: Path) -> None:
    peers = free_addresses(1)
    log = str(tmp_path / "1")
    raftnode.found(log, [1])
    raftnode.found(log, [1])  # the rest of a founding that was interrupted
    with pytest.raises(raftnode.Unusable, match=r"in use already: voters \[1\]"):
        raftnode.found(log, [1, 2])
    with running(Member(tmp_path, 1, peers)) as (alone,):
        leader([alone])
        with pytest.raises(raftnode.InUse, match="another process, or another node of this one"):
            raftnode.found(log, [1])
        with pytest.raises(raftnode.InUse):
            Member(tmp_path, 1, peers)
    with pytest.raises(raftnode.Unusable, match="a group is founded once"):
        raftnode.found(log, [1])


def test_a_log_that_was_never_founded_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(raftnode.Unusable, match="never founded, or was lost"):
        Member(tmp_path, 1, free_addresses(1))


def test_a_state_that_the_log_does_not_reach_is_refused(tmp_path: Path) -> None:
    peers = free_addresses(1)
    raftnode.found(str(tmp_path / "1"), [1])
    with pytest.raises(raftnode.Unusable, match="the log ends at 1 but the state had applied 50"):
        Member(tmp_path, 1, peers, applied=50)


def test_an_address_that_is_taken_is_said(tmp_path: Path, peers: dict[int, str]) -> None:
    host, port = peers[1].split(":")
    with socket.create_server((host, int(port))), pytest.raises(raftnode.CannotListen, match=peers[1]):
        Member(tmp_path, 1, peers)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"durations_ms": {"heartbeats": 1}}, "there is no duration 'heartbeats'"),
        ({"durations_ms": {"heartbeat": 10_000}}, "heartbeat"),
        ({"stuck_seconds": -1}, "stuck_seconds"),
        ({"incarnation": 0}, "an incarnation is"),
        ({"file_mb": 64, "keep_mb": 16}, "keep_mb"),
    ],
)
def test_settings_that_cannot_work_are_refused(
    tmp_path: Path, peers: dict[int, str], wrong: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        Member(tmp_path, 1, peers, **wrong)


# -- members that are behind -------------------------------------------------------------------------------------------


def test_a_member_that_was_away_gets_what_it_missed_from_the_log(tmp_path: Path, peers: dict[int, str]) -> None:
    with running(Member(tmp_path, 1, peers), Member(tmp_path, 2, peers)) as members:
        leads = leader(members)
        commands = [b"%04d" % number * 25_000 for number in range(240)]  # 24 MB; 16 are kept in memory
        leads.node.propose(commands)
        until(lambda: all(len(member.commands) == 240 for member in members), members)
        with running(Member(tmp_path, 3, peers)) as (late,):
            until(lambda: len(late.commands) == 240, [*members, late])
            assert late.commands == commands


def test_a_member_that_is_behind_the_others_logs_needs_their_state(tmp_path: Path, peers: dict[int, str]) -> None:
    with running(Member(tmp_path, 1, peers), Member(tmp_path, 2, peers)) as members:
        leads = leader(members)
        for number in range(50):
            leads.node.propose([b"%d" % number])
            until(lambda: all(len(member.commands) == number + 1 for member in members), members)  # noqa: B023
        for member in members:
            member.node.compact(member.applied, keep=0)
        until(lambda: all(member.of(raftnode.Compacted) for member in members), members)
        assert leads.node.status().first == leads.applied + 1
        with running(Member(tmp_path, 3, peers)) as (late,):
            until(lambda: late.of(raftnode.StateWanted), [*members, late])
            wanted = late.of(raftnode.StateWanted)[-1].index
            assert wanted <= leads.applied
            late.commands, late.applied = list(leads.commands), leads.applied
            late.node.installed(leads.applied)
            leads.node.propose([b"after"])
            until(lambda: len(late.commands) == 51, [*members, late])
            assert late.commands == leads.commands
        with running(Member(tmp_path, 3, peers, incarnation=2, applied=late.applied)) as (again,):
            again.commands = list(late.commands)
            leads.node.propose([b"once more"])
            until(lambda: again.commands == leads.commands and len(again.commands) == 52, [*members, again])


# -- processes ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def processes(folder: Path, count: int, **more: Any) -> Iterator[list[Process]]:
    peers = free_addresses(count)
    found(folder, peers)
    members = [Process(folder, node, peers, **more) for node in peers]
    try:
        leading(members)
        yield members
    finally:
        for member in members:
            member.kill()


def has(member: Process, commands: list[str]) -> bool:
    return member.ask(commands=True)["commands"] == commands


@pytest.mark.parametrize("count", [3, 4])
def test_a_killed_leader_is_replaced_and_comes_back(tmp_path: Path, count: int) -> None:
    peers = free_addresses(count)
    found(tmp_path, peers)
    members = {node: Process(tmp_path, node, peers) for node in peers}
    try:
        expected: list[str] = []
        for kill in range(3):
            leads = leading(list(members.values()))
            survivor = next(member for member in members.values() if member is not leads)
            for writer, name in ((leads, "leader"), (survivor, "survivor")):
                expected.append(f"{kill}-{name}")
                writer.ask(propose=[expected[-1]])
                wait_for(lambda: all(has(member, expected) for member in members.values()))
            leads.kill()
            expected.append(f"{kill}-meanwhile")
            survivor.ask(propose=[expected[-1]])
            wait_for(lambda: has(survivor, expected))  # noqa: B023
            members[leads.id] = Process(tmp_path, leads.id, peers, incarnation=kill + 2)
            wait_for(lambda: all(has(member, expected) for member in members.values()))
    finally:
        for member in members.values():
            member.kill()


def test_a_leader_whose_python_stands_still_goes_on_leading(tmp_path: Path) -> None:
    with processes(tmp_path, 3) as members:
        leads = leading(members)
        others = [member for member in members if member is not leads]
        term = leads.ask()["term"]
        leads.tell(stand_still=2)
        until_then = time.monotonic() + 1.5
        expected = []
        while time.monotonic() < until_then:
            expected.append(str(len(expected)))
            others[0].ask(propose=[expected[-1]])
            wait_for(lambda: all(has(member, expected) for member in others))
        leads.answer()
        wait_for(lambda: has(leads, expected))
        assert leading(members) is leads
        assert {member.ask()["term"] for member in members} == {term}


def test_a_leader_whose_python_is_stuck_hands_over(tmp_path: Path) -> None:
    with processes(tmp_path, 3, stuck_seconds=0.5) as members:
        leads = leading(members)
        others = [member for member in members if member is not leads]
        leads.tell(stand_still=3)
        others[0].ask(propose=["something that it ought to take"])
        wait_for(lambda: others[0].ask()["leader"] not in (0, leads.id), seconds=2.5)
        leads.answer()


def test_a_stopped_follower_disturbs_nobody_when_it_goes_on(tmp_path: Path) -> None:
    with processes(tmp_path, 3) as members:
        leads = leading(members)
        others = [member for member in members if member is not leads]
        term = leads.ask()["term"]
        others[0].signal(signal.SIGSTOP)
        time.sleep(2.5)
        leads.ask(propose=["meanwhile"])
        wait_for(lambda: has(leads, ["meanwhile"]))
        others[0].signal(signal.SIGCONT)
        wait_for(lambda: has(others[0], ["meanwhile"]))
        assert {member.ask()["term"] for member in members} == {term}


def test_a_stopped_leader_is_replaced_and_follows_when_it_goes_on(tmp_path: Path) -> None:
    with processes(tmp_path, 3) as members:
        leads = leading(members)
        others = [member for member in members if member is not leads]
        leads.signal(signal.SIGSTOP)
        others[0].ask(propose=["meanwhile"])
        wait_for(lambda: all(has(member, ["meanwhile"]) for member in others))
        leads.signal(signal.SIGCONT)
        wait_for(lambda: has(leads, ["meanwhile"]))
        assert leading(members) is not leads
