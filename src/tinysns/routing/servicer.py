"""tinysns.v1.Router and Obituaries: masters report, clients ask, and each change is pushed at once.

The first three calls are those of the original router, which knows a master by the text "address:port" alone; what our
masters say beside it stands in fields of their own.
"""

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Sequence
from random import Random
from typing import Any, NoReturn

import grpc

from tinysns.routing.policy import choose
from tinysns.routing.table import ForeignCluster, Report, Table
from tinysns.rpc.errors import abort
from tinysns.wire.v1 import router_pb2 as pb
from tinysns.wire.v1 import router_pb2_grpc, slave_pb2, slave_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

_ADDRESS = re.compile(r"[0-9a-zA-Z_.\-\[\]:]+:\d{1,5}")
SILENCE_CHECK_SECONDS = 0.1


class RouterService(router_pb2_grpc.RouterServicer, slave_pb2_grpc.ObituariesServicer):
    """`routers`: all routers of this service, for clients that know only one. Needs `watch` to be run."""

    def __init__(self, policy: str, routers: Sequence[str], silence_seconds: float, random: Random) -> None:
        self._policy, self._routers, self._random = policy, tuple(routers), random
        self._table = Table(silence_seconds)
        self._loop = asyncio.get_running_loop()
        self._started_unix_ns = time.time_ns()  # for display
        self._route = pb.Route(routers=self._routers)
        self._watchers: set[asyncio.Event] = set()

    # -- masters ---------------------------------------------------------------------------------------------------

    async def AddMaster(self, request: pb.Message, context: Context) -> pb.Response:
        if not _ADDRESS.fullmatch(request.text):
            await _refuse_address(context, request.text)
        if request.HasField("state"):
            try:
                self._heard(request)
            except ForeignCluster as e:
                return pb.Response(result=pb.REFUSED, msg=str(e))
        return pb.Response(result=pb.SUCCESS, msg=request.text)

    async def GetAvailable(self, request: pb.Message, context: Context) -> pb.Response:
        leader = self._table.leadership(self._loop.time()).address
        if leader:
            return pb.Response(result=pb.SUCCESS, msg=leader)
        if self._route.primary:  # no leader at this moment: the first that lives is in line to be elected
            return pb.Response(result=pb.SUCCESS, msg=self._route.primary)
        return pb.Response(result=pb.NOT_FOUND, msg="no master has reported to this router; see `sns status`")

    async def DualPing(
        self, request_iterator: AsyncIterator[pb.Message], context: Context
    ) -> AsyncIterator[pb.Message]:
        address, incarnation = "", 0
        try:
            async for message in request_iterator:
                if not _ADDRESS.fullmatch(message.text):
                    await _refuse_address(context, message.text)
                address, incarnation = message.text, message.state.incarnation
                try:
                    self._heard(message)
                except ForeignCluster as e:
                    await abort(context, grpc.StatusCode.FAILED_PRECONDITION, "FOREIGN_CLUSTER", str(e))
                yield pb.Message(text=self._route.leader)
        finally:
            if address:
                self._table.lost(address, incarnation)
                self._update()

    async def Announce(
        self, request_iterator: AsyncIterator[slave_pb2.Obituary], context: Context
    ) -> slave_pb2.AnnounceEnd:
        async for obituary in request_iterator:
            if obituary.incarnation:
                self._table.died(obituary.name, obituary.incarnation)
                self._update()
        return slave_pb2.AnnounceEnd()

    # -- clients ---------------------------------------------------------------------------------------------------

    async def GetRoute(self, request: pb.RouteRequest, context: Context) -> pb.Route:
        if not self._route.primary:
            await abort(
                context,
                grpc.StatusCode.UNAVAILABLE,
                "NO_MASTER",
                "no master has reported to this router yet; try again, and see `sns status` if it stays so",
            )
        return self._choice()

    async def Watch(self, request: pb.RouteRequest, context: Context) -> AsyncIterator[pb.Route]:
        changed = asyncio.Event()
        self._watchers.add(changed)
        try:
            if self._route.primary:
                yield self._choice()
            while True:
                await changed.wait()
                changed.clear()  # a slow reader gets the newest route only
                yield self._route
        finally:
            self._watchers.discard(changed)

    async def GetMasters(self, request: pb.MastersRequest, context: Context) -> pb.Masters:
        masters = [
            pb.KnownMaster(address=report.address, state=_state(report), connected=live)
            for report, live in self._table.all(self._loop.time())
        ]
        return pb.Masters(masters=masters, router_started_unix_ns=self._started_unix_ns, router_pid=os.getpid())

    # -- changes ---------------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """For ever: notices masters that fell silent."""
        while True:
            await asyncio.sleep(SILENCE_CHECK_SECONDS)
            self._update()

    def _heard(self, message: pb.Message) -> None:
        self._table.heard(_report(message), self._loop.time())
        self._update()

    def _choice(self) -> pb.Route:
        """For one client: under `balanced` each may get another primary."""
        now = self._loop.time()
        leadership = self._table.leadership(now)
        choice = choose(self._policy, self._table.live(now), leadership.address, self._random)
        return pb.Route(
            primary=choice.primary,
            backups=choice.backups,
            leader=leadership.address,
            term=leadership.term,
            routers=self._routers,
        )

    def _update(self) -> None:
        now = self._loop.time()
        leadership = self._table.leadership(now)
        live = {r.address for r in self._table.live(now)}
        old = self._route
        unchanged = live == {old.primary, *old.backups} - {""}
        if unchanged and (leadership.address, leadership.term) == (old.leader, old.term):
            return  # a change of load alone moves nobody who is connected
        self._route = self._choice()
        for watcher in self._watchers:
            watcher.set()


async def _refuse_address(context: Context, text: str) -> NoReturn:
    sentence = f'a master is named by "address:port", not by {text[:80]!r}'
    await abort(context, grpc.StatusCode.INVALID_ARGUMENT, "BAD_ADDRESS", sentence)


def _report(message: pb.Message) -> Report:
    state = message.state
    return Report(
        address=message.text,
        name=state.name,
        incarnation=state.incarnation,
        serving=state.serving or not message.HasField("state"),
        leader=state.leader,
        term=state.term,
        open_streams=state.open_streams,
        cluster_id=state.cluster_id,
        rank=state.rank,
    )


def _state(report: Report) -> pb.MasterState:
    return pb.MasterState(
        name=report.name,
        incarnation=report.incarnation,
        serving=report.serving,
        leader=report.leader,
        term=report.term,
        open_streams=report.open_streams,
        cluster_id=report.cluster_id,
        rank=report.rank,
    )
