"""`sns timeline`: which posts to show, and how one looks on a line."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from tinysns.client import Client, TimelinePost, Unreachable

_SILENCE_SECONDS = 10.0  # with no word from any master for so long, a timeline that should end gives up


async def posts(
    client: Client, user: str, after_position: int, forever: bool, limit: int | None
) -> AsyncGenerator[list[TimelinePost]]:
    """Batches, none empty: all that is there now, or for ever. Ends after `limit` posts. Raises SnsError."""
    left = limit
    async with aclosing(client.timeline_batches(user, after_position)) as batches:
        while True:
            try:
                batch = await asyncio.wait_for(anext(batches), None if forever else _SILENCE_SECONDS)
            except TimeoutError:
                raise Unreachable(f"no master has answered in time (tried {', '.join(client.masters)})") from None
            if not batch and not forever:
                return
            if batch:
                yield batch[:left]
            if left is not None:
                left -= len(batch)
                if left <= 0:
                    return


def clock(time_unix_ns: int) -> str:
    """The local time of a post, for display."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time_unix_ns / 1e9))


def printable(text: str) -> str:
    """A post on one line, unable to play with the terminal."""
    one_line = text.rstrip("\n").replace("\n", " ")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in one_line)
