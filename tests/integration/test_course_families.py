"""Each family of the course's clients, from its proto files alone: from the routing call to a timeline that works."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

import grpc
import pytest

from tests.course_replies import REPLIES, UNFOLLOW
from tests.integration.course_clients import MESSENGER, SNS, Interface, User, ask
from tests.integration.course_scenarios import users
from tests.integration.service import Service, until

pytestmark = pytest.mark.timeout(120)


@dataclass(frozen=True)
class Family:
    """How its clients come in, and what they then speak."""

    name: str
    interface: Interface
    dialect: str
    path: str = ""
    """of the routing call; empty: they take the address that they know for the server's"""
    address: Callable[..., str] = lambda reply: reply.msg
    """in the reply"""


def endpoint(place: int) -> Callable[[Any], str]:
    """One of the addresses in a list."""
    return lambda reply: reply.msg.split(",")[place]


def server(reply: Any) -> str:
    """The address in a ServerInfo."""
    return f"{reply.hostname}:{reply.port}"


FAMILIES = (
    Family("snsRoute", SNS, "spring2019", "/tsnsr.snsRoute/GetAvailable"),
    Family("SNSRouter", SNS, "spring2019", "/csce438.SNSRouter/GetConnectInfo", endpoint(0)),
    Family(
        "SNSRouter 2", SNS, "spring2019", "/csce438.SNSRouter/GetConnectInfo", lambda reply: reply.msg.split(",")[1]
    ),
    Family("coordinator", replace(SNS, first="INIT"), "spring2019", "/csce438.CoordService/GetServer", server),
    Family(
        "coordinator 662",
        replace(SNS, package="csce662", first=""),
        "fall2023",
        "/csce662.CoordService/GetServer",
        server,
    ),
    Family("master", MESSENGER, "hw2", "/hw2.MasterServer/ConnectionPoint", lambda reply: reply.location),
    Family("hw4", replace(MESSENGER, package="hw4"), "hw2"),
    Family("Unfollow", replace(SNS, unfollow="Unfollow", first="conn-establish"), "spring2019"),
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service for all of them. Nobody of a family notices that it wants a single login, who does not log in twice."""
    service = Service(tmp_path_factory.mktemp("families"), 3, single_login=True)
    service.start()
    asyncio.run(service.ready())
    yield service
    service.end()


@pytest.mark.parametrize("where", ["router", "backup router"])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
async def test_from_the_routing_call_to_a_timeline(shared: Service, family: Family, where: str) -> None:
    asked = shared.router if where == "router" else next(iter(shared.deputies.values()))
    address = await routed(family, asked)
    assert address in shared.routers, "a router that proxies"
    number = 1000 * (FAMILIES.index(family) + 1) + len(where)
    ann, bob = str(number), str(number + 1)  # some families have numbers for names
    words = REPLIES[family.dialect]
    async with users(family.interface, address, ann, bob) as (author, reader):
        assert await author.login() == words["known"].format(ann)
        assert await reader.follow(ann) == words["followed"]
        assert {ann, bob} <= set((await reader.list())[0])
        async with author.timeline() as writing, reader.timeline() as reading:
            await writing.type("one", "two")
            assert await reading.read(2) == [(ann, "one"), (ann, "two")]
        if family.interface.unfollow == "Unfollow":
            words = UNFOLLOW
        assert await reader.unfollow(ann) == words["unfollowed"]
        assert await reader.unfollow(ann) == words["unfollow not followed"]


async def test_the_server_that_was_given_answers_a_ping(shared: Service) -> None:
    for address in (*shared.routers, *shared.masters.values()):
        async with grpc.aio.insecure_channel(address) as channel:
            await ask(channel, "/csce438.SNSService/Ping")


async def test_users_of_all_families_see_each_other(shared: Service) -> None:
    async with users(SNS, shared.router, "author") as (author,), AsyncExitStack() as stack:
        readings = []
        for number, family in enumerate(FAMILIES):
            (reader,) = await stack.enter_async_context(users(family.interface, shared.router, f"reader{number}"))
            await reader.follow(author.name)
            readings.append(await stack.enter_async_context(reader.timeline()))
        writing = await stack.enter_async_context(author.timeline())
        await writing.type("to all")
        for reading in readings:
            assert await reading.read(1) == [(author.name, "to all")]


async def test_who_is_in_a_timeline_over_one_router_cannot_log_in_over_another(shared: Service) -> None:
    others = (*shared.deputies.values(), shared.masters[await shared.leader()])
    async with users(SNS, shared.router, "once") as (first,), AsyncExitStack() as stack:
        async with first.timeline():
            for address in others:
                second = User(SNS, address, "once")
                stack.push_async_callback(second.close)
                assert await second.login() == "Invalid Username"

        async def let_in() -> bool:
            return await first.login() == "Welcome Back once"

        await until(let_in, "the timeline is closed")


async def routed(family: Family, router: str) -> str:
    if not family.path:
        return router
    async with grpc.aio.insecure_channel(router) as channel:
        return family.address(await ask(channel, family.path))
