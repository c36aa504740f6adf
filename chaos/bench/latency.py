"""post_to_follower: from the call that posts to the delivery to a follower that reads from another master."""

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

from chaos.bench.measure import Measure
from chaos.cluster import look
from chaos.errors import CannotRun
from chaos.inventory import Inventory
from chaos.loop import complete
from tinysns.client import Client
from tinysns.domain.writes import Post

_PER_SECOND = 100
_SECONDS = 20.0
_WARM_POSTS = 100
_END_SECONDS = 5.0


def post_to_follower(inventory: Inventory, output: Path, say: Callable[[str], None]) -> list[Measure]:
    """One value for each post. Writer and follower are one process, so that they share nothing but the service."""
    leader = look(inventory).available
    other = next((host for host in inventory.masters if leader and host != leader.host), None)
    if leader is None or other is None:
        raise CannotRun("this measure needs a leader and one more master; see sns status")
    say(f"posting to {leader.host.name}, following on {other.name}, {_PER_SECOND} posts/s for {_SECONDS:g} s")
    values = complete(_measure(inventory, other.master))
    return [Measure("post_to_follower", "ms", values[_WARM_POSTS:])]


async def _measure(inventory: Inventory, home: str) -> list[float]:
    author, reader = (f"bench-{time.time_ns()}-{role}" for role in ("author", "reader"))
    posts = int(_PER_SECOND * _SECONDS) + _WARM_POSTS
    sent: dict[str, float] = {}
    latencies_ms: list[float] = []
    async with Client(inventory.router_addresses) as writing, Client(inventory.router_addresses) as reading:
        session = writing.session()
        for user in (author, reader):
            await session.login(user)
        await session.follow(reader, author)

        async def read() -> None:
            async with aclosing(reading.timeline(reader, only=(home,))) as timeline:
                async for post in timeline:
                    latencies_ms.append((time.monotonic() - sent[post.text]) * 1000)
                    if len(latencies_ms) == posts:
                        return

        following = asyncio.ensure_future(read())
        loop, due = asyncio.get_running_loop(), asyncio.get_running_loop().time()
        for n in range(posts):
            await session.room()
            text = f"{n:08d}".ljust(100, "x")
            sent[text] = time.monotonic()
            session.submit(Post(author, (text,)))
            due += 1 / _PER_SECOND
            await asyncio.sleep(due - loop.time())  # the pace; nothing is waited for
        await session.drain()
        async with asyncio.timeout(_END_SECONDS):
            await following
    return latencies_ms
