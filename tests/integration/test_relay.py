"""Clients of the course that take port 3010 for the server, while masters are killed behind it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc
import pytest

from tests.integration.course_clients import MESSENGER, SNS, User
from tests.integration.service import Service, until
from tinysns.rpc.errors import info

pytestmark = pytest.mark.timeout(300)

WRITERS = 8
WORDS = {SNS: ("Follow Successful", "UnFollow Successful"), MESSENGER: ("Join Successful", "Leave Successful")}


@asynccontextmanager
async def user(service: Service, number: int) -> AsyncIterator[User]:
    """Of one interface or the other, at one router or another."""
    user = User((SNS, MESSENGER)[number % 2], service.routers[number % len(service.routers)], f"user{number}")
    try:
        yield user
    finally:
        await user.close()


class Writers:
    """Users who log in, follow and unfollow without a pause; each reply tells whether a write was executed twice."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.calls = 0
        self._stopping = False

    async def __aenter__(self) -> "Writers":
        await self._service.ready()
        async with user(self._service, 0) as target:
            await target.login()
        self._tasks = [asyncio.ensure_future(self._write(1 + number)) for number in range(WRITERS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        async with asyncio.timeout(60):
            await asyncio.gather(*self._tasks)

    async def goes_on(self, calls: int = 100) -> None:
        goal = self.calls + calls

        async def reached() -> bool:
            for task in self._tasks:
                if task.done():
                    task.result()
            return self.calls >= goal

        await until(reached, f"{calls} more calls were answered")

    async def _write(self, number: int) -> None:
        async with user(self._service, number) as writer:
            followed, left = WORDS[writer.interface]
            assert await writer.login() == "Login Successful!"
            while not self._stopping:
                assert await writer.follow("user0") == followed
                assert await writer.unfollow("user0") == left
                self.calls += 2
                await asyncio.sleep(0.003)


async def test_unary_calls_go_on_through_kills_of_the_available_master_and_take_effect_once(service: Service) -> None:
    async with Writers(service) as writers:
        await writers.goes_on()
        for _ in range(3):
            service.kill_master(await service.leader())
            await writers.goes_on()
    await service.leader()
    await service.digests_agree()


async def test_unary_calls_go_on_when_the_available_master_hangs(make_service: Callable[..., Service]) -> None:
    service = make_service(3, slave_settings="silence_seconds = 1.0")
    service.start()
    async with Writers(service) as writers:
        await writers.goes_on()
        os.kill(service.master_pid(await service.leader()), signal.SIGSTOP)
        await writers.goes_on()


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_timeline_ends_with_its_master_and_can_be_opened_again(service: Service, sent: signal.Signals) -> None:
    await service.ready()
    async with user(service, 0) as author, user(service, 1) as reader:
        await author.login()
        await reader.login()
        await reader.follow(author.name)
        leader = await service.leader()
        async with reader.timeline() as stream:
            await author.post("before")
            assert await stream.read(1) == [(author.name, "before")]
            os.kill(service.master_pid(leader), sent)
            with pytest.raises(grpc.aio.AioRpcError, match="open the timeline again") as ended:
                await stream.read(1)
        assert (ended.value.code(), info(ended.value)) == (grpc.StatusCode.UNAVAILABLE, ("MASTER_LOST", False))
        async with reader.timeline() as stream:
            assert await stream.read(1) == [(author.name, "before")]
            await author.post("after")
            assert await stream.read(1) == [(author.name, "after")]


async def test_relayed_timelines_are_spread_under_balanced(make_service: Callable[..., Service]) -> None:
    service = make_service(4, policy="balanced")
    service.start()
    await service.ready()
    streams = []
    async with user(service, 0) as author:
        await author.login()
        for _ in range(80):  # by one router: what four do that ask for themselves is in test_balance
            reader = User(SNS, service.router, author.name)
            stream = reader.stream()
            await stream.write("Set Stream")
            await stream.call.initial_metadata()
            streams.append((reader, stream))
        loads = []

        async def all_count() -> bool:
            found = await asyncio.gather(*(service.master_status(name) for name in service.names))
            loads[:] = [status.open_streams for status in found if status is not None]
            return sum(loads) == len(streams)

        await until(all_count, "each relayed timeline counts as a stream of its master")
        assert all(18 <= load <= 22 for load in loads), loads
        for reader, stream in streams:
            stream.call.cancel()
            await reader.close()
