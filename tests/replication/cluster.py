"""Whole members in one process: real logs, real SQLite, real gRPC links on loopback; only the kill is made by hand.

A killed member stops in the middle of whatever it does: its tasks and server end, and nothing that it had not written
is written any more. (Real SIGKILLs of real processes are in tests/integration.)
"""

import asyncio
import contextlib
import gc
import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from raftlog import Log

from tinysns.domain.writes import Answer, Command, Write
from tinysns.replication.links import Links, Peer
from tinysns.replication.replica import Codec, Place, Replica
from tinysns.rpc.server import Server
from tinysns.runtime.settings import Consensus
from tinysns.runtime.tasks import Tasks
from tinysns.storage.entries import encode_command, stamp
from tinysns.storage.state import StateMachine
from tinysns.wire.v1 import master_pb2 as pb
from tinysns.wire.v1 import master_pb2_grpc

CLUSTER_ID = "test-cluster"
GROUP = 1


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


async def until(condition: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    """There is no event to wait for in the middle of somebody else's work: look often, with a deadline."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.005)


class _Service(master_pb2_grpc.MasterServicer):
    def __init__(self, member: "Member") -> None:
        self._member = member

    async def Exchange(self, request_iterator, context):
        return await self._member.links.exchange(request_iterator, context)

    async def FetchState(self, request, context):
        from tinysns.replication import transfer

        async for chunk in transfer.send(self._member.state.copy_to, self._member.folder / "state"):
            yield chunk


class Member:
    """One member, up or down."""

    def __init__(self, cluster: "Cluster", node: int) -> None:
        self.cluster, self.node = cluster, node
        self.folder = cluster.folder / f"h{node}"
        self.up = False
        self.incarnation = 0
        self.crashed: list[BaseException] = []

    def found(self) -> None:
        self.folder.mkdir()
        log = Log.open(str(self.folder / "log"))
        log.found(GROUP, list(self.cluster.nodes))
        StateMachine.create(self.folder / "state", CLUSTER_ID).close()

    async def start(self) -> None:
        self.incarnation += 1
        await until(self._opened, "the log of the life before is closed")
        self.state = StateMachine.open(self.folder / "state", CLUSTER_ID)
        group = self.log.group(GROUP, self.node, applied=self.state.applied_index, installed=self.state.installed_index)
        place = Place(f"h{self.node}", self.node, self.incarnation, CLUSTER_ID, self.cluster.nodes, self.folder, 1)
        self.replica = Replica(
            place,
            self.cluster.timing,
            self.log,
            group,
            self.state,
            Codec(encode_command, lambda: stamp(time.time_ns())),
            self._crash,
        )
        peers = [Peer(n, self.cluster.address(n)) for n in self.cluster.nodes if n != self.node]
        hello = pb.Hello(cluster_id=CLUSTER_ID, node=self.node, incarnation=self.incarnation)
        self.links = Links(hello, peers, self.replica)
        self.replica.connect(self.links, peers)
        self.server = Server()
        master_pb2_grpc.add_MasterServicer_to_server(_Service(self), self.server.grpc)
        await self.server.start([self.cluster.address(self.node)], [])
        self.up = True
        self.tasks = Tasks(self._crash)
        for peer in peers:
            self.tasks.start("link", self.links.run(peer))
        for work in (self.replica.tick, self.replica.compact, self.replica.restore):
            self.tasks.start(work.__name__, work())

    def _opened(self) -> bool:
        gc.collect()  # it is closed when it is collected
        try:
            self.log = Log.open(str(self.folder / "log"), file_mb=1, keep_mb=4)
        except OSError:
            return False
        return True

    def _crash(self, error: BaseException) -> None:
        if self.up:  # what goes wrong in the middle of a kill is part of it
            self.crashed.append(error)

    def cut_off(self) -> None:
        """The first instant of a kill: nothing that this member does from now on reaches anybody, or its disk."""
        self.up = False
        self.links.isolate()
        self.replica.close()

    async def kill(self) -> None:
        self.cut_off()
        await self.server.stop(0)
        await self.tasks.stop()
        self.replica.close()
        for worker in (self.replica._driver.writer, self.replica._applier):
            worker._thread.shutdown(wait=True)
        self.state.close()
        del self.replica, self.log, self.links, self.server, self.state

    async def write(self, session: int, number: int, write: Write, seconds: float = 60.0) -> Answer:
        return await asyncio.wait_for(self.replica.submit(Command(session, number, write)), seconds)


class Cluster:
    """`size` founded members in `folder`."""

    def __init__(self, folder: Path, size: int, timing: Consensus) -> None:
        self.folder, self.timing = folder, timing
        self.nodes = tuple(range(1, size + 1))
        self._ports = {n: free_port() for n in self.nodes}
        self.members = {n: Member(self, n) for n in self.nodes}

    def address(self, node: int) -> str:
        return f"127.0.0.1:{self._ports[node]}"

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
                m.replica.view.leader == leader.node and m.links.connected() >= others - {m.node} for m in self.alive
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
async def running(folder: Path, size: int = 3, **timing: int) -> AsyncIterator[Cluster]:
    cluster = Cluster(folder, size, Consensus(**timing))
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
