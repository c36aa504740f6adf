"""Clients of the course that take port 3010 for the server, while masters are killed behind it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

from tests.integration.course_clients import MESSENGER, SNS, User
from tests.integration.service import Service, until
from tinysns.rpc.errors import info

pytestmark = pytest.mark.timeout(600)

WRITERS = 8
WORDS = {SNS: ("Follow Successful", "UnFollow Successful"), MESSENGER: ("Join Successful", "Leave Successful")}


@asynccontextmanager
async def user(service: Service, prefix: str, number: int) -> AsyncIterator[User]:
    """Of one interface or the other, at one router or another."""
    user = User((SNS, MESSENGER)[number % 2], service.routers[number % len(service.routers)], f"{prefix}user{number}")
    try:
        yield user
    finally:
        await user.close()


class Writers:
    """Users who log in, follow and unfollow without a pause; each reply tells whether a write was executed twice."""

    def __init__(self, service: Service, prefix: str) -> None:
        self._service, self._prefix = service, prefix
        self.calls = 0
        self._stopping = False

    async def __aenter__(self) -> "Writers":
        await self._service.ready()
        async with user(self._service, self._prefix, 0) as target:
            await target.login()
        self._tasks = [asyncio.ensure_future(self._write(1 + number)) for number in range(WRITERS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        async with asyncio.timeout(120):
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
        async with user(self._service, self._prefix, number) as writer:
            followed, left = WORDS[writer.interface]
            assert await writer.login() == "Login Successful!"
            while not self._stopping:
                assert await writer.follow(f"{self._prefix}user0") == followed
                assert await writer.unfollow(f"{self._prefix}user0") == left
                self.calls += 2
                await asyncio.sleep(0.003)


async def test_unary_calls_go_on_through_kills_of_the_available_master_and_take_effect_once(service: Service) -> None:
    async with Writers(service, "kills.") as writers:
        await writers.goes_on()
        for _ in range(3):
            service.kill_master(await service.leader())
            await writers.goes_on()
    await service.leader()
    await service.digests_agree()


async def test_unary_calls_go_on_when_the_available_master_hangs(service: Service) -> None:
    async with Writers(service, "hangs.") as writers:
        await writers.goes_on()
        os.kill(service.master_pid(await service.leader()), signal.SIGSTOP)
        await writers.goes_on()


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_timeline_ends_with_its_master_and_can_be_opened_again(service: Service, sent: signal.Signals) -> None:
    await service.ready()
    prefix = f"{sent.name}."
    async with user(service, prefix, 0) as author, user(service, prefix, 1) as reader:
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
