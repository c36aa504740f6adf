"""Policy `balanced`, with real processes: four masters and 400 idle timelines, of which each master holds 90-110.

Clients that were generated from the proto files alone ask a router where to go, and go there.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import pytest

from tests.integration.course_clients import SNS, User
from tests.integration.service import Service, until
from tinysns.client import Limits, masters
from tinysns.wire.csce438 import sns_pb2, sns_pb2_grpc
from tinysns.wire.v1 import router_pb2, router_pb2_grpc

pytestmark = pytest.mark.timeout(600)

TIMELINES, FEWEST, MOST = 400, 90, 110
RELAYED = 80
READER = "reader"
IDLE_HEARTBEAT_MS = 5000


class RawClients:
    """Clients of the course with timelines that stay open; they share connections, as nothing here depends on those."""

    def __init__(self, service: Service, stack: AsyncExitStack) -> None:
        self._service = service
        self._stack = stack
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._timelines: dict[str, list[grpc.aio.Call]] = defaultdict(list)

    async def channel(self, address: str) -> grpc.aio.Channel:
        if address not in self._channels:
            self._channels[address] = grpc.aio.insecure_channel(address)
            await self._stack.enter_async_context(self._channels[address])
        return self._channels[address]

    async def ask(self, router: str) -> str:
        """The primary that this router gives to a new client."""
        stub = router_pb2_grpc.RouterStub(await self.channel(router))
        return str((await stub.GetRoute(router_pb2.RouteRequest(), timeout=60)).primary)

    async def open(self, master: str) -> None:
        """Returns once the timeline is open."""
        call = sns_pb2_grpc.SNSServiceStub(await self.channel(master)).Timeline()
        self._timelines[master].append(call)
        await call.write(sns_pb2.Message(username=READER, msg="Set Stream"))
        await call.initial_metadata()

    async def open_by(self, router: str) -> None:
        await self.open(await self.ask(router))

    async def open_by_any_of_all(self) -> None:
        """Asks all routers in parallel, and goes by any one of the answers."""
        answers = await asyncio.gather(*(self.ask(router) for router in self._service.routers))
        await self.open(random.choice(answers))

    async def open_again(self, dead: str) -> None:
        """Those whose timelines end with this master ask for another one, each on its own."""

        async def one(timeline: grpc.aio.Call) -> None:
            await timeline.code()
            await self.open_by(self._service.router)

        await asyncio.gather(*(one(timeline) for timeline in self._timelines.pop(dead)))


@pytest.fixture(scope="module")
def _balanced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("balanced"), 4, policy="balanced")
    yield service
    service.end()


@pytest.fixture
async def balanced(_balanced: Service) -> Service:
    """The same for all tests, each of which finds it without a single timeline."""
    _balanced.start()
    await _balanced.ready()
    await open_streams(_balanced, 0)
    return _balanced


@asynccontextmanager
async def raw_clients(service: Service) -> AsyncIterator[RawClients]:
    async with AsyncExitStack() as stack:
        clients = RawClients(service, stack)
        stub = sns_pb2_grpc.SNSServiceStub(await clients.channel(service.masters["h1"]))
        await stub.Login(sns_pb2.Request(username=READER), timeout=60)
        yield clients


async def open_streams(service: Service, all_in_all: int) -> dict[str, int]:
    """Of each master, by name, as soon as there are so many."""
    found: dict[str, int] = {}

    async def so_many() -> bool:
        states = await asyncio.gather(*(service.master_status(name) for name in service.names))
        found.update({n: s.open_streams if s is not None else 0 for n, s in zip(service.names, states, strict=True)})
        return sum(found.values()) == all_in_all

    await until(so_many, f"{all_in_all} timelines are open")
    return found


async def assert_balanced(service: Service) -> None:
    found = await open_streams(service, TIMELINES)
    assert all(FEWEST <= n <= MOST for n in found.values()), found


async def test_one_after_the_other(balanced: Service) -> None:
    async with raw_clients(balanced) as clients:
        for _ in range(TIMELINES):
            await clients.open_by(balanced.router)
        await assert_balanced(balanced)


async def test_all_at_once(balanced: Service) -> None:
    async with raw_clients(balanced) as clients:
        await asyncio.gather(*(clients.open_by(balanced.router) for _ in range(TIMELINES)))
        await assert_balanced(balanced)


async def test_at_once_by_all_routers(balanced: Service) -> None:
    async with raw_clients(balanced) as clients:
        await asyncio.gather(*(clients.open_by(balanced.routers[i % 4]) for i in range(TIMELINES)))
        await assert_balanced(balanced)


async def test_one_after_the_other_by_any_answer_of_all_routers(balanced: Service) -> None:
    async with raw_clients(balanced) as clients:
        for _ in range(TIMELINES):
            await clients.open_by_any_of_all()
        await assert_balanced(balanced)


@pytest.mark.parametrize("clients", [1, 20])
async def test_clients_of_ours_at_once(balanced: Service, monkeypatch: pytest.MonkeyPatch, clients: int) -> None:
    # A busy machine connects to one master long before the others; then a client would begin with what it has.
    monkeypatch.setattr(masters, "_ADVANTAGE_SECONDS", 60.0)
    patient = Limits(deadline_seconds=120.0, connect_seconds=120.0, try_seconds=60.0)
    async with raw_clients(balanced), AsyncExitStack() as stack:
        ours = [balanced.client(patient) for _ in range(clients)]
        await asyncio.gather(*(stack.enter_async_context(client) for client in ours))

        async def read(number: int) -> None:
            async for _ in ours[number % clients].timeline_batches(READER, heartbeat_ms=IDLE_HEARTBEAT_MS):
                pass

        reading = [asyncio.create_task(read(number)) for number in range(TIMELINES)]
        try:
            await assert_balanced(balanced)
        finally:
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)


async def test_relayed_timelines(balanced: Service) -> None:
    """By one router: what four do that ask for themselves, the others show."""
    async with raw_clients(balanced), AsyncExitStack() as stack:
        for _ in range(RELAYED):
            reader = User(SNS, balanced.router, READER)
            stack.push_async_callback(reader.close)
            stream = reader.stream()
            stack.callback(stream.call.cancel)
            await stream.write("Set Stream")
            await stream.call.initial_metadata()
        found = await open_streams(balanced, RELAYED)
        assert all(18 <= n <= 22 for n in found.values()), found


async def test_the_share_of_a_killed_master_goes_to_all_others(balanced: Service) -> None:
    async with raw_clients(balanced) as clients:
        await asyncio.gather(*(clients.open_by(balanced.router) for _ in range(TIMELINES)))
        before = await open_streams(balanced, TIMELINES)
        dead = "h2"
        balanced.kill(dead)  # its slave first, or the master would be back too soon to be missed
        balanced.kill_master(dead)
        await clients.open_again(balanced.masters[dead])
        after = await open_streams(balanced, TIMELINES)
        assert after[dead] == 0
        assert all(before[name] < after[name] <= 147 for name in balanced.names if name != dead), after
