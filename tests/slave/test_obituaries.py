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
    """A master or a router, as far as slaves are concerned."""
    listener, server = Listener(), Server()
    slave_pb2_grpc.add_ObituariesServicer_to_server(listener, server.grpc)
    await server.start([address], [])
    try:
        yield listener
    finally:
        await server.stop(0)


async def test_masters_and_routers_hear_who_died_long_before_the_next_master_is_started(make_host: MakeHost) -> None:
    host = make_host(restart_delay_seconds=2.0)
    async with listening(host.peer) as master, listening(host.router) as router:
        host.start_slave()
        for listener in (master, router):
            _, greeting = await listener.next()
            assert (greeting.name, greeting.node, greeting.incarnation) == ("h1", 1, 0)
        first = await host.serving()
        os.kill(first.master_pid, signal.SIGKILL)
        heard_at = []
        for listener in (master, router):
            at, obituary = await listener.next()
            assert obituary == slave_pb2.Obituary(name="h1", node=1, incarnation=first.master_incarnation)
            heard_at.append(at)
        await host.serving(besides=first.master_pid)
        assert max(heard_at) < host.starts()[1].at
        assert master.heard.empty(), "each death is told once"


async def test_a_death_that_nothing_foretells_is_told_all_the_same(host: Host) -> None:
    async with listening(host.peer) as master:
        host.start_slave()
        first = await host.serving()
        host.kill_slave()
        (host.folder / "master.mutex").unlink()
        host.start_slave()
        assert (await host.serving()).master_pid == first.master_pid
        os.kill(first.master_pid, signal.SIGKILL)
        while (obituary := (await master.next())[1]).incarnation == 0:
            pass
        assert obituary.incarnation == first.master_incarnation
        assert "will be noticed some ms later" in host.log.read_text()


async def test_an_orderly_stop_is_told_too(host: Host) -> None:
    async with listening(host.peer) as master:
        slave = host.start_slave()
        await master.next()
        first = await host.serving()
        slave.send_signal(signal.SIGTERM)
        _, obituary = await master.next()
        assert obituary.incarnation == first.master_incarnation


async def test_a_peer_that_comes_back_in_time_still_hears_it(host: Host) -> None:
    async with listening(host.peer) as master:
        host.start_slave()
        await master.next()
        killed = await host.serving()
    in_time = False
    while not in_time:  # a busy machine may need several tries to be
        os.kill(killed.master_pid, signal.SIGKILL)
        killed_at = time.monotonic()
        async with listening(host.peer) as master:
            greeted_at, greeting = await master.next()
            assert greeting.incarnation == 0
            if in_time := greeted_at - killed_at < FRESH_SECONDS / 2:
                _, obituary = await master.next()
                assert obituary.incarnation == killed.master_incarnation
            killed = await host.serving(besides=killed.master_pid)


async def test_old_news_is_not_told(host: Host) -> None:
    host.start_slave()
    first = await host.serving()
    os.kill(first.master_pid, signal.SIGKILL)
    await host.serving(besides=first.master_pid)
    await asyncio.sleep(1.1 * FRESH_SECONDS)  # news older than this is old: that is the test
    async with listening(host.peer) as master:
        _, greeting = await master.next()
        assert greeting.incarnation == 0
        second = await host.serving()
        os.kill(second.master_pid, signal.SIGKILL)
        _, obituary = await master.next()
        assert obituary.incarnation == second.master_incarnation
