"""tinysns.v1.Router and Obituaries: masters and slaves tell what they know, clients learn where to go.

Wire types stop here; what is known lives in table.py, who comes first is decided in policy.py.
"""

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from random import Random

import grpc

from tinysns.domain.addresses import BadAddress, check_address
from tinysns.routing import policy
from tinysns.routing.reservations import Reservations
from tinysns.routing.table import Known, Refused, Report, Table
from tinysns.rpc.errors import abort
from tinysns.wire.v1 import router_pb2 as pb
from tinysns.wire.v1 import router_pb2_grpc, slave_pb2, slave_pb2_grpc

NOBODY_YET = "no master has reported yet; try again in a moment, or another router"
NOBODY_LEFT = "no master is connected to this router; try another router, and see `sns status`"


@dataclass(frozen=True, slots=True)
class Self:
    """What does not change about this router."""

    name: str  # the host that it runs on
    routers: tuple[str, ...]  # all of them, this one included
    policy: str
    started_unix_ns: int  # for display
    proxy: str = ""  # where clients of the course are sent: its own address; empty: the Available master's


class Routing:
    """The table with its policy, and those who wait for a change of the route."""

    def __init__(self, me: Self, silence_seconds: float, chance: Random) -> None:
        self.me = me
        self.table = Table(silence_seconds, self._changed)
        self._silence_seconds = silence_seconds
        self._chance = chance
        self._reservations = Reservations(len(me.routers))
        self._watching: set[asyncio.Event] = set()
        self._heard = asyncio.Event()

    def route(self, stay: str = "") -> pb.Route | None:
        """The route for one client now; None while no master is connected. `stay`: the master where it is already.

        Under `balanced` a client that is sent to another master counts there from now on.
        """
        balanced, now = self.me.policy == policy.BALANCED, time.monotonic()
        candidates = self._candidates(now)
        if not candidates:
            return None
        if balanced:
            order = policy.balanced(candidates, self._chance, stay)
            if order[0] != stay:
                self._reservations.give(order[0], now)
        else:
            order = policy.available(candidates, self.table.leader)
        return pb.Route(
            primary=order[0],
            backups=order[1:],
            leader=self.table.leader,
            term=self.table.term,
            routers=self.me.routers,
            policy=self.me.policy,
            dead=self.table.dead(),
        )

    def line(self) -> tuple[str, ...]:
        """All masters that are connected: the Available one, then in the order in which they come next."""
        return policy.available(self._candidates(time.monotonic()), self.table.leader)

    def available(self) -> str:
        """The Available master; while none leads, the first in line to be elected; empty while none is connected."""
        return next(iter(self.line()), "")

    def for_course_client(self) -> str:
        """Where a client of the course, which asks once and then stays, has to go; empty while there is nothing."""
        return self.me.proxy if self.me.proxy and self.table.known() else self.available()

    async def routes(self, stay: str = "") -> AsyncGenerator[pb.Route, None]:
        """The route now and after each change. Who is slow to take one gets the newest next, not all in between.

        While no master is connected nothing is said: clients had better keep what they have.
        """
        changed = asyncio.Event()
        self._watching.add(changed)
        last: pb.Route | None = None
        try:
            while True:
                changed.clear()
                route = self.route(stay)
                if route is not None and route != last:
                    last, stay = route, route.primary
                    yield route
                else:
                    await changed.wait()
        finally:
            self._watching.discard(changed)

    def heard(self, message: pb.Message, stream: int) -> None:
        """A master spoke. Raises BadAddress, Refused."""
        check_address(message.text)
        before = self.table.find(message.text)
        now = time.monotonic()
        self.table.heard(_report(message), stream, now)
        if before is not None and before.connected and (known := self.table.find(message.text)) is not None:
            self._reservations.reported(message.text, before.report.open_streams, known.report.open_streams, now)
        self._heard.set()

    async def watch_silence(self) -> None:
        """For ever: takes masters off that fall silent."""
        while True:
            self._heard.clear()
            due = self.table.next_expiry()
            if due is None:
                await self._heard.wait()
                continue
            await asyncio.sleep(max(0.0, due - time.monotonic()) + 0.001)
            now = time.monotonic()
            if now - due > self._silence_seconds / 2:
                self.table.forgive(now)
            self.table.expire(now)

    def _candidates(self, now: float) -> list[policy.Candidate]:
        reports = [k.report for k in self.table.connected()]
        on_their_way = self._reservations.count
        return [
            policy.Candidate(r.address, r.rank, r.serving, r.open_streams + on_their_way(r.address, now))
            for r in reports
        ]

    def _changed(self) -> None:
        for event in self._watching:
            event.set()


