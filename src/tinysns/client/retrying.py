"""One question to whichever master answers it: round all of them until one does, each try with its own limit.

For calls that may be made more than once: reads, and writes that keep their id.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc

from tinysns.client.links import Link, cancelled_from_outside
from tinysns.client.masters import Masters, Pace

T = TypeVar("T")


async def ask_masters(
    masters: Masters,
    try_seconds: float,
    ask: Callable[[Link, float], Awaitable[T]],
    final: Callable[[grpc.aio.AioRpcError], Exception | None],
    first: str = "",
) -> T:
    """What `ask` returned for the first master that answered. Never gives up: put a deadline around it.

    `ask(link, seconds)` makes one try, which ends within `seconds`: TimeoutError or DEADLINE_EXCEEDED if there was no
    answer till then. `final(error)`: what to raise if asking another master is useless, else None. `first`: the address
    to begin with if its link is ready; else the first of the route.
    """
    pace = Pace(masters)
    link = await masters.pick("", (first,) if masters.ready(first) else ())
    while True:
        try:
            return await ask(link, try_seconds * pace.patience)
        except grpc.aio.AioRpcError as e:
            if error := final(e):
                raise error from None
            if e.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                link.doubt()
        except TimeoutError:
            link.doubt()
        except asyncio.CancelledError:
            if cancelled_from_outside():
                raise
        await pace.before_next()
        link = await masters.pick(link.address)
