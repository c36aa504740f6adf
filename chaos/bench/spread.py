"""balanced_spread: how many of 400 idle timelines each master holds under the policy `balanced`.

Their clients ask router and deputies in turn, and open their timelines where they are told, 10 at a time.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import grpc

from chaos.bench.measure import Measure
from chaos.cluster import observe
from chaos.errors import CannotRun
from chaos.inventory import Inventory
from chaos.loop import complete
from tinysns.client import Client, calls
from tinysns.rpc.channels import open_channel
from tinysns.wire.v1 import router_pb2, sns_pb2

_TIMELINES = 400
_AT_ONCE = 10
_ANSWER_SECONDS = 10.0
_BALANCED = "balanced"


def balanced_spread(inventory: Inventory, output: Path, say: Callable[[str], None]) -> list[Measure]:
    """One value for each master. Raises CannotRun under another policy."""
    counts = complete(_measure(inventory))
    say("timelines: " + ", ".join(f"{host} {count}" for host, count in counts.items()))
    return [Measure("balanced_spread", "timelines", list(counts.values()))]


async def _measure(inventory: Inventory) -> dict[str, int]:
    user = f"bench-{time.time_ns()}"
    async with Client(inventory.router_addresses) as client:
        await client.session().login(user)
    async with AsyncExitStack() as stack:
        routers = [await stack.enter_async_context(open_channel(address)) for address in inventory.router_addresses]
        masters = {
            host.master: await stack.enter_async_context(open_channel(host.master)) for host in inventory.masters
        }
        before = await _open_streams(inventory)
        turns, room = itertools.cycle(routers), asyncio.Semaphore(_AT_ONCE)
        timelines = await asyncio.gather(*(_open(user, turns, masters, room) for _ in range(_TIMELINES)))
        after = await _open_streams(inventory)
        for timeline in timelines:
            timeline.cancel()
    return {host: after[host] - before[host] for host in after}


async def _open(
    user: str, routers: Iterator[grpc.aio.Channel], masters: dict[str, grpc.aio.Channel], room: asyncio.Semaphore
) -> "grpc.aio.UnaryStreamCall[sns_pb2.TimelineRequest, sns_pb2.Posts]":
    """Of one client; returns once its master has it."""
    async with room:
        route = await calls.route(next(routers))(router_pb2.RouteRequest(), timeout=_ANSWER_SECONDS)
        if route.policy != _BALANCED:
            raise CannotRun(
                f"this measure needs the policy {_BALANCED}, and it is {route.policy}; deploy it:"
                f" ansible-playbook deploy.yml -e router_policy={_BALANCED}"
            )
        timeline = calls.timeline(masters[route.primary])(sns_pb2.TimelineRequest(user=user))
        await timeline.initial_metadata()
        return timeline


async def _open_streams(inventory: Inventory) -> dict[str, int]:
    """By host."""
    return {master.host.name: master.open_streams for master in (await observe(inventory)).masters}