class RouterService(router_pb2_grpc.RouterServicer):
    """Serves tinysns.v1.Router."""

    def __init__(self, routing: Routing) -> None:
        self._routing = routing
        self._streams = itertools.count(1)

    def register(self, message: pb.Message) -> None:
        """A master says once that it exists. Raises BadAddress, Refused."""
        self._routing.heard(message, next(self._streams))

    async def AddMaster(
        self, request: pb.Message, context: "grpc.aio.ServicerContext[pb.Message, pb.Response]"
    ) -> pb.Response:
        try:
            self.register(request)
        except BadAddress as e:
            await abort(context, grpc.StatusCode.INVALID_ARGUMENT, "BAD_ADDRESS", str(e))
        except Refused as e:
            return pb.Response(result=pb.REFUSED, msg=str(e))
        return pb.Response(result=pb.SUCCESS, msg=request.text)

    async def GetAvailable(
        self, request: pb.Message, context: "grpc.aio.ServicerContext[pb.Message, pb.Response]"
    ) -> pb.Response:
        if address := self._routing.for_course_client():
            return pb.Response(result=pb.SUCCESS, msg=address)
        return pb.Response(result=pb.NOT_FOUND, msg=NOBODY_LEFT if self._routing.table.known() else NOBODY_YET)

    async def DualPing(
        self, request_iterator: AsyncIterator[pb.Message], context: "grpc.aio.ServicerContext[pb.Message, pb.Message]"
    ) -> None:
        # Not a generator: the end of a suspended generator would wait for the garbage collector, and it is news.
        stream, spoke = next(self._streams), set[str]()
        try:
            async for message in request_iterator:
                try:
                    self._routing.heard(message, stream)
                except BadAddress as e:
                    await abort(context, grpc.StatusCode.INVALID_ARGUMENT, "BAD_ADDRESS", str(e))
                except Refused as e:
                    await abort(context, grpc.StatusCode.FAILED_PRECONDITION, "FOREIGN_MASTER", str(e))
                spoke.add(message.text)
                await context.write(pb.Message(text=self._routing.available()))
        finally:
            now = time.monotonic()
            for address in spoke:
                self._routing.table.ended(address, stream, now)

    async def GetRoute(
        self, request: pb.RouteRequest, context: "grpc.aio.ServicerContext[pb.RouteRequest, pb.Route]"
    ) -> pb.Route:
        route = self._routing.route(request.stay)
        if route is None:
            sentence = NOBODY_LEFT if self._routing.table.known() else NOBODY_YET
            await abort(context, grpc.StatusCode.UNAVAILABLE, "NO_MASTER", sentence)
        return route

    async def Watch(
        self, request: pb.RouteRequest, context: "grpc.aio.ServicerContext[pb.RouteRequest, pb.Route]"
    ) -> None:
        async with contextlib.aclosing(self._routing.routes(request.stay)) as routes:
            async for route in routes:
                await context.write(route)

    async def GetMasters(
        self, request: pb.MastersRequest, context: "grpc.aio.ServicerContext[pb.MastersRequest, pb.Masters]"
    ) -> pb.Masters:
        return pb.Masters(
            masters=[_known_master(k) for k in self._routing.table.known()],
            router_started_unix_ns=self._routing.me.started_unix_ns,
            router_pid=os.getpid(),
            router_name=self._routing.me.name,
            routers=self._routing.me.routers,
        )


class ObituaryService(slave_pb2_grpc.ObituariesServicer):
    """Serves tinysns.v1.Obituaries: a slave's word takes a dead master off before its stream's end is noticed."""

    def __init__(self, died: Callable[[str, int, float], None]) -> None:
        self._died = died

    async def Announce(
        self,
        request_iterator: AsyncIterator[slave_pb2.Obituary],
        context: "grpc.aio.ServicerContext[slave_pb2.Obituary, slave_pb2.AnnounceEnd]",
    ) -> slave_pb2.AnnounceEnd:
        async for obituary in request_iterator:
            if obituary.incarnation:
                self._died(obituary.name, obituary.incarnation, time.monotonic())
        return slave_pb2.AnnounceEnd()


def _report(message: pb.Message) -> Report:
    s = message.state
    return Report(
        address=message.text,
        name=s.name,
        incarnation=s.incarnation,
        serving=s.serving or not message.HasField("state"),  # one that gives only its address means that it serves
        leader=s.leader,
        term=s.term,
        open_streams=s.open_streams,
        cluster_id=s.cluster_id,
        rank=s.rank,
    )


def _known_master(known: Known) -> pb.KnownMaster:
    r = known.report
    state = pb.MasterState(
        name=r.name,
        incarnation=r.incarnation,
        serving=r.serving,
        leader=r.leader,
        term=r.term,
        open_streams=r.open_streams,
        cluster_id=r.cluster_id,
        rank=r.rank,
    )
    return pb.KnownMaster(address=r.address, state=state, connected=known.connected)
