"""A double of the service: real gRPC servers on loopback in front of one model, which can be stopped, hung and started.

It stands for routers, masters and slaves, so that the client can be tested against every misbehaviour that its protocol
allows: lost commands (GAP), answers lost behind their effect, silence, refusals, forgotten sessions.
"""

import asyncio
import itertools
import random
import socket
import time
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import grpc

from tests.client.model import Model
from tinysns.domain.positions import position_at
from tinysns.domain.writes import Outcome
from tinysns.rpc.errors import abort
from tinysns.rpc.server import Server
from tinysns.wire.v1 import (
    master_pb2,
    master_pb2_grpc,
    router_pb2,
    router_pb2_grpc,
    slave_pb2,
    slave_pb2_grpc,
    sns_pb2,
    sns_pb2_grpc,
)

Context = Any  # grpc.aio.ServicerContext[Any, Any]
Commands = AsyncIterator[sns_pb2.Command]


class Process:
    """A server that can be stopped as if killed, hung as if by SIGSTOP, and started again on its port."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.incarnation = 0
        self.running = asyncio.Event()  # cleared: hung
        self.running.set()
        self._server: Server | None = None

    @property
    def alive(self) -> bool:
        return self._server is not None

    @property
    def well(self) -> bool:
        return self.alive and self.running.is_set()

    def add_services(self, server: grpc.aio.Server) -> None:
        raise NotImplementedError

    async def start(self) -> None:
        self.incarnation += 1
        self.running.set()
        server = Server()
        self.add_services(server.grpc)
        await server.start([self.address], [])
        await server.set_serving(True)
        self._server = server

    async def kill(self) -> None:
        server, self._server = self._server, None
        if server:
            await server.grpc.stop(None)
        self.running.set()

    def hang(self) -> None:
        self.running.clear()

    def resume(self) -> None:
        self.running.set()


class Master(Process, sns_pb2_grpc.SnsServicer, master_pb2_grpc.MasterServicer):
    """`faults` decides per command what goes wrong: see `_one`."""

    def __init__(self, address: str, name: str, cluster: "Cluster") -> None:
        super().__init__(address)
        self.name, self.cluster, self.model = name, cluster, cluster.model
        self.writes = 0
        self.streams = 0
        self.timelines = 0
        self.sent = 0  # posts to readers
        self.refusing = ""

    def add_services(self, server: grpc.aio.Server) -> None:
        sns_pb2_grpc.add_SnsServicer_to_server(self, server)
        master_pb2_grpc.add_MasterServicer_to_server(self, server)

    async def Write(self, requests: Commands, context: Context) -> AsyncIterator[sns_pb2.Answers]:
        self.streams += 1
        async for command in requests:
            await self._may_serve(context)
            fault = self.cluster.fault()
            if fault == "lose the command":
                self.cluster.lost += 1
                continue
            if fault == "refuse":
                await abort(
                    context, grpc.StatusCode.UNAVAILABLE, "NO_LEADER", "no contact with a leader", definite=True
                )
            answer = self._apply(command)
            if fault == "lose the answer":
                await abort(context, grpc.StatusCode.UNAVAILABLE, "LOST", "gone", definite=False)
            if fault == "be late":
                await asyncio.sleep(0.05)
            yield sns_pb2.Answers(answers=[answer])

    def _apply(self, command: sns_pb2.Command) -> sns_pb2.Answer:
        self.writes += 1
        if command.session in self.cluster.forgotten:
            return sns_pb2.Answer(number=command.number, outcome=Outcome.SESSION_EXPIRED)
        if self.cluster.invalid_text and self.cluster.invalid_text in command.post.texts:
            return sns_pb2.Answer(number=command.number, outcome=Outcome.INVALID, detail="that text is not wanted here")
        return self.model.apply(command)

    async def Timeline(self, request: sns_pb2.TimelineRequest, context: Context) -> AsyncIterator[sns_pb2.Posts]:
        self.timelines += 1
        await self._may_serve(context)
        if request.user not in self.model.users:
            await abort(context, grpc.StatusCode.NOT_FOUND, "UNKNOWN_USER", f"no user {request.user!r}: log in first")
        cursor = request.after_position
        if cursor > position_at(self.model.index + 1, 0):
            await abort(
                context, grpc.StatusCode.OUT_OF_RANGE, "CURSOR_AHEAD", "the cursor is ahead; begin again from 0"
            )
        if request.newest and (newest := self.model.timeline(request.user, 0, 1 << 32)[-request.newest :]):
            cursor = max(cursor, newest[0].position - 1)
        if request.backlog:
            posts = self.model.newest(request.user, request.newest)
            cursor = self.model.cursor
            yield sns_pb2.Posts(posts=posts, cursor=cursor)
            self.sent += len(posts)
        while True:
            grown = self.model.grown
            # Now and then a batch begins before the cursor, as a real one that straddles it does.
            again = self.cluster.random.choice((0, 0, 0, 1)) if self.cluster.unruly else 0
            posts = self.model.timeline(request.user, max(0, cursor - again), 50)
            if posts:
                cursor = posts[-1].position
                yield sns_pb2.Posts(posts=posts)
                self.sent += len(posts)
            elif request.until_now:
                return
            else:
                try:
                    await asyncio.wait_for(grown.wait(), (request.heartbeat_ms or 60_000) / 1000)
                except TimeoutError:
                    yield sns_pb2.Posts()
            await self._may_serve(context)

    async def List(self, request: sns_pb2.ListRequest, context: Context) -> sns_pb2.ListReply:
        await self._may_serve(context)
        if request.user not in self.model.users:
            await abort(context, grpc.StatusCode.NOT_FOUND, "UNKNOWN_USER", f"no user {request.user!r}: log in first")
        return self.model.listing(request.user)

    async def _may_serve(self, context: Context) -> None:
        await self.running.wait()
        if self.refusing:
            await abort(context, grpc.StatusCode.UNAVAILABLE, "NO_LEADER", self.refusing)

    async def GetStatus(self, request: master_pb2.StatusRequest, context: Context) -> master_pb2.MasterStatus:
        await self.running.wait()
        leads = self.cluster.leader is self
        return master_pb2.MasterStatus(
            name=self.name, address=self.address, node=int(self.name[1:]), incarnation=self.incarnation, pid=4000,
            serving=not self.refusing, trouble=self.refusing, term=self.cluster.term,
            leader_address=self.cluster.leader.address,
            role=master_pb2.LEADER if leads else master_pb2.FOLLOWER, commit_index=self.model.index, leader=1,
            applied_index=self.model.index, fsync=True, started_unix_ns=time.time_ns(),
        )  # fmt: skip

    async def GetDigest(self, request: master_pb2.DigestRequest, context: Context) -> master_pb2.StateDigest:
        return master_pb2.StateDigest(applied_index=self.model.index, sha256="d1")

    async def HandOver(self, request: master_pb2.HandOverRequest, context: Context) -> master_pb2.HandOverReply:
        self.cluster.elect()
        return master_pb2.HandOverReply(leader=int(self.cluster.leader.name[1:]), term=self.cluster.term)


class Router(Process, router_pb2_grpc.RouterServicer):
    """`term`: of the leader that it tells; None: the right one. `empty`: no master has reported to it."""

    def __init__(self, address: str, cluster: "Cluster") -> None:
        super().__init__(address)
        self.cluster = cluster
        self.term: int | None = None
        self.empty = False
        self.asked = 0
        self.stays: list[str] = []  # what each Watch asked for

    def add_services(self, server: grpc.aio.Server) -> None:
        router_pb2_grpc.add_RouterServicer_to_server(self, server)

    async def GetRoute(self, request: router_pb2.RouteRequest, context: Context) -> router_pb2.Route:
        self.asked += 1
        await self.running.wait()
        if self.empty:
            await abort(context, grpc.StatusCode.UNAVAILABLE, "NO_MASTER", "no master has reported yet")
        return self._route()

    async def Watch(self, request: router_pb2.RouteRequest, context: Context) -> AsyncIterator[router_pb2.Route]:
        self.stays.append(request.stay)
        while True:
            changed = self.cluster.route_changed
            yield self._route()
            await changed.wait()

    def _route(self) -> router_pb2.Route:
        route = self.cluster.route()
        if self.term is not None:
            route.term = self.term
        return route

    async def GetMasters(self, request: router_pb2.MastersRequest, context: Context) -> router_pb2.Masters:
        known = [
            router_pb2.KnownMaster(address=m.address, connected=m.alive, state=router_pb2.MasterState(name=m.name))
            for m in self.cluster.masters
        ]
        return router_pb2.Masters(masters=known, router_pid=3000, router_started_unix_ns=time.time_ns())


class Slave(Process, slave_pb2_grpc.SlaveServicer):
    def __init__(self, address: str, name: str) -> None:
        super().__init__(address)
        self.name = name

    def add_services(self, server: grpc.aio.Server) -> None:
        slave_pb2_grpc.add_SlaveServicer_to_server(self, server)

    async def GetStatus(self, request: slave_pb2.SlaveStatusRequest, context: Context) -> slave_pb2.SlaveStatus:
        return slave_pb2.SlaveStatus(
            name=self.name, pid=5000, state="serving", master_pid=4000, restarts=2, started_unix_ns=time.time_ns()
        )


class Cluster:
    """`async with Cluster()`: routers, three masters (the first leads) and their slaves, all started."""

    def __init__(self, seed: int = 0, routers: int = 1) -> None:
        self.random = random.Random(seed)
        self.model = Model()
        self.unruly = False  # whether timelines repeat posts and commands meet `faults`
        self.faults: dict[str, float] = {}  # name (see Master.Write) -> probability for each command
        self.lost = 0  # commands
        self.forgotten: set[int] = set()
        self.invalid_text = ""
        self.term = 1
        self.route_changed = asyncio.Event()
        port, self.slave_port = _free_ports(2)
        self.masters = [Master(f"127.0.0.{10 + n}:{port}", f"h{n}", self) for n in (1, 2, 3)]
        self.slaves = [Slave(f"127.0.0.{10 + n}:{self.slave_port}", f"h{n}") for n in (1, 2, 3)]
        self.routers = [Router(f"127.0.0.{100 + n}:{port}", self) for n in range(routers)]
        self.leader = self.masters[0]
        self.dead: list[str] = []  # addresses, by the word of the routers
        self.primary: Master | None = None  # under the policy `balanced`; None: `available`

    async def __aenter__(self) -> Self:
        for process in self._processes():
            await process.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.gather(*(process.kill() for process in self._processes()))

    def _processes(self) -> "itertools.chain[Process]":
        return itertools.chain[Process](self.masters, self.slaves, self.routers)

    @property
    def router_addresses(self) -> list[str]:
        return [router.address for router in self.routers]

    def elect(self) -> None:
        """The next master that is well leads from now on."""
        at = self.masters.index(self.leader)
        self.leader = next((m for m in (*self.masters[at + 1 :], *self.masters[:at]) if m.well), self.leader)
        self.term += 1
        self.tell_routers()

    def tell_routers(self) -> None:
        self.route_changed.set()
        self.route_changed = asyncio.Event()

    def route(self) -> router_pb2.Route:
        primary = self.primary or self.leader
        backups = [m.address for m in self.masters if m is not primary]
        return router_pb2.Route(
            primary=primary.address, backups=backups, leader=self.leader.address, term=self.term,
            routers=self.router_addresses, policy="balanced" if self.primary else "available", dead=self.dead,
        )  # fmt: skip

    def fault(self) -> str:
        """What goes wrong with the command at hand; empty: nothing."""
        for name, probability in self.faults.items():
            if self.random.random() < probability:
                return name
        return ""


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()
