"""Obituaries: when its master dies, the slave tells all routers over streams that are open already. (The other masters
know it before it does, by their lifelines.)

A stream whose peer went away is opened again all the time. An obituary waits a moment for peers that are just coming
back, and no longer: later they have learned it in other ways, and old news about a dead master helps nobody.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tinysns.rpc.channels import open_channel
from tinysns.runtime.settings import Member
from tinysns.runtime.tasks import Tasks
from tinysns.wire.v1 import slave_pb2, slave_pb2_grpc

log = logging.getLogger(__name__)

FRESH_SECONDS = 1.0
RECONNECT_SECONDS = 0.05
# A path that was cut leaves a stream that looks open for minutes. So each is asked whether it answers.
ASK_SECONDS = 1.0
CLOSE_SECONDS = 0.2

_DEAD = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class Obituaries:
    """The slave's streams to `routers`: "address:port" of each."""

    def __init__(self, me: Member, routers: Sequence[str], tasks: Tasks) -> None:
        self._me = me
        self._links = [_Link(router, slave_pb2.Obituary(name=me.name, node=me.node)) for router in routers]
        for link in self._links:
            tasks.start(f"obituaries to {link.address}", link.run())

    def announce(self, incarnation: int) -> None:
        """The master of this incarnation is dead."""
        obituary = slave_pb2.Obituary(name=self._me.name, node=self._me.node, incarnation=incarnation)
        for link in self._links:
            link.announce(obituary)

    async def close(self) -> None:
        """Lets what was announced arrive, for a moment."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(link.close() for link in self._links)), CLOSE_SECONDS)


class _Link:
    def __init__(self, address: str, greeting: slave_pb2.Obituary) -> None:
        self.address = address
        self._greeting = greeting
        self._news: slave_pb2.Obituary | None = None
        self._news_at = 0.0
        self._wake = asyncio.Event()
        self._closing = False
        self._closed = asyncio.Event()
        self._open = False

    def announce(self, obituary: slave_pb2.Obituary) -> None:
        self._news, self._news_at = obituary, time.monotonic()
        self._wake.set()

    async def close(self) -> None:
        """Returns once the peer has read everything, at once if there is no stream."""
        self._closing = True
        self._wake.set()
        if self._open:
            await self._closed.wait()

    async def run(self) -> None:
        while not self._closing:
            async with open_channel(self.address) as channel:
                try:
                    await self._session(channel)
                except grpc.aio.AioRpcError as e:
                    log.debug("no stream to %s: %s", self.address, e.details())
                except asyncio.InvalidStateError:  # the call ended between the look and the write
                    log.debug("the stream to %s has ended", self.address)
                # Only then is the channel closed: an election has better use for the processor.
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _session(self, channel: grpc.aio.Channel) -> None:
        await _ask(channel)
        call = slave_pb2_grpc.ObituariesStub(channel).Announce()
        call.add_done_callback(lambda _: self._wake.set())
        writing = asyncio.create_task(self._write(call), name=f"write to {self.address}")
        self._open = True
        try:
            while not writing.done():
                if not (await asyncio.wait({writing}, timeout=ASK_SECONDS))[0]:
                    await _ask(channel)
            await writing
        finally:
            self._open = False
            self._closed.set()
            writing.cancel()
            await asyncio.wait({writing})
            call.cancel()

    async def _write(self, call: "grpc.aio.StreamUnaryCall[slave_pb2.Obituary, slave_pb2.AnnounceEnd]") -> None:
        await call.write(self._greeting)
        while not call.done():
            self._wake.clear()
            if self._news is not None and time.monotonic() - self._news_at < FRESH_SECONDS:
                obituary, self._news = self._news, None
                await call.write(obituary)
            elif self._closing:
                await call.done_writing()
                await call
                return
            else:
                await self._wake.wait()


async def _ask(channel: grpc.aio.Channel) -> None:
    """Raises AioRpcError if the peer does not answer."""
    try:
        check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]  # it ships no types
        await check(health_pb2.HealthCheckRequest(), timeout=ASK_SECONDS)
    except grpc.aio.AioRpcError as e:
        if e.code() in _DEAD:
            raise
