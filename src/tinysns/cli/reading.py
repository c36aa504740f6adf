"""`sns timeline`: which posts to show, and how one looks on a line."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from tinysns.client import Client, TimelinePost


async def posts(
    client: Client, user: str, after_position: int, forever: bool, limit: int | None
) -> AsyncGenerator[list[TimelinePost]]:
    """Batches, none empty: all that was there when it began, or for ever. Ends after `limit` posts. Raises SnsError."""
    left = limit
    read = client.timeline_batches if forever else client.history_batches
    async with aclosing(read(user, after_position)) as batches:
        async for batch in batches:
            if shown := batch[:left]:
                yield shown
            if left is not None:
                left -= len(shown)
                if left <= 0:
                    return


def clock(time_unix_ns: int) -> str:
    """The local time of a post, for display."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time_unix_ns / 1e9))


def printable(text: str) -> str:
    """A post on one line, unable to play with the terminal."""
    one_line = text.rstrip("\n").replace("\n", " ")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in one_line)
