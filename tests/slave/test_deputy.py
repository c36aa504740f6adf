"""The deputy router in the slave: whatever happens to it, the slave goes on, and so does it."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator

import grpc
import pytest

from tests.slave.support import free_ports, until
from tinysns.routing.servicer import Routing
from tinysns.routing.serving import RoutingServer
from tinysns.rpc.channels import open_channel
from tinysns.runtime.settings import RoutingSettings
from tinysns.slave import deputy
from tinysns.slave.deputy import Deputy
from tinysns.wire.v1 import router_pb2 as pb
from tinysns.wire.v1 import router_pb2_grpc

DEADLINE_SECONDS = 60.0


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deputy, "AGAIN_SECONDS", 0.05)


@contextlib.asynccontextmanager
async def running(address: str) -> AsyncIterator[None]:
    """A deputy there, closed in order."""
    here = Deputy("h2", ("127.0.0.1:1", address), RoutingSettings(listen=address))
    task = asyncio.create_task(here.run())
    yield
    await asyncio.wait_for(here.close(), DEADLINE_SECONDS)
    await task


async def ask(address: str) -> pb.Masters:
    """As soon as it answers."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            with contextlib.suppress(grpc.aio.AioRpcError):
                async with open_channel(address) as channel:
                    return await router_pb2_grpc.RouterStub(channel).GetMasters(pb.MastersRequest(), timeout=1)


def address() -> str:
    return f"127.0.0.1:{free_ports(1)[0]}"


async def test_it_answers_as_a_router_does() -> None:
    at = address()
    async with running(at):
        masters = await ask(at)
        assert (masters.router_name, list(masters.routers)) == ("h2", ["127.0.0.1:1", at])


async def test_it_takes_its_port_once_that_is_free_and_has_complained_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    at, attempts, start = address(), list[str](), RoutingServer.start

    async def counted(self: RoutingServer) -> None:
        attempts.append(at)
        await start(self)

    monkeypatch.setattr(RoutingServer, "start", counted)
    taken = socket.create_server(("127.0.0.1", int(at.rpartition(":")[2])))
    async with running(at):
        await until("three attempts", lambda: len(attempts) >= 3)
        taken.close()
        await ask(at)
    complaints = [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]
    assert len(complaints) == 1
    assert complaints[0].startswith(f"there is no deputy router on this host: cannot listen on {at}")


async def test_a_bug_in_it_closes_it_and_opens_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    at, crashes, watch_silence = address(), list[str](), Routing.watch_silence

    async def watch_silence_once_badly(self: Routing) -> None:
        if not crashes:
            crashes.append("once")
            raise AssertionError("a bug")
        await watch_silence(self)

    monkeypatch.setattr(Routing, "watch_silence", watch_silence_once_badly)
    async with running(at):
        await ask(at)
    assert crashes
