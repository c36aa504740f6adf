"""Watching the route without a network: what a slow reader gets."""

import asyncio
import contextlib
from random import Random

from tinysns.routing.servicer import Routing, Self
from tinysns.wire.v1 import router_pb2 as pb


def say(routing: Routing, rank: int, *, leader: int, term: int) -> None:
    state = pb.MasterState(name=f"h{rank}", incarnation=1, serving=True, rank=rank, term=term)
    state.leader = f"10.0.0.{leader}:3011"
    routing.heard(pb.Message(text=f"10.0.0.{rank}:3011", state=state), rank)


async def test_a_slow_reader_gets_the_newest_route_and_none_in_between() -> None:
    routing = Routing(Self("h1", (), "available", 0), 1.0, Random(1))
    async with contextlib.aclosing(routing.routes()) as routes:
        first = asyncio.create_task(anext(routes))
        await asyncio.sleep(0)
        assert not first.done(), "nothing is said while no master is known"
        say(routing, 1, leader=1, term=1)
        assert (await first).term == 1
        for term in range(2, 50):
            say(routing, 1 + term % 3, leader=1, term=term)
        newest = await anext(routes)
        assert (newest.term, newest.primary, len(newest.backups)) == (49, "10.0.0.1:3011", 2)
        waiting = asyncio.create_task(anext(routes))
        say(routing, 2, leader=1, term=49)
        await asyncio.sleep(0)
        assert not waiting.done(), "no change, no push"
        routing.table.died("h1", 1, 1.0)
        told = await waiting
        assert (told.primary, list(told.dead)) == ("10.0.0.2:3011", ["10.0.0.1:3011"])
    assert not routing._watching


def test_clients_of_the_course_are_sent_to_the_proxy_or_to_the_available_master() -> None:
    for proxy, named in (("10.0.0.1:3010", "10.0.0.1:3010"), ("", "10.0.0.2:3011")):
        routing = Routing(Self("h1", (), "available", 0, proxy), 60.0, Random(1))
        assert routing.for_course_client() == "", "no master has ever been heard of"
        say(routing, 1, leader=2, term=1)
        say(routing, 2, leader=2, term=1)
        assert routing.for_course_client() == named
        assert routing.available() == "10.0.0.2:3011"
        routing.table.expire(float("inf"))
        assert routing.for_course_client() == proxy, "a proxy waits for masters"
