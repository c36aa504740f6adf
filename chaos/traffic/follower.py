"""A follower: follows all authors before they post, then receives; each delivery written down as it comes."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from chaos.history import Recorder
from chaos.traffic.orders import Orders
from tinysns.client import Client, SnsError

_LAST_POSTS_SECONDS = 15.0  # how long a follower may lag behind the last acknowledged post before that counts as lost


async def follow(
    routers: Sequence[str],
    user: str,
    authors: Sequence[str],
    recorder: Recorder,
    orders: Orders,
    only: Sequence[str] = (),
) -> None:
    """Reads until the runner names the last position, and that was seen. Raises SnsError, Abandoned.

    `only`: from these masters, until the runner names another one (`on`).
    """
    async with Client(routers) as client:
        session = client.session()
        await session.login(user)
        for author in authors:
            await session.follow(user, author)
        seen = _Seen()
        reading = asyncio.ensure_future(_read(client, user, recorder, seen, only))
        orders.tell("ready")
        try:
            while (order := await orders.next("before it said 'until'"))[0] != "until":
                if order[0] == "on":
                    reading.cancel()
                    await _ended(reading)
                    reading = asyncio.ensure_future(_read(client, user, recorder, seen, (order[1],)))
                    orders.tell("moved")
            last = int(order[1])
            async with asyncio.timeout(_LAST_POSTS_SECONDS):
                await seen.reached(last, reading)
        except TimeoutError:
            recorder.write("late", last=last, seen=seen.position)  # what is missing is for the judge to say
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def _ended(reading: "asyncio.Future[None]") -> None:
    """Raises SnsError if it had failed before it was cancelled."""
    (result,) = await asyncio.gather(reading, return_exceptions=True)
    if isinstance(result, Exception):
        raise result


class _Seen:
    """How far the follower is."""

    def __init__(self) -> None:
        self.position = 0
        self._moved = asyncio.Event()

    def advance(self, position: int) -> None:
        self.position = max(self.position, position)
        self._moved.set()

    async def reached(self, position: int, reading: "asyncio.Future[None]") -> None:
        """Returns once it is there. Raises SnsError if the reading ends before."""
        while self.position < position:
            self._moved.clear()
            moved = asyncio.ensure_future(self._moved.wait())
            await asyncio.wait((moved, reading), return_when=asyncio.FIRST_COMPLETED)
            moved.cancel()
            if reading.done():
                raise reading.exception() or SnsError("the timeline ended by itself, which it must never do")


async def _read(client: Client, user: str, recorder: Recorder, seen: _Seen, only: Sequence[str]) -> None:
    async with aclosing(client.timeline_batches(user, seen.position, only=only)) as batches:
        async for batch in batches:
            for post in batch:
                recorder.write("got", p=post.position, a=post.author, x=post.text)
                seen.advance(post.position)
