"""Members of one group in one process: an in-memory network that delivers, loses and delays as a test says.

Each member has a log on disk and a state machine, a list of what was applied. The state survives a restart as far as it
was saved; what comes after that is replayed from the log. Time is ticks, and randomness is seeded.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import raftlog
from raftlog import Group

GROUP = 7
ELECTION_TICKS = 10
HEARTBEAT_TICKS = 2

Packets = list[tuple[int, bytes]]


@dataclass
class State:
    """A state machine: the entries that were applied, and the position that it stands at."""

    position: int = 0
    entries: list[bytes] = field(default_factory=list)

    def copy(self) -> "State":
        return State(self.position, list(self.entries))


class Member:
    """One member: its log, its group, its state, and the packets and writes on their way."""

    def __init__(self, directory: Path, node: int, saved: State, installed: int = 0) -> None:
        self.node = node
        self.log = raftlog.Log.open(str(directory))
        self.group = self.log.group(
            GROUP,
            node,
            election=ELECTION_TICKS,
            heartbeat=HEARTBEAT_TICKS,
            applied=saved.position,
            installed=installed,
        )
        self.saved = saved
        self.state = saved.copy()
        self.inbox: list[bytes] = []
        self.writes: list[raftlog.Write] = []
        self.reads: list[tuple[bytes, int]] = []
        self.snapshots: list[int] = []

    @property
    def leads(self) -> bool:
        return self.group.status().role == Group.LEADER

    def close(self) -> None:
        """Ends the member as a kill would: what was not written is lost, and its directory is free again."""
        self.writes.clear()
        del self.group, self.log

    def compact(self, keep: int = 10) -> None:
        """Saves the state and compacts the log up to it."""
        self.saved = self.state.copy()
        write = self.group.compact(self.state.position, keep)
        self.flush()
        self.log.write([write])
        assert self.group.persisted(write) == []

    def flush(self) -> Packets:
        """Puts everything that waits on disk; returns what may be sent now."""
        writes, self.writes = self.writes, []
        self.log.write(writes)
        return [packet for write in writes for packet in self.group.persisted(write)]


class Network:
    """The members, and what travels between them."""

    def __init__(self, directory: Path, size: int, seed: int = 1) -> None:
        self.directory = directory
        self.random = random.Random(seed)
        self.members: dict[int, Member] = {}
        self.cut: set[int] = set()
        self.saved: dict[int, State] = {}
        self.proposed = 0
        for node in range(1, size + 1):
            self.found(node, list(range(1, size + 1)))

    def found(self, node: int, voters: list[int]) -> Member:
        raftlog.Log.open(str(self.directory / str(node))).found(GROUP, voters)
        return self.up(node)

    def up(self, node: int, installed: int = 0) -> Member:
        member = Member(self.directory / str(node), node, self.saved.get(node, State()), installed)
        self.members[node] = member
        return member

    def down(self, node: int) -> None:
        """Ends a member: writes that were not made are lost, and so is its state since it was saved."""
        member = self.members.pop(node)
        member.close()
        self.saved[node] = member.saved

    def restart(self) -> None:
        nodes = list(self.members)
        for node in nodes:
            self.down(node)
        for node in nodes:
            self.up(node)

    def send(self, sender: int, packets: Packets) -> None:
        for peer, packet in packets:
            if peer in self.members and not {sender, peer} & self.cut:
                self.members[peer].inbox.append(packet)

    def handle(self, member: Member) -> bool:
        """Takes what is in the inbox and does what the group asks for, up to the write."""
        packets, member.inbox = member.inbox, []
        for packet in packets:
            member.group.step(packet)
        busy = False
        while (ready := member.group.ready()) is not None:
            busy = True
            self.send(member.node, ready.messages)
            if ready.snapshot is not None:
                self.fetch(member, ready.snapshot)
            member.state.entries += [data for index, data in ready.committed if index > member.state.position]
            member.state.position = max(member.state.position, ready.applied)
            member.reads += ready.reads
            member.writes.append(ready.write)
        return busy

    def fetch(self, member: Member, index: int) -> None:
        """The state comes from any member that is as far; it is durable before the write of the snapshot's record."""
        member.snapshots.append(index)
        source = next(other for other in self.members.values() if other.state.position >= index)
        member.state, member.saved = source.state.copy(), source.state.copy()

    def turn(self, lag: bool = False) -> bool:
        """One round of every member; with `lag`, most of them do not get to their disk."""
        busy = False
        for member in list(self.members.values()):
            busy |= self.handle(member)
            if member.writes and not (lag and self.random.random() < 0.6):
                self.send(member.node, member.flush())
        return busy

    def settle(self, ticks: int = 0, lag: bool = False) -> None:
        """Lets time pass, and then everything that is on its way arrive."""
        for _ in range(ticks):
            for member in self.members.values():
                member.group.tick()
            for _ in range(8):
                self.turn(lag)
        for _ in range(500):
            if not self.turn(lag) and not any(member.inbox or member.writes for member in self.members.values()):
                return
        raise AssertionError("the network does not come to rest")

    def leader(self) -> Member | None:
        """The leader of the highest term, if there is one that is not cut off."""
        leaders = [member for node, member in self.members.items() if member.leads and node not in self.cut]
        return max(leaders, key=lambda member: member.group.status().term, default=None)

    def elect(self) -> Member:
        for _ in range(60):
            if leader := self.leader():
                return leader
            self.settle(2)
        raise AssertionError("no leader")

    def follower(self) -> Member:
        leader = self.elect()
        return next(member for member in self.members.values() if member is not leader)

    def put(self, batches: int, lag: bool = False) -> None:
        """Proposes batches of three values, and lets them be applied."""
        leader = self.elect()
        for _ in range(batches):
            leader.group.propose([b"value %d" % (self.proposed + k) for k in range(3)])
            self.proposed += 3
            if lag:
                self.turn(lag=True)
        self.settle(3, lag)

    def leave_behind(self) -> int:
        """Ends a follower, and lets the others write and compact beyond it; returns which one it is."""
        self.put(20)
        behind = self.follower().node
        self.down(behind)
        self.put(400)
        for member in self.members.values():
            member.compact(keep=10)
        return behind

    def until_told_to_fetch(self, node: int, installed: int = 0) -> Member:
        """Runs until the leader has sent a snapshot to `node`, which has not taken it yet; returns the leader."""
        self.up(node, installed)
        for _ in range(50):
            for member in self.members.values():
                member.group.tick()
            for member in list(self.members.values()):
                self.handle(member)
                self.send(member.node, member.flush())
                leader = self.elect()
                if any(progress.peer == node and progress.state == "snapshot" for progress in leader.group.progress()):
                    return leader
        raise AssertionError("the leader did not send a snapshot")

    def agreed(self) -> list[bytes]:
        """What all members have applied; it must be the same."""
        states = [member.state.entries for member in self.members.values()]
        assert all(state == states[0] for state in states), [len(state) for state in states]
        return states[0]

    def expected(self) -> list[bytes]:
        return [b"value %d" % k for k in range(self.proposed)]


NewNetwork = Callable[[int], Network]
"""What the fixture `new_network` gives: a network of that many members."""
