"""Clients of the course that take port 3010 for the server: what their users see while everything behind it is killed.

They are made from the proto files alone, and heed neither what becomes of a write nor the end of a stream.
"""

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.integration.course_clients import MESSENGER, SNS, Interface, Stream, User
from tests.integration.service import Service, until

pytestmark = pytest.mark.timeout(120)

WRITERS = 8
WORDS = {SNS: ("Follow Successful", "UnFollow Successful"), MESSENGER: ("Join Successful", "Leave Successful")}
LINES = 60
TYPING_SECONDS = 0.01
BURST = 10_000

_case = itertools.count(1)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One for all cases: each has users of its own."""
    service = Service(tmp_path_factory.mktemp("proxy"), 3)
    service.start()
    yield service
    service.end()


@pytest.fixture
def tag() -> str:
    """What the names of this case's users begin with."""
    return f"case{next(_case)}."


@asynccontextmanager
async def user(interface: Interface, address: str, name: str) -> AsyncIterator[User]:
    """Logged in."""
    user = User(interface, address, name)
    try:
        await user.login()
        yield user
    finally:
        await user.close()


@asynccontextmanager
async def author_and_reader(author_at: str, reader_at: str, tag: str) -> AsyncIterator[tuple[User, User]]:
    """One follows the other."""
    async with user(SNS, author_at, f"{tag}author") as author, user(MESSENGER, reader_at, f"{tag}reader") as reader:
        await reader.follow(author.name)
        yield author, reader


async def kill(service: Service, what: str, spared: str) -> None:
    """`spared`: the host whose slave must live, since its deputy is the test's own."""
    leader = await service.leader()
    other = next(name for name in reversed(service.names) if name not in (leader, spared))
    match what:
        case "available":
            service.kill_master(leader)
        case "standby":
            service.kill_master(other)
        case "slave of available" if leader != spared:
            service.kill(leader)
        case "slave of a standby" | "slave of available":
            service.kill(other)
        case "router" if spared:
            service.kill("router")
        case "router":
            service.kill(other)  # with the deputy in it


def revive_all(service: Service) -> None:
    for name in ("router", *service.names):
        service.revive(name)


async def all_of(stream: Stream, author: User, lines: list[str]) -> None:
    """The stream shows these lines, and nothing in between."""
    posts = []
    for _ in lines:
        message = await asyncio.wait_for(stream.call.read(), 20)
        posts.append((message.username, message.msg.removesuffix("\n")))
    assert posts == [(author.name, line) for line in lines]


@pytest.mark.parametrize("where", ["router", "deputy"])
@pytest.mark.parametrize("what", ["available", "standby", "slave of available", "router"])
async def test_users_see_each_line_once_and_in_order_whatever_is_killed(
    shared: Service, tag: str, where: str, what: str
) -> None:
    await shared.ready()
    spared = "" if where == "router" else "h2"
    address = shared.router if where == "router" else shared.deputies["h2"]
    async with author_and_reader(address, address, tag) as (author, reader):
        early = [f"{tag}early {n}" for n in range(25)]
        await author.post(*early, seen_by=reader)
        async with author.timeline() as typing, reader.timeline() as reading:
            assert await reading.read(20) == [(author.name, line) for line in reversed(early[5:])]
            lines = [f"{tag}{n}" for n in range(LINES)]
            blindly = asyncio.create_task(typing.type_blindly(*lines, pause_seconds=TYPING_SECONDS))
            await asyncio.sleep(LINES * TYPING_SECONDS / 3)
            await kill(shared, what, spared)
            await blindly
            await all_of(reading, author, lines)
            revive_all(shared)
            await typing.type_blindly(f"{tag}last")  # the streams are the same as in the beginning
            await all_of(reading, author, [f"{tag}last"])


