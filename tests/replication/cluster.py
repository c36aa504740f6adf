"""Whole members in one process: real native nodes, real SQLite, real links on loopback; only the kill is made by hand.

A killed member stops in the middle of whatever it does: nothing that it does from then on reaches its clients or its
state. (Real SIGKILLs of real processes are in tests/integration.)
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import raftnode

from tests.replication.network import Network
from tinysns.domain.writes import Answer, Command, Write
from tinysns.master import state_copies
from tinysns.replication.replica import Replica
from tinysns.rpc.server import Server
from tinysns.runtime import settings
from tinysns.runtime.settings import Consensus, MasterSettings
from tinysns.runtime.tasks import Tasks
from tinysns.storage.state import StateMachine
from tinysns.wire.v1 import master_pb2_grpc

CLUSTER_ID = "test-cluster"


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


async def until(condition: Callable[[], object], what: str, seconds: float = 10.0) -> None:
    """There is no event to wait for in the middle of somebody else's work: look often, with a deadline."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.005)


class _Service(master_pb2_grpc.MasterServicer):
    def __init__(self, member: "Member") -> None:
        self._member = member

    async def FetchState(self, request, context):
        async for chunk in state_copies.send(self._member.state.copy_to, self._member.folder / "state"):
            yield chunk


class Member:
    """One member, up or down."""

    def __init__(self, cluster: "Cluster", node: int) -> None:
        self.cluster, self.node = cluster, node
        self.folder = cluster.folder / f"h{node}"
        self.log = self.folder / "log"
        self.up = False
        self.incarnation = 0
        self.crashed: list[BaseException] = []

    def found(self) -> None:
        self.folder.mkdir(exist_ok=True)
        raftnode.found(str(self.log), self.cluster.nodes)
        StateMachine.create(self.folder / "state", CLUSTER_ID).close()

    async def start(self, cluster_id: str = CLUSTER_ID) -> None:
        cluster, limits = self.cluster, self.cluster.limits
        self.incarnation += 1
        self.state = StateMachine.open(self.folder / "state", CLUSTER_ID)
        self.native = raftnode.Node(
            str(self.log),
            self.node,
            cluster.peers[self.node],
            cluster.network.seen_by(self.node) if cluster.network else cluster.peers,
            cluster_id,
            self.incarnation,
            self.state.applied_index,
            self.state.installed_index,
            reserve_bytes=cluster.reserve_bytes,
            durations_ms=limits.durations_ms,
            file_mb=1,
            keep_mb=4,
        )
        self.replica = Replica(cluster.settings(self.node), CLUSTER_ID, self.native, self.state, self._crash)
        self.server = Server()
        master_pb2_grpc.add_MasterServicer_to_server(_Service(self), self.server.grpc)
        await self.server.start([cluster.masters[self.node]], [])
        self.up = True
        self.tasks = Tasks(self._crash)
        self.tasks.start("replica", self.replica.run())

    def _crash(self, error: BaseException) -> None:
        if self.up:  # what goes wrong in the middle of a kill is part of it
            self.crashed.append(error)

    async def kill(self) -> None:
        self.up = False
        await self.server.stop(0)
        await self.tasks.stop()
        await self.replica.close()
        self.state.close()

    async def write(self, session: int, number: int, write: Write, seconds: float = 5.0) -> Answer:
        return await asyncio.wait_for(self.replica.submit(Command(session, number, write)), seconds)


class Cluster:
    """`size` founded members in `folder`."""

    def __init__(self, folder: Path, size: int, limits: Consensus, reserve_bytes: int) -> None:
        self.folder, self.limits, self.reserve_bytes = folder, limits, reserve_bytes
        self.nodes = tuple(range(1, size + 1))
        self.masters, self.peers = ({n: f"127.0.0.1:{free_port()}" for n in self.nodes} for _ in range(2))
        self.network: Network | None = None
        self.members = {n: Member(self, n) for n in self.nodes}

    def settings(self, node: int) -> MasterSettings:
        members = [settings.Member(f"h{n}", n, self.masters[n], "", self.peers[n]) for n in self.nodes]
        return MasterSettings(
            name=f"h{node}",
            listen=self.masters[node],
            data=self.folder / f"h{node}",
            runtime=self.folder,
            members=tuple(members),
            routers=(),
            consensus=self.limits,
        )

    async def lead(self, node: int) -> Member:
        """Moves leadership to this member."""
        while (leader := await self.settled()).node != node:
            await leader.replica.transfer_leadership(5.0)
        return leader

    @property
    def alive(self) -> list[Member]:
        return [m for m in self.members.values() if m.up]

    @property
    def leader(self) -> Member | None:
        leading = [m for m in self.alive if m.replica.view.leads]
        return max(leading, key=lambda m: m.replica.view.term) if leading else None

    async def settled(self) -> Member:
        """Returns the leader once all that are up know it and are linked to each other."""

        def agreed() -> bool:
            leader = self.leader
            others = {m.node for m in self.alive}
            return leader is not None and all(
                m.replica.view.leader == leader.node and m.replica.connected >= others - {m.node} for m in self.alive
            )

        await until(agreed, "one leader, known to all")
        assert self.leader is not None
        return self.leader

    async def equal(self) -> str:
        """Returns the digest once all that are up stand at one position with one digest."""
        from tinysns.storage.reader import Reader

        found: set[tuple[int, str]] = set()

        def at_one_position() -> bool:
            nonlocal found
            found = {Reader(m.state).digest() for m in self.alive}
            return len({index for index, _ in found}) == 1

        await until(at_one_position, "one position")
        assert len(found) == 1, found
        return found.pop()[1]


@contextlib.asynccontextmanager
async def running(
    folder: Path,
    size: int = 3,
    *,
    with_network: bool = False,
    logs: Mapping[int, Path] | None = None,
    reserve_bytes: int = 1,
    **limits: float,
) -> AsyncIterator[Cluster]:
    """`with_network`: one that can be cut. `logs`: folders of the logs of some members, else inside their own."""
    cluster = Cluster(folder, size, Consensus(**limits), reserve_bytes)
    for node, log in (logs or {}).items():
        cluster.members[node].log = log
    if with_network:
        cluster.network = Network(cluster.peers)
        await cluster.network.open()
    for member in cluster.members.values():
        member.found()
    try:
        for member in cluster.members.values():
            await member.start()
        yield cluster
        for member in cluster.members.values():
            assert not member.crashed, member.crashed
    finally:
        for member in cluster.alive:
            await member.kill()
        if cluster.network:
            await cluster.network.close()
