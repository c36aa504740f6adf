"""The same for clients of the course's interface, which know neither sessions nor retries: who serves them does that.

Through a standby, the router or a deputy the death of the leader is not seen: every reply is the one that belongs to a
write executed once ("Follow Successful", not "Already Following"), and every timeline stays open.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.client.model import Model
from tests.integration.course_clients import SNS, Stream, User
from tests.integration.dying import Doom, mortal_service
from tests.integration.judging import judge
from tests.integration.service import Service
from tinysns.codec import command_to_wire
from tinysns.domain.writes import Command, Follow, Login, Post, Unfollow, Write

pytestmark = pytest.mark.timeout(600)

USERS = 8
POSTS = 60
TYPING_SECONDS = 0.001  # for each line. A stream packs what comes at once into one write: here there are to be several

_case = itertools.count(1)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One for all cases: each has users of its own."""
    with mortal_service(tmp_path_factory.mktemp("exactly-once-course")) as service:
        yield service


@pytest.fixture
def tag() -> str:
    """What the names of this case's users begin with."""
    return f"case{next(_case)}."


def address_of(service: Service, through: str, leader: str) -> str:
    follower = next(name for name in reversed(service.names) if name != leader)
    return {"standby": service.masters[follower], "router": service.router, "deputy": service.deputies["h2"]}[through]


@contextlib.asynccontextmanager
async def user_at(address: str, name: str) -> AsyncIterator[User]:
    user = User(SNS, address, name)
    try:
        yield user
    finally:
        await user.close()


@pytest.mark.parametrize(
    ("through", "point", "kind"),
    [
        *itertools.product(["standby", "router"], ["committed"], [Login, Follow, Unfollow]),
        ("router", "applied", Follow),
        ("deputy", "proposed", Unfollow),
    ],
)
async def test_unary_calls_are_answered_as_if_nobody_had_died(
    service: Service, tag: str, through: str, point: str, kind: type[Write]
) -> None:
    """Eight users at once, each with one call after the other; the leader dies with a call of one of them."""
    await service.ready()
    leader = await service.leader()
    address, target = address_of(service, through, leader), f"{tag}target"
    names = [f"{tag}user{n}" for n in range(USERS)]
    marked = {Login: Login(names[3]), Follow: Follow(names[3], target), Unfollow: Unfollow(names[3], target)}[kind]
    async with user_at(address, target) as first:
        assert await first.login() == "Login Successful!"
    async with Doom(service, leader, point, marked) as doom:
        replies = await asyncio.gather(*(whole_life(address, name, target) for name in names))
        await doom.came()
    assert replies == USERS * [["Login Successful!", "Follow Successful", "UnFollow Successful", "Follow Successful"]]
    await judge(service, model_of(Login(target), *(Login(n) for n in names), *(Follow(n, target) for n in names)), tag)


async def whole_life(address: str, name: str, target: str) -> list[str]:
    async with user_at(address, name) as user:
        return [
            await user.login(),
            await user.follow(target),
            await user.unfollow(target),
            await user.follow(target),
        ]


@pytest.mark.parametrize(
    ("through", "point"),
    [
        ("standby", "committed"),
        ("standby", "applied"),
        ("router", "proposed"),
        ("router", "committed"),
        ("router", "applied"),
        ("deputy", "applied"),
    ],
)
async def test_a_timeline_stays_open_and_all_its_posts_are_stored(
    service: Service, tag: str, through: str, point: str
) -> None:
    leader, author, reader, lines = await ready_to_post(service, tag)
    marked = Post(author, (f"{lines[POSTS // 2]}\n",))
    address = address_of(service, through, leader)
    async with (
        user_at(address, author) as user,
        user_at(address, reader) as follower,
        Doom(service, leader, point, marked) as doom,
        user.timeline() as typing,
        follower.timeline() as reading,
    ):
        await type_slowly(typing, lines)
        assert await reading.read(POSTS) == [(author, line) for line in lines]
        await doom.came()
    await judge(service, model_of(*setting(author, reader), *posts(author, lines)), tag)


async def ready_to_post(service: Service, tag: str) -> tuple[str, str, str, list[str]]:
    """The leader, an author, its only reader, and what it will post."""
    await service.ready()
    author, reader = f"{tag}author", f"{tag}reader"
    async with service.client() as client:
        session = client.session()
        for write in setting(author, reader):
            await session.room()
            session.submit(write)
        await session.drain()
    return await service.leader(), author, reader, [f"{tag} {n}" for n in range(POSTS)]


async def type_slowly(stream: Stream, lines: list[str]) -> None:
    for line in lines:
        await stream.type(line)
        await asyncio.sleep(TYPING_SECONDS)


def setting(author: str, reader: str) -> list[Write]:
    return [Login(author), Login(reader), Follow(reader, author)]


def posts(author: str, lines: list[str]) -> list[Write]:
    return [Post(author, (f"{line}\n",)) for line in lines]


def model_of(*writes: Write) -> Model:
    """What is there after these, each executed once, in this order."""
    model = Model()
    for number, write in enumerate(writes, start=1):
        model.apply(command_to_wire(Command(1, number, write)))
    return model