async def test_a_burst_of_a_client_that_never_looks_is_stored_once_and_in_order_through_two_kills(
    shared: Service, tag: str
) -> None:
    await shared.ready()
    lines = [f"{tag}{n}" for n in range(BURST)]
    async with author_and_reader(shared.router, shared.deputies["h2"], tag) as (author, reader):
        async with author.timeline() as typing, reader.timeline() as reading:
            blindly = asyncio.create_task(typing.type_blindly(*lines))
            seen = asyncio.create_task(all_of(reading, author, lines))
            for _ in range(2):
                await asyncio.sleep(0.3)
                await kill(shared, "available", "h2")
            await blindly
            await typing.call.done_writing()
            await seen
        async with shared.client() as client:
            assert [post.text for post in await client.history(reader.name)] == [f"{line}\n" for line in lines]


async def test_a_client_that_has_ended_its_side_reads_on_through_a_kill(shared: Service, tag: str) -> None:
    await shared.ready()
    async with author_and_reader(shared.router, shared.router, tag) as (author, reader):
        await author.follow(reader.name)
        await author.post("one", "two", seen_by=reader)
        async with author.timeline() as typing, reader.timeline() as reading:
            await reading.type("my last one")
            await reading.call.done_writing()
            assert await typing.read(1) == [(reader.name, "my last one")]
            assert await reading.read(2) == [(author.name, "two"), (author.name, "one")]
            await kill(shared, "available", "")
            await typing.type_blindly("three")
            assert await reading.read(1) == [(author.name, "three")]


async def test_what_a_client_posted_before_it_hung_up_is_stored(shared: Service, tag: str) -> None:
    await shared.ready()
    async with (
        author_and_reader(shared.router, shared.router, tag) as (author, reader),
        reader.timeline() as reading,
    ):
        async with author.timeline() as typing:
            await typing.type("first")
            assert await reading.read(1) == [(author.name, "first")]
            await kill(shared, "available", "")
            await typing.type_blindly("second", "third")
            await asyncio.sleep(0.02)  # a hang-up overtakes what has not been read
        await all_of(reading, author, ["second", "third"])


class Writers:
    """Users who log in, follow and unfollow without a pause; each reply tells whether a write was executed twice."""

    def __init__(self, service: Service, tag: str) -> None:
        self._service, self._tag = service, tag
        self.calls = 0
        self._stopping = False

    async def __aenter__(self) -> "Writers":
        await self._service.ready()
        async with user(SNS, self._service.router, f"{self._tag}target"):
            pass
        self._tasks = [asyncio.ensure_future(self._write(number)) for number in range(WRITERS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        async with asyncio.timeout(20):
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
        """Of one interface or the other, at one router or another."""
        interface = (SNS, MESSENGER)[number % 2]
        router = self._service.routers[number % len(self._service.routers)]
        async with user(interface, router, f"{self._tag}user{number}") as writer:
            followed, left = WORDS[interface]
            while not self._stopping:
                assert await writer.follow(f"{self._tag}target") == followed
                assert await writer.unfollow(f"{self._tag}target") == left
                self.calls += 2
                await asyncio.sleep(0.003)


async def test_unary_calls_go_on_through_kills_of_the_available_master_and_take_effect_once(
    shared: Service, tag: str
) -> None:
    async with Writers(shared, tag) as writers:
        await writers.goes_on()
        for _ in range(3):
            shared.kill_master(await shared.leader())
            await writers.goes_on()
    await shared.leader()
    await shared.digests_agree()


async def test_unary_calls_and_timelines_go_on_when_the_available_master_hangs(shared: Service, tag: str) -> None:
    async with (
        Writers(shared, tag) as writers,
        author_and_reader(shared.router, shared.router, tag) as (author, reader),
        author.timeline() as typing,
        reader.timeline() as reading,
    ):
        await writers.goes_on()
        os.kill(shared.master_pid(await shared.leader()), signal.SIGSTOP)
        lines = [f"{n}" for n in range(20)]
        await typing.type_blindly(*lines)
        await all_of(reading, author, lines)
        await writers.goes_on()


async def test_timelines_are_spread_under_balanced(make_service: Callable[..., Service]) -> None:
    service = make_service(4, policy="balanced")
    service.start()
    await service.ready()
    streams = []
    async with user(SNS, service.router, "author") as author:
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

        await until(all_count, "each timeline counts as a stream of its master")
        assert all(18 <= load <= 22 for load in loads), loads
        for reader, stream in streams:
            stream.call.cancel()
            await reader.close()
