"""The news of a master's death, at a real server."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator

from tests.slave.conftest import MakeHost
from tests.slave.support import Host
from tinysns.rpc.server import Server
from tinysns.slave.obituaries import FRESH_SECONDS
from tinysns.wire.v1 import slave_pb2, slave_pb2_grpc


class Listener(slave_pb2_grpc.ObituariesServicer):
    """Hears what slaves announce."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[tuple[float, slave_pb2.Obituary]] = asyncio.Queue()

    async def Announce(
        self, request_iterator: AsyncIterator[slave_pb2.Obituary], context: object
    ) -> slave_pb2.AnnounceEnd:
        async for obituary in request_iterator:
            self.heard.put_nowait((time.monotonic(), obituary))
        return slave_pb2.AnnounceEnd()

    async def next(self, *, within_seconds: float = 60.0) -> tuple[float, slave_pb2.Obituary]:
        return await asyncio.wait_for(self.heard.get(), within_seconds)


@contextlib.asynccontextmanager
async def listening(address: str) -> AsyncIterator[Listener]:
    """A router, as far as slaves are concerned."""
    listener, server = Listener(), Server()
    slave_pb2_grpc.add_ObituariesServicer_to_server(listener, server.grpc)
    await server.start([address], [])
    try:
        yield listener
    finally:
        await server.stop(0)


async def test_routers_hear_who_died_long_before_the_next_master_is_started(make_host: MakeHost) -> None:
    host = make_host(restart_delay_seconds=2.0)
    async with listening(host.router) as router:
        host.start_slave()
        _, greeting = await router.next()
        assert (greeting.name, greeting.node, greeting.incarnation) == ("h1", 1, 0)
        first = await host.serving()
        os.kill(first.master_pid, signal.SIGKILL)
        heard_at, obituary = await router.next()
        assert obituary == slave_pb2.Obituary(name="h1", node=1, incarnation=first.master_incarnation)
        await host.serving(besides=first.master_pid)
        assert heard_at < host.starts()[1].at
        assert router.heard.empty(), "each death is told once"


async def test_an_orderly_stop_is_told_too(host: Host) -> None:
    async with listening(host.router) as router:
        slave = host.start_slave()
        await router.next()
        first = await host.serving()
        slave.send_signal(signal.SIGTERM)
        _, obituary = await router.next()
        assert obituary.incarnation == first.master_incarnation


async def test_a_peer_that_comes_back_in_time_still_hears_it(host: Host) -> None:
    async with listening(host.router) as router:
        host.start_slave()
        await router.next()
        killed = await host.serving()
    in_time = False
    while not in_time:  # a busy machine may need several tries to be
        os.kill(killed.master_pid, signal.SIGKILL)
        killed_at = time.monotonic()
        async with listening(host.router) as router:
            greeted_at, greeting = await router.next()
            assert greeting.incarnation == 0
            if in_time := greeted_at - killed_at < FRESH_SECONDS / 2:
                _, obituary = await router.next()
                assert obituary.incarnation == killed.master_incarnation
            killed = await host.serving(besides=killed.master_pid)


async def test_old_news_is_not_told(host: Host) -> None:
    host.start_slave()
    first = await host.serving()
    os.kill(first.master_pid, signal.SIGKILL)
    await host.serving(besides=first.master_pid)
    await asyncio.sleep(1.1 * FRESH_SECONDS)  # news older than this is old: that is the test
    async with listening(host.router) as router:
        _, greeting = await router.next()
        assert greeting.incarnation == 0
        second = await host.serving()
        os.kill(second.master_pid, signal.SIGKILL)
        _, obituary = await router.next()
        assert obituary.incarnation == second.master_incarnation
