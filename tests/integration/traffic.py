"""A writer and a follower that never stop, and what must hold about them."""

import asyncio
import contextlib
import itertools

from tests.integration.service import Service, until

PAUSE_SECONDS = 0.003

_traffic = itertools.count(1)


class Traffic:
    """An author posts, a reader follows her. Use as a context; afterwards everything acknowledged was received once, in
    order. Their names are new ones each time."""

    def __init__(self, service: Service) -> None:
        self._service = service
        number = next(_traffic)
        self.author, self.reader = f"ann{number}", f"bob{number}"
        self.acknowledged: list[str] = []
        self.received: list[str] = []
        self._stopping = False

    async def __aenter__(self) -> "Traffic":
        await self._service.ready()
        self._client = self._service.client()
        await self._client.__aenter__()
        self._session = self._client.session()
        await self._session.login(self.author)
        await self._session.login(self.reader)
        await self._session.follow(self.reader, self.author)
        self._tasks = [asyncio.ensure_future(self._write()), asyncio.ensure_future(self._read())]
        return self

    async def _write(self) -> None:
        number = 0
        while not self._stopping:
            number += 1
            await self._session.post(self.author, [f"post {number}"])
            self.acknowledged.append(f"post {number}")
            await asyncio.sleep(PAUSE_SECONDS)

    async def _read(self) -> None:
        async for post in self._client.timeline(self.reader):
            self.received.append(post.text)

    async def goes_on(self, posts: int = 50) -> None:
        """Returns once so many more posts were acknowledged and received."""
        goal = len(self.acknowledged) + posts

        async def reached() -> bool:
            for task in self._tasks:
                if task.done():
                    task.result()
            return len(self.acknowledged) >= goal and len(self.received) >= goal

        await until(reached, f"{posts} more posts")

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        try:
            if kind is None:
                self._stopping = True
                await asyncio.wait_for(self._tasks[0], 120)
                await self.goes_on(0)
                assert self.received == self.acknowledged
                await self._every_master_has_all()
        finally:
            for task in self._tasks:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._client.__aexit__(None, None, None)

    async def _every_master_has_all(self) -> None:
        await self._service.leader()
        for address in self._service.masters.values():
            found = await self._client.history(self.reader, only=[address])
            assert [post.text for post in found] == self.acknowledged
        await self._service.digests_agree()
