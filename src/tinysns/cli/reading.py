"""`sns timeline`: which posts to show, and how one looks on a line."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from tinysns.client import Client, TimelinePost, Unreachable
from tinysns.client.status import master_state
from tinysns.domain.positions import end_of

_SILENCE_SECONDS = 10.0  # with no word from any master for so long, a timeline that should end gives up


async def posts(
    client: Client, user: str, after_position: int, forever: bool, limit: int | None
) -> AsyncGenerator[list[TimelinePost]]:
    """Batches, none empty: all that was there when it began, or for ever. Ends after `limit` posts. Raises SnsError."""
    left = limit
    end = None if forever else await _end(client)
    async with aclosing(client.timeline_batches(user, after_position)) as batches:
        while True:
            try:
                batch = await asyncio.wait_for(anext(batches), None if forever else _SILENCE_SECONDS)
            except TimeoutError:
                raise Unreachable(f"no master has answered in time (tried {', '.join(client.masters)})") from None
            if not batch and not forever:
                return
            if shown := [post for post in batch if end is None or post.position <= end][:left]:
                yield shown
            if end is not None and batch and batch[-1].position > end:
                return
            if left is not None:
                left -= len(shown)
                if left <= 0:
                    return


async def _end(client: Client) -> int | None:
    """The end of the leader's log: where a reader stops whose timeline never falls silent. None: that is not known."""
    leader = await master_state(client.route.leader) if client.route.leader else None
    return None if leader is None or leader.unreachable else end_of(leader.commit_index)


def clock(time_unix_ns: int) -> str:
    """The local time of a post, for display."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time_unix_ns / 1e9))


def printable(text: str) -> str:
    """A post on one line, unable to play with the terminal."""
    one_line = text.rstrip("\n").replace("\n", " ")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in one_line)
