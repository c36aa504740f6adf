"""Reads from this master's own state: never stale, and never on the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tinysns.replication.interface import Submitter
from tinysns.sns.counters import Counters
from tinysns.storage.reader import Lists, Neighbours, Page, Reader

T = TypeVar("T")

# Readers of SQLite hold the GIL for most of their time: more threads would only take turns.
_THREADS = 4


class Reads:
    """The Reader, for coroutines."""

    def __init__(self, reader: Reader, submitter: Submitter, counters: Counters) -> None:
        self._reader = reader
        self._submitter = submitter
        self._counters = counters
        self._executor = ThreadPoolExecutor(_THREADS, "sns-read")

    async def barrier(self) -> None:
        """What is read from now on is not older than what was answered anywhere before. Raises NotServing."""
        await self._submitter.read_barrier()
        self._counters.local_reads += 1

    async def serving(self) -> None:
        """Returns once `barrier` may be tried again. Raises NotServing if this master is stopping."""
        await self._submitter.serving()

    async def timeline(self, user: str, after_position: int, limit: int) -> Page:
        """The next posts for `user`, oldest first."""
        return await self._run(lambda: self._reader.timeline(user, after_position, limit))

    async def newest(self, user: str, limit: int) -> Page:
        """The newest posts for `user`."""
        return await self._run(lambda: self._reader.newest(user, limit))

    async def start_of_newest(self, user: str, count: int) -> int:
        """The position of the oldest of the newest `count` posts for `user`; 0: there is none."""
        return await self._run(lambda: self._reader.start_of_newest(user, count))

    async def following(self, user: str) -> tuple[int, frozenset[str]]:
        """(applied index of the view, whom `user` follows)."""
        return await self._run(lambda: self._reader.following(user))

    async def lists(self, user: str) -> Lists:
        """All users, and who of them has to do with `user`."""
        return await self._run(lambda: self._reader.lists(user))

    async def knows(self, user: str) -> bool:
        """Whether somebody of that name has ever logged in."""
        return await self._run(lambda: self._reader.knows(user))

    async def neighbours(self, most_bytes: int) -> dict[str, Neighbours] | None:
        """Of all users; None if that is more than so many bytes of names."""
        return await self._run(lambda: self._reader.neighbours(most_bytes))

    def close(self) -> None:
        """Reads under way end in their threads; nobody gets their results."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _run(self, read: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, read)
